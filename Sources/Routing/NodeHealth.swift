import Primitives

/// What one observer holds true about one node, from pings, refusals and reports (three kinds of signals, one machine).
///
/// The machine says when to ping and when a node looks dead; whoever owns the machines of all nodes then decides
/// whether that verdict may stand (`condemn`), because the rules about witnesses need a view over all nodes.
/// An answer is any final response, 503 included: a node that refuses calls is alive.
public struct NodeHealth: Sendable {
    public enum Action: Equatable, Sendable {
        /// Send an OPTIONS; whatever becomes of it is told back with the same token.
        case sendPing(token: UInt32)
        /// The evidence suffices. Nothing changes until the owner condemns the node.
        case looksDead(Evidence, reason: String)
        /// A node that looked dead and was not yet condemned answered.
        case recovered
        /// The node answers as a new incarnation: the old one is dead, however quickly that went.
        case restarted(old: String, new: String)
        /// The visible state or its reason changed.
        case changed(NodeState, reason: String)
    }

    /// What speaks for a node's death.
    public enum Evidence: Equatable, Sendable {
        /// Nobody answers: the node is dead, or frozen, or the way to it is cut, or the observer itself is.
        case silence
        /// The node's own host says that nobody listens there, which is a witness in itself.
        case refusal
    }

    /// What an OPTIONS brought back.
    public struct Answer: Equatable, Sendable {
        public var token: UInt32
        public var incarnation: String?
        public var load: NodeLoad?

        public init(token: UInt32, incarnation: String?, load: NodeLoad?) {
            self.token = token
            self.incarnation = incarnation
            self.load = load
        }
    }

    private enum Liveness: Equatable {
        case unknown, alive, doubted(Evidence), dead
    }

    /// Which news of a fence the reason holds.
    private enum FenceNote { case fenced, answering }

    private struct Ping {
        var token: UInt32
        var sentAt: MonotonicTime
    }

    /// Pings under way at once; more are not sent.
    static let outstandingLimit = 16

    public let timings: DetectionTimings
    private let rampUp: Duration
    private let startedAt: MonotonicTime
    private var liveness = Liveness.unknown
    private var outstanding: [Ping] = []
    private var lastToken: UInt32 = 0
    private var lastSentAt: MonotonicTime?
    private var nextPingAt: MonotonicTime
    private var misses = 0
    private var refusals = 0
    private var lastRefusalAt: MonotonicTime?
    private var answers = 0
    private var silentSince: MonotonicTime
    private var wasAlive = false
    private var aliveSince: MonotonicTime?
    private var isSelfDraining = false
    private var incarnationToken: UInt32 = 0
    private var fencedIncarnation: String?
    private var pendingFence: String?
    private var wasFencedWrongly = false
    private var saysFenced: FenceNote?
    private var currentHoldDown: Duration = .zero
    private var holdUntil: MonotonicTime?
    private var rampStart: MonotonicTime?

    /// The incarnation that answered last; nil until one did.
    public private(set) var incarnation: String?
    /// When that was.
    private var heardAt: MonotonicTime?
    /// The incarnation before it, and when that answered last.
    private var predecessor: (incarnation: String, heardAt: MonotonicTime?)?
    /// What the node last said about its load.
    public private(set) var load: NodeLoad?
    /// Round trip of the last answered ping.
    public private(set) var latency: Duration?
    public private(set) var administrative = AdministrativeState.enabled
    /// Who ordered that, for a person; nil while nobody did.
    private var standingOrder: String?
    /// Why the state is what it is, for a person.
    public private(set) var reason = "not heard from yet"
    /// Since when it is what it is.
    public private(set) var since: MonotonicTime

    /// `firstPing` lets the owner spread the pings of many nodes over the interval.
    public init(timings: DetectionTimings, rampUp: Duration, now: MonotonicTime, firstPing: Duration = .zero) {
        self.timings = timings
        self.rampUp = rampUp
        startedAt = now
        nextPingAt = now + firstPing
        silentSince = now
        since = now
    }

