import Foundation
import Primitives
import Speech
import Testing

@testable import Menu

/// Callers, banks and centers that do anything at any time. What must hold is checked after each event.
@Suite struct MenuRandomTests {
    struct World {
        var machine: MenuMachine
        var random: SeededRandom
        var timers: Set<MenuTimer> = []
        var playing: PromptID?
        var calls: [MenuOperation] = []
        var asked: OperationCall?
        var isQueued = false
        var hasEnded = false
        var transfers: [String: [MenuOperation]] = [:]
        var failure: String?

        mutating func take(_ actions: [MenuAction]) {
            for action in actions {
                if hasEnded { failure = "an action after the end: \(action)" }
                switch action {
                case .play(let id, let items, _):
                    if playing != nil { failure = "a second prompt over the first" }
                    if items.isEmpty { failure = "an empty prompt" }
                    playing = id
                case .stopPlaying:
                    if playing == nil { failure = "stopped what was not playing" }
                    playing = nil
                case .schedule(let timer, _): timers.insert(timer)
                case .cancel(let timer):
                    if timers.remove(timer) == nil { failure = "cancelled \(timer), which is not set" }
                case .operation(let operation):
                    calls.append(operation)
                    if let id = operation.operationID { transfers[id, default: []].append(operation) }
                    if operation.name == "transfer", operation.operationID == nil { failure = "money without an id" }
                case .askOutcome(let call, _, _): asked = call
                case .transferToQueue: isQueued = true
                case .leaveQueue: isQueued = false
                case .hangUp(let reason):
                    hasEnded = true
                    if reason != "menu" { failure = "ended by \(reason)" }
                    if !timers.isEmpty || playing != nil { failure = "left \(timers) and \(playing as Any) behind" }
                case .enteredState, .languageChosen, .loggedIn: break
                }
            }
            if timers != machine.timers { failure = "set \(timers), the machine thinks \(machine.timers)" }
            if case .operating = machine.phase {
                if !timers.contains(.operation) { failure = "the bank may be silent for ever" }
            } else if timers.contains(.operation) {
                failure = "the bank's timer outlived its answer"
            }
            if case .asking = machine.phase {
            } else if !timers.isDisjoint(with: [.firstDigit, .interDigit]) {
                failure = "a question's timer outlived the question"
            }
            let isWaiting = playing != nil || !timers.isSubset(of: [.swallowHash, .settling]) || isQueued || hasEnded
            if !isWaiting { failure = "nothing will ever happen again in \(machine.state)" }
        }

        mutating func send(_ event: MenuEvent) {
            take(machine.handle(event, now: WallTime(secondsSince1970: Int64(random.next() >> 34))))
        }
    }

    private func step(_ world: inout World, _ menu: MenuDefinition) throws {
        switch world.random.next() % 16 {
        case 0...5:
            let keys = Array("0123456789*#".utf8)
            if let digit = KeypadDigit(ascii: keys[Int(world.random.next() % 12)]) { world.send(.digit(digit)) }
        case 6: for key in "10000007" { if let digit = KeypadDigit(key) { world.send(.digit(digit)) } }
        case 7: for key in "246810" { if let digit = KeypadDigit(key) { world.send(.digit(digit)) } }
        case 8, 9:
            if let id = world.playing {
                world.playing = nil
                world.send(.promptsFinished(id))
            }
        case 10, 11:
            if let timer = world.timers.sorted(by: { "\($0)" < "\($1)" }).first {
                world.timers.remove(timer)
                world.send(.fired(timer))
            }
        case 12 where world.asked != nil:
            if let asked = world.asked.take() { world.send(.operationNeverRan(asked)) }
        case 12, 13:
            guard let call = world.calls.last, let signature = OperationCatalogue.banking.signatures[call.name] else {
                break
            }
            let results = signature.results.keys.sorted() + ["ok", "nonsense"]
            let result =
                world.random.next() % 2 == 0
                ? (signature.results["ok"] == nil ? "done" : "ok")
                : results[Int(world.random.next() % UInt64(results.count))]
            world.send(.operationResult(call.call, name: result, values: ["remaining": 1, "reason": "frozen"]))
        case 14:
            if world.isQueued {
                world.isQueued = false
                world.send(.queueResult(QueueResult.allCases[Int(world.random.next() % 4)]))
            }
        default:
            let data = try JSONEncoder().encode(world.machine.snapshot())
            let pending = world.machine.snapshot().pendingOperation
            world.machine = MenuMachine(menu, random: SeededRandom(seed: world.random.next()))
            (world.timers, world.playing, world.isQueued, world.calls, world.asked) = ([], nil, false, [], nil)
            world.send(.resumed(try JSONDecoder().decode(MenuSnapshot.self, from: data)))
            if let pending, world.machine.state.hasPrefix("transfer-"),
                world.machine.snapshot().pendingOperation != pending
            {
                world.failure = "the takeover changed the operation id"
            }
        }
    }

    @Test func hundredsOfStrangeCallsNeverHangTrapOrForgetATimer() throws {
        let menu = try MenuDefinition(MenuSource.read(ShippedMenuTests.path))
        var ended = 0, states: Set<String> = []
        for seed in 1...300 as ClosedRange<UInt64> {
            var world = World(
                machine: MenuMachine(menu, random: SeededRandom(seed: seed)), random: SeededRandom(seed: seed &* 77))
            world.send(.entered)
            for number in 0..<150 where !world.hasEnded {
                try step(&world, menu)
                states.insert(world.machine.state)
                if let failure = world.failure {
                    Issue.record("seed \(seed), step \(number): \(failure)")
                    return
                }
            }
            ended += world.hasEnded ? 1 : 0
            // One id never stands for two orders.
            for (id, runs) in world.transfers {
                #expect(
                    Set(runs.map { "\($0.arguments["payee"] as Any) \($0.arguments["amount_minor"] as Any)" }).count
                        == 1, "\(id), seed \(seed)")
            }
        }
        #expect(ended > 30 && states.count > 15, "the callers got around: \(ended) ended, \(states.count) states")
    }
}
