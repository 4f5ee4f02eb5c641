import Speech

/// A menu as a conversation in the terminal, for `tandem menu try`. It prints what a caller hears and takes digits.
public struct MenuWalk {
    private var call: MenuRehearsal
    private let catalogue: PromptCatalogue

    public static let help =
        "digits: press them · empty line: stay silent · t: take the call over at another center · q: hang up"

    public init(
        _ definition: MenuDefinition, catalogue: PromptCatalogue, bank: any MenuBank, at time: WallTime,
        seed: UInt64
    ) {
        call = MenuRehearsal(definition, bank: bank, at: time, seed: seed)
        self.catalogue = catalogue
    }

    public var hasEnded: Bool { call.ending != nil }

    /// The lines to print when the call begins.
    public mutating func start() -> [String] {
        call.start()
        call.listen()
        return report()
    }

    /// Takes one line of input; gives the lines to print.
    public mutating func enter(_ line: String) -> [String] {
        let keys = line.filter { !$0.isWhitespace }
        if keys.isEmpty {
            call.keepSilent()
        } else if keys == "t" {
            do { try call.takeOver(seed: 2) } catch { return ["the checkpoint cannot be read: \(error)"] }
        } else {
            let digits = keys.compactMap { KeypadDigit(Character($0.uppercased())) }
            guard digits.count == keys.count else { return [Self.help] }
            for digit in digits where call.ending == nil { call.press(digit) }
        }
        call.listen()
        return report()
    }

    /// The states entered so far by their names in call records.
    public var path: [String] { call.path }

    private mutating func report() -> [String] {
        defer { call.notes = [] }
        return call.notes.map { note in
            switch note {
            case .spoke(let items): "  » \(catalogue.text(for: items))"
            case .entered(let state): "[\(state)]"
            case .asked(let operation, let answer): "  bank: \(operation.summary) → \(answer?.result ?? "no answer")"
            case .queued(let queue): "  queue: \(queue)"
            case .leftQueue: "  left the queue"
            case .language(let code): "  language: \(code)"
            case .loggedIn(let customer): "  logged in: \(customer)"
            case .ended(let reason): "[call ended: \(reason)]"
            }
        }
    }
}

extension MenuOperation {
    /// For people; secrets show as dots.
    public var summary: String {
        let list = arguments.sorted { $0.key < $1.key }.map { name, value in
            switch value {
            case .text(let text): "\(name) \(text)"
            case .integer(let number): "\(name) \(number)"
            case .secret(let digits): "\(name) \(digits)"
            }
        }
        return name + (list.isEmpty ? "" : "(\(list.joined(separator: ", ")))")
    }
}