    // MARK: What holds

    /// The state to show and to publish.
    public var state: NodeState {
        switch liveness {
        case .unknown, .dead: return .down
        case .alive, .doubted:
            switch administrative {
            case .disabled: return .disabled
            case .draining: return .draining
            case .enabled: return isSelfDraining ? .draining : rampStart == nil ? .up : .ramping
            }
        }
    }

    /// False until the node answered or failed to often enough: a fresh observer has no opinion to publish.
    public var isJudged: Bool { liveness != .unknown }

    /// Whether the node looks dead and waits to be condemned.
    public var isDoubted: Bool { if case .doubted = liveness { true } else { false } }

    /// Whether it is counted as alive although its last pings stayed unanswered.
    public var isMissingAnswers: Bool { liveness == .alive && misses > 0 }

    /// How far a returning node's ramp-up is; nil when its share is whole.
    public func ramp(at now: MonotonicTime) -> RampUp? {
        rampStart.map { RampUp(elapsed: now - $0, total: rampUp) }
    }

    /// The fenced incarnation that the node must not go on as; told to it in pings.
    public var fenced: String? { fencedIncarnation }

    public var nextDeadline: MonotonicTime {
        var next = nextPingAt
        if let oldest = outstanding.first { next = min(next, oldest.sentAt + timings.timeout) }
        if let rampStart { next = min(next, rampStart + rampUp) }
        return next
    }

    /// When this incarnation of the node answered last; nil where that is not known here.
    public func lastHeard(_ incarnation: String) -> MonotonicTime? {
        if incarnation == self.incarnation { return heardAt }
        return incarnation == predecessor?.incarnation ? predecessor?.heardAt : nil
    }

    // MARK: Time

    /// Counts what timed out and sends what is due.
    public mutating func fire(now: MonotonicTime, into actions: inout [Action]) {
        let before = state
        while let oldest = outstanding.first, oldest.sentAt + timings.timeout <= now {
            outstanding.removeFirst()
            missed(now: now)
        }
        judgeSilence(now: now, into: &actions)
        if let start = rampStart, start + rampUp <= now {
            rampStart = nil
            if before == .ramping { note("ramp-up done", now: now) }
        }
        if nextPingAt <= now { sendPing(now: now, into: &actions) }
        announce(from: before, into: &actions)
    }

    /// The observer did not run when it should have: it accuses nobody of what it may have slept through.
    public mutating func observerStarved(now: MonotonicTime) {
        outstanding.removeAll(keepingCapacity: true)
        misses = 0
        silentSince = now
        nextPingAt = min(nextPingAt, now)
    }

    private mutating func missed(now: MonotonicTime) {
        misses += 1
        answers = 0
        guard isInDoubt, let lastSentAt else { return }
        nextPingAt = min(nextPingAt, max(now, lastSentAt + timings.doubtInterval))
    }

    private mutating func judgeSilence(now: MonotonicTime, into actions: inout [Action]) {
        guard misses >= timings.missesForDown, now - silentSince >= timings.silenceForDown else { return }
        let silent_ms = (now - silentSince).wholeMilliseconds
        look(
            dead: .silence, reason: "\(misses) pings unanswered, silent for \(silent_ms) ms", now: now, into: &actions)
    }

    private mutating func look(
        dead evidence: Evidence, reason: String, now: MonotonicTime, into actions: inout [Action]
    ) {
        switch liveness {
        case .dead:
            // Another master's fence came first; what this one sees itself tells a person more.
            guard saysFenced != nil else { return }
            saysFenced = nil
            self.reason = reason
            actions.append(.changed(state, reason: reason))
        case .unknown:
            // Nobody relied on it, so there is nothing to decide.
            liveness = .dead
            note("never answered", now: now)
            actions.append(.changed(state, reason: self.reason))
        case .doubted(let known) where known == evidence || known == .refusal: return
        case .alive, .doubted:
            liveness = .doubted(evidence)
            actions.append(.looksDead(evidence, reason: reason))
        }
    }

