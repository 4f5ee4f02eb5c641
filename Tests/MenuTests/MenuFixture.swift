import Menu
import Primitives
import Speech
import StrictYAML

/// A machine over a small menu, driven event by event.
struct MenuFixture {
    var machine: MenuMachine
    var now = WallTime(secondsSince1970: 0)
    var lastPrompt = PromptID(rawValue: 0)
    var lastCall = OperationCall(rawValue: 0)
    var last: [MenuAction] = []

    init(_ definition: MenuDefinition, seed: UInt64 = 1) {
        machine = MenuMachine(definition, random: SeededRandom(seed: seed))
    }

    init(states: String, extra: String = "") throws {
        self.init(try Self.definition(states: states, extra: extra))
    }

    static func source(states: String, extra: String = "") -> MenuSource {
        MenuSource(
            top: "m.yaml",
            files: [
                "m.yaml": """
                menu: small
                version: "1"
                languages: [en, zh]
                start: first
                exhausted: bye
                \(extra)
                states:
                \(states)
                  bye: {say: [goodbye], barge-in: false, hang-up: menu}
                """
            ])
    }

    static func definition(states: String, extra: String = "") throws -> MenuDefinition {
        try MenuDefinition(source(states: states, extra: extra))
    }

    /// The problems that keep a menu from being read, as `line: message`.
    static func problems(states: String, extra: String = "") -> [String] {
        do {
            _ = try definition(states: states, extra: extra)
            return []
        } catch let problems as Problems {
            return problems.list.map { "\($0.line): \($0.message)" }
        } catch {
            return ["\(error)"]
        }
    }

    @discardableResult
    mutating func send(_ event: MenuEvent) -> [MenuAction] {
        last = machine.handle(event, now: now)
        for action in last {
            if case .play(let id, _, _) = action { lastPrompt = id }
            if case .operation(let operation) = action { lastCall = operation.call }
        }
        return last
    }

    @discardableResult
    mutating func press(_ keys: String) -> [MenuAction] {
        var all: [MenuAction] = []
        for key in keys { if let digit = KeypadDigit(key) { all += send(.digit(digit)) } }
        last = all
        return all
    }

    mutating func hearOut() -> [MenuAction] { send(.promptsFinished(lastPrompt)) }

    mutating func answer(_ result: String, _ values: [String: MenuValue] = [:]) -> [MenuAction] {
        send(.operationResult(lastCall, name: result, values: values))
    }

    /// The clips of what is played in the last step.
    var heard: [String] {
        last.flatMap { action -> [String] in
            guard case .play(_, let items, _) = action else { return [] }
            return items.map { if case .clip(let name) = $0.content { name } else { "\($0.content)" } }
        }
    }

    var operation: MenuOperation? {
        last.lazy.compactMap { if case .operation(let operation) = $0 { operation } else { nil } }.first
    }
}
