import Primitives
import Speech

/// One caller's way through a menu: events in, actions out. It owns no timer and asks no clock.
public struct MenuMachine: Sendable {
    /// At most this many digits are kept while the bank works.
    static let typeAheadLimit = 16
    /// At most this many states follow one another without waiting for anything.
    static let transitionLimit = 32
    /// At most this many included menus are inside one another.
    static let callLimit = 8
    /// Digits of this first time after a takeover were meant for what the caller no longer hears.
    static let settlingTime = Duration.seconds(1)

    enum Phase: Sendable {
        case idle
        /// A question is being spoken or its answer awaited.
        case asking
        /// Something is said before the branch goes on; what the branch does beside is done.
        case answering(MenuBranch)
        /// A state that only speaks; its branch comes after.
        case speaking(then: MenuBranch)
        case operating(OperationCall)
        /// The announcement before the queue.
        case announcing
        case queued
        /// The last words.
        case parting(reason: String)
        case ended
    }

    /// One `handle`: its time, its actions so far.
    struct Turn {
        var now: WallTime
        var actions: [MenuAction] = []
        var transitions = 0
    }

    public let definition: MenuDefinition
    public internal(set) var state: String
    public internal(set) var language: String
    /// The customer whose PIN the bank accepted.
    public internal(set) var customer: String?

    var phase = Phase.idle
    var random: SeededRandom
    var variables: [String: MenuValue] = [:]
    var secrets: [String: SecretDigits] = [:]
    var noInputs = 0
    var wrongs = 0
    var failures: [String: Int] = [:]
    var wanted: String?
    var callers: [String] = []
    var path: String?
    var pendingOperation: MenuSnapshot.PendingOperation?

    var playing: (id: PromptID, interruptible: Bool)?
    var lastPrompt: UInt32 = 0
    var lastCall: UInt32 = 0
    var timers: Set<MenuTimer> = []
    /// The half-entered number. Secrets never pass through it.
    var typed: [UInt8] = []
    var typedSecret: SecretDigits?
    var typedAhead: [KeypadDigit] = []
    /// Ids of the branches that were taken, when a test script asks for them.
    var taken: Set<Int>?

    /// `random` seeds the ids of money operations: a real node seeds it from the system's generator.
    public init(_ definition: MenuDefinition, random: SeededRandom) {
        self.definition = definition
        self.random = random
        state = definition.start
        language = definition.languages.first ?? ""
    }

    public var hasEnded: Bool { if case .ended = phase { true } else { false } }

    /// What a checkpoint keeps, at any moment.
    public func snapshot() -> MenuSnapshot {
        MenuSnapshot(
            menu: definition.name, hash: definition.hash, state: state, language: language, customer: customer,
            variables: variables, noInputs: noInputs, wrongs: wrongs, failures: failures, wanted: wanted,
            callers: callers, path: path, pendingOperation: pendingOperation)
    }

    /// Takes one event. The actions are to be performed in their order.
    public mutating func handle(_ event: MenuEvent, now: WallTime) -> [MenuAction] {
        var turn = Turn(now: now)
        if case .ended = phase { return [] }
        switch event {
        case .entered:
            if case .idle = phase { enter(definition.start, .fresh, &turn) }
        case .resumed(let snapshot):
            if case .idle = phase { resume(snapshot, &turn) }
        case .digit(let digit): press(digit, &turn)
        case .promptsFinished(let id): finished(id, &turn)
        case .fired(let timer): fired(timer, &turn)
        case .operationResult(let call, let name, let values):
            if case .operating(call) = phase { conclude(name, values, &turn) }
        case .operationNeverRan(let call):
            if case .operating(call) = phase { readBackAgain(&turn) }
        case .queueResult(let result): leaveQueue(result, &turn)
        }
        drainTypedAhead(&turn)
        return turn.actions
    }

    /// TAKEOVER.md, Checkpoints: partial input is gone, the question is asked again, digits of the first second do not
    /// count. A definition of another hash serves as far as it has the state.
    private mutating func resume(_ snapshot: MenuSnapshot, _ turn: inout Turn) {
        if definition.languages.contains(snapshot.language) { language = snapshot.language }
        customer = snapshot.customer
        variables = snapshot.variables
        failures = snapshot.failures
        wanted = snapshot.wanted
        callers = snapshot.callers.filter { definition.states[$0] != nil }
        path = snapshot.path
        pendingOperation = snapshot.pendingOperation
        schedule(.settling, Self.settlingTime, &turn)
        if definition.states[snapshot.state] == nil {
            return enter(
                customer == nil ? definition.start : definition.login?.otherwise ?? definition.start, .fresh, &turn)
        }
        enter(snapshot.state, .resumed(noInputs: snapshot.noInputs, wrongs: snapshot.wrongs), &turn)
    }

    private mutating func fired(_ timer: MenuTimer, _ turn: inout Turn) {
        guard timers.remove(timer) != nil else { return }
        switch timer {
        case .firstDigit: if case .asking = phase { missInput(&turn) }
        case .interDigit: if case .asking = phase { pauseInEntry(&turn) }
        case .swallowHash, .settling: break
        case .operation:
            if case .operating = phase, case .operation(let step)? = definition.states[state]?.kind {
                conclude(step.signature.resultWithoutAnswer, [:], &turn)
            }
        }
    }

    private mutating func finished(_ id: PromptID, _ turn: inout Turn) {
        guard playing?.id == id else { return }
        playing = nil
        switch phase {
        case .asking: awaitFirstDigit(&turn)
        case .answering(let branch): go(branch, &turn)
        case .speaking(let then): follow(then, &turn)
        case .announcing: requestAgent(&turn)
        case .parting(let reason): end(reason, &turn)
        case .idle, .operating, .queued, .ended: break
        }
    }

    // MARK: Prompts and timers

    /// False when there is nothing to say.
    mutating func play(_ items: [PromptItem], interruptible: Bool, _ turn: inout Turn) -> Bool {
        stopPlaying(&turn)
        guard !items.isEmpty else { return false }
        lastPrompt &+= 1
        let id = PromptID(rawValue: lastPrompt)
        playing = (id, interruptible)
        turn.actions.append(.play(id, items, interruptible: interruptible))
        return true
    }

    mutating func stopPlaying(_ turn: inout Turn) {
        guard playing != nil else { return }
        playing = nil
        turn.actions.append(.stopPlaying)
    }

    mutating func schedule(_ timer: MenuTimer, _ delay: Duration, _ turn: inout Turn) {
        timers.insert(timer)
        turn.actions.append(.schedule(timer, delay))
    }

    mutating func cancel(_ timer: MenuTimer, _ turn: inout Turn) {
        if timers.remove(timer) != nil { turn.actions.append(.cancel(timer)) }
    }

    mutating func end(_ reason: String, _ turn: inout Turn) {
        stopPlaying(&turn)
        for timer in MenuTimer.allCases { cancel(timer, &turn) }
        forgetEntry()
        forgetSecrets()
        forgetTypedAhead()
        phase = .ended
        turn.actions.append(.hangUp(reason: reason))
    }

    mutating func forgetSecrets() { secrets = [:] }

    /// Digits of a PIN may be among them: they are overwritten, not just let go.
    mutating func forgetTypedAhead() {
        for index in typedAhead.indices { typedAhead[index] = .star }
        typedAhead = []
    }

    mutating func forgetEntry() {
        typed = []
        typedSecret?.wipe()
        typedSecret = nil
    }
}