    private var isInDoubt: Bool {
        switch liveness {
        case .alive: misses > 0 || refusals > 0
        case .doubted: true
        case .unknown: true
        case .dead: answers > 0
        }
    }

    private mutating func sendPing(now: MonotonicTime, into actions: inout [Action]) {
        nextPingAt = now + (isInDoubt && lastSentAt != nil ? timings.doubtInterval : timings.interval)
        guard outstanding.count < Self.outstandingLimit else { return }
        lastToken &+= 1
        lastSentAt = now
        outstanding.append(Ping(token: lastToken, sentAt: now))
        actions.append(.sendPing(token: lastToken))
    }

    // MARK: Signals

    /// Any final response to a ping, whatever its status.
    public mutating func answered(_ answer: Answer, now: MonotonicTime, into actions: inout [Action]) {
        let before = state
        // An answer that was overtaken by one of a newer incarnation says nothing about today.
        if answer.incarnation != incarnation, answer.token < incarnationToken { return }
        if let index = outstanding.firstIndex(where: { $0.token == answer.token }) {
            latency = now - outstanding[index].sentAt
            outstanding.removeSubrange(...index)
        }
        misses = 0
        refusals = 0
        silentSince = now
        load = answer.load ?? load
        adopt(answer, now: now, into: &actions)
        heardAt = now
        if incarnation != nil, incarnation == fencedIncarnation {
            noteZombie(now: now)
            announce(from: before, into: &actions)
            return
        }
        answers = min(answers + 1, timings.answersForUp)
        revive(now: now, into: &actions)
        if !isInDoubt, let lastSentAt { nextPingAt = lastSentAt + timings.interval }
        followOwnDraining(answer.load, now: now)
        announce(from: before, into: &actions)
    }

    private mutating func adopt(_ answer: Answer, now: MonotonicTime, into actions: inout [Action]) {
        guard let new = answer.incarnation, new != incarnation else { return }
        let old = incarnation
        predecessor = old.map { ($0, heardAt) }
        incarnation = new
        incarnationToken = answer.token
        answers = 0
        isSelfDraining = false
        guard let old else { return }
        if wasFencedWrongly, old == fencedIncarnation {
            currentHoldDown = min(max(timings.holdDown, currentHoldDown * 2), timings.maximumHoldDown)
            holdUntil = now + currentHoldDown
            wasFencedWrongly = false
        }
        if liveness != .unknown { liveness = .dead }
        rampStart = nil
        note("restarted as \(new)", now: now)
        actions.append(.restarted(old: old, new: new))
    }

    /// A fenced incarnation that still answers was fenced wrongly; it must come back as a new one.
    private mutating func noteZombie(now: MonotonicTime) {
        wasFencedWrongly = true
        guard saysFenced != .answering else { return }
        note("fenced but answering; waits for a new incarnation", now: now)
        saysFenced = .answering
    }

    private mutating func revive(now: MonotonicTime, into actions: inout [Action]) {
        switch liveness {
        case .alive:
            if let aliveSince, now - aliveSince >= timings.holdDownForgiven { currentHoldDown = .zero }
        case .doubted:
            liveness = .alive
            actions.append(.recovered)
        case .unknown, .dead:
            guard answers >= timings.answersForUp, pendingFence == nil || pendingFence != incarnation else {
                nextPingAt = min(nextPingAt, max(now, (lastSentAt ?? now) + timings.doubtInterval))
                return
            }
            if let holdUntil, now < holdUntil { return }
            holdUntil = nil
            let isReturn = wasAlive || (liveness == .dead && now - startedAt > timings.coldStart)
            liveness = .alive
            wasAlive = true
            aliveSince = now
            rampStart = isReturn && rampUp > .zero ? now : nil
            note("\(answers) answers in a row\(standingOrder.map { "; \($0)" } ?? "")", now: now)
        }
    }

