import Foundation
import Primitives
import Speech

/// One call without a telephone: a machine, a simulated clock and a bank that answers by script.
struct MenuRehearsal {
    /// How long any prompt is taken to last.
    static let promptLength = Duration.seconds(4)
    /// How long the bank takes.
    static let bankDelay = Duration.milliseconds(50)
    /// From one key to the next.
    static let keyDelay = Duration.milliseconds(100)
    static let queueDelay = Duration.seconds(2)

    enum Note: Equatable {
        case spoke([PromptItem])
        case entered(state: String)
        case asked(MenuOperation, answer: BankAnswer?)
        case queued(String)
        case leftQueue
        case language(String)
        case loggedIn(String)
        case ended(String)
    }

    private enum Due: Hashable {
        case timer(MenuTimer)
        case prompt(PromptID)
        case bank(OperationCall)
        case queue
    }

    private(set) var machine: MenuMachine
    private(set) var path: [String] = []
    private(set) var ending: String?
    /// What happened since `notes` was last emptied.
    var notes: [Note] = []
    var bank: any MenuBank
    /// The results of waiting in a queue, one after another; the last one serves all further times.
    var queueResults: [QueueResult]
    /// When set, the bank takes this long.
    var bankDelay = MenuRehearsal.bankDelay

    private var now = MonotonicTime.zero
    private let startedAt: WallTime
    private var due = TimerQueue<Due>()
    private var tokens: [Due: TimerToken] = [:]
    private var answers: [OperationCall: BankAnswer] = [:]

    init(
        _ definition: MenuDefinition, bank: any MenuBank, queueResults: [QueueResult] = [.unavailable],
        at time: WallTime, seed: UInt64 = 1, taken: Set<Int>? = nil
    ) {
        machine = MenuMachine(definition, random: SeededRandom(seed: seed))
        machine.taken = taken
        self.bank = bank
        self.queueResults = queueResults
        startedAt = time
    }

    private var wall: WallTime { startedAt + (now - .zero) }

    mutating func start() { send(.entered) }

    mutating func press(_ digit: KeypadDigit) {
        send(.digit(digit))
        wait(Self.keyDelay)
    }

    /// Lets time pass and everything happen that falls due in it.
    mutating func wait(_ span: Duration) {
        let until = now + span
        while let deadline = due.nextDeadline(), deadline <= until, ending == nil { fireNext() }
        if ending == nil { now = max(now, until) }
    }

    /// Hears everything out, up to the moment when a question waits for its first digit, or the call is over.
    mutating func listen() {
        for _ in 0..<1000 {
            let settling = Set<MenuTimer>([.settling, .swallowHash])
            let pending = tokens.keys.contains {
                if case .timer(let timer) = $0 { settling.contains(timer) || timer == .operation } else { true }
            }
            guard ending == nil, pending, !machine.timers.contains(.firstDigit), !machine.timers.contains(.interDigit)
            else { return }
            fireNext()
        }
    }

    /// The caller does nothing until a time-out for a digit runs off.
    mutating func keepSilent() {
        listen()
        for _ in 0..<1000 {
            guard ending == nil, let fired = fireNext() else { return }
            if fired == .timer(.firstDigit) || fired == .timer(.interDigit) { return }
        }
    }

    /// Another center goes on from the checkpoint, which travels as JSON.
    mutating func takeOver(seed: UInt64) throws {
        let data = try JSONEncoder().encode(machine.snapshot())
        let snapshot = try JSONDecoder().decode(MenuSnapshot.self, from: data)
        var next = MenuMachine(machine.definition, random: SeededRandom(seed: seed))
        next.taken = machine.taken
        machine = next
        due = TimerQueue()
        tokens = [:]
        answers = [:]
        send(.resumed(snapshot))
    }

    @discardableResult
    private mutating func fireNext() -> Due? {
        guard let deadline = due.nextDeadline() else { return nil }
        now = max(now, deadline)
        guard let next = due.popDue(at: now) else { return nil }
        tokens[next] = nil
        switch next {
        case .timer(let timer): send(.fired(timer))
        case .prompt(let id): send(.promptsFinished(id))
        case .bank(let call):
            if let answer = answers.removeValue(forKey: call) {
                send(.operationResult(call, name: answer.result, values: answer.values))
            }
        case .queue:
            let result = queueResults.first ?? .unavailable
            if queueResults.count > 1 { queueResults.removeFirst() }
            send(.queueResult(result))
        }
        return next
    }

    private mutating func send(_ event: MenuEvent) {
        for action in machine.handle(event, now: wall) { perform(action) }
    }

    private mutating func perform(_ action: MenuAction) {
        switch action {
        case .play(let id, let items, _):
            notes.append(.spoke(items))
            set(.prompt(id), Self.promptLength)
        case .stopPlaying:
            for key in tokens.keys { if case .prompt = key { clear(key) } }
        case .schedule(let timer, let delay): set(.timer(timer), delay)
        case .cancel(let timer): clear(.timer(timer))
        case .operation(let operation):
            let answer = bank.answer(operation)
            notes.append(.asked(operation, answer: answer))
            if let answer {
                answers[operation.call] = answer
                set(.bank(operation.call), bankDelay)
            }
        // A rehearsal is never taken over.
        case .askOutcome: break
        case .transferToQueue(let queue):
            notes.append(.queued(queue))
            set(.queue, Self.queueDelay)
        case .leaveQueue:
            notes.append(.leftQueue)
            clear(.queue)
        case .hangUp(let reason):
            notes.append(.ended(reason))
            ending = reason
        case .enteredState(let state, let name, let extendsPath):
            notes.append(.entered(state: state))
            if extendsPath { path.append(name) }
        case .languageChosen(let code): notes.append(.language(code))
        case .loggedIn(let customer): notes.append(.loggedIn(customer))
        }
    }

    private mutating func set(_ key: Due, _ delay: Duration) {
        clear(key)
        tokens[key] = due.schedule(key, at: now + delay)
    }

    private mutating func clear(_ key: Due) {
        if let token = tokens.removeValue(forKey: key) { due.cancel(token) }
    }
}