    private mutating func followOwnDraining(_ load: NodeLoad?, now: MonotonicTime) {
        guard let load, load.isDraining != isSelfDraining else { return }
        isSelfDraining = load.isDraining
        guard liveness == .alive, administrative == .enabled else { return }
        note(isSelfDraining ? "draining by itself" : "takes calls again", now: now)
    }

    /// An ICMP refusal (port unreachable) on the connected socket of the pings.
    public mutating func refused(now: MonotonicTime, into actions: inout [Action]) {
        let before = state
        answers = 0
        // One lost datagram may bring more than one ICMP message; only refusals with a distance are two.
        if let last = lastRefusalAt, refusals > 0, now - last < timings.refusalSpacing { return }
        refusals += 1
        lastRefusalAt = now
        if let refusedPing = outstanding.last, refusedPing.sentAt <= now { outstanding.removeLast() }
        if refusals >= timings.refusalsForDown {
            look(dead: .refusal, reason: "port refused \(refusals) times (ICMP)", now: now, into: &actions)
        } else if liveness != .dead {
            nextPingAt = min(nextPingAt, now + timings.refusalSpacing)
        }
        announce(from: before, into: &actions)
    }

    /// An access node says that the node leaves requests unanswered: a reason to look, never a verdict.
    public mutating func reported(now: MonotonicTime) {
        if let lastSentAt, now - lastSentAt < timings.refusalSpacing { return }
        nextPingAt = min(nextPingAt, now)
    }

    /// There is something to tell the node now rather than with the next ping.
    public mutating func hurry(now: MonotonicTime) { nextPingAt = min(nextPingAt, now) }

    // MARK: Verdicts and orders

    /// The owner lets the verdict stand. Returns the incarnation that is now dead, if one was known.
    @discardableResult
    public mutating func condemn(reason: String, now: MonotonicTime, into actions: inout [Action]) -> String? {
        guard case .doubted = liveness else { return nil }
        liveness = .dead
        rampStart = nil
        answers = 0
        nextPingAt = max(nextPingAt, now + timings.doubtInterval)
        note(reason, now: now)
        actions.append(.changed(state, reason: reason))
        return incarnation
    }

    /// A fence was asked of the store: until its outcome is known the incarnation must not come back.
    public mutating func fenceRequested(_ incarnation: String) { pendingFence = incarnation }

    /// The outcome of a fence. A fenced incarnation never counts as up again, whatever it answers.
    public mutating func fenceSettled(
        _ incarnation: String, isFenced: Bool, now: MonotonicTime, into actions: inout [Action]
    ) {
        if pendingFence == incarnation { pendingFence = nil }
        guard isFenced else { return }
        let before = state
        fencedIncarnation = incarnation
        if incarnation == self.incarnation, liveness != .dead {
            liveness = .dead
            rampStart = nil
            note("fenced", now: now)
            saysFenced = .fenced
        } else if incarnation == self.incarnation, answers > 0 {
            // It answered between the verdict and the fence: the verdict was wrong.
            noteZombie(now: now)
        }
        answers = incarnation == self.incarnation ? 0 : answers
        announce(from: before, into: &actions)
    }

    /// An operator's order.
    public mutating func administer(
        _ order: AdministrativeState, reason: String, now: MonotonicTime, into actions: inout [Action]
    ) {
        guard order != administrative else { return }
        let before = state
        administrative = order
        standingOrder = order == .enabled ? nil : reason
        if liveness == .alive || isDoubted { note(reason, now: now) }
        announce(from: before, into: &actions)
    }

    private mutating func note(_ reason: String, now: MonotonicTime) {
        self.reason = reason
        saysFenced = nil
        since = now
    }

    private func announce(from before: NodeState, into actions: inout [Action]) {
        if state != before { actions.append(.changed(state, reason: reason)) }
    }
}
