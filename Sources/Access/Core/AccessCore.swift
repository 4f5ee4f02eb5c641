import Primitives
import Routing
import SIP
import Session

/// An access node without its sockets and clock: a proxy that keeps transactions and no dialogs (RFC 3261 §16).
/// Messages, events and the passing of time in, actions out.
///
/// A new call goes by policy to a center, and to the next one if that does not answer. A request inside a dialog finds
/// its center by Request-URI, by the tag that the center made, or by its Call-ID. So nothing that an answered call needs
/// is kept here, and access may be restarted under it.
public struct AccessCore: Sendable {
    public let settings: AccessSettings
    let listeners: Listeners
    let tokens: FlowTokens
    /// What this incarnation's own tags begin with.
    let ownTagPrefix: [UInt8]
    /// Whether lines or callers have centers of their own.
    let choiceNeedsNames: Bool
    var transactions: TransactionLayer
    var proxy: ProxyCore
    var chooser: RouteChooser
    var limiter: SourceRateLimiter
    /// Of requests inside dialogs.
    var dialogLimiter: SourceRateLimiter
    var random: SeededRandom
    var forwards = ForwardTable()
    var silences = SilenceQueue()
    /// INVITEs without a final response, for CANCEL.
    var invites: [ServerTransactionID: ForwardHandle] = [:]
    /// Dialogs of late answers that a BYE has gone to, by the INVITE that they answered.
    var released: [ClientTransactionID: Set<String>] = [:]
    /// Where each center takes SIP, as far as it was asked since the last table.
    var ways: [CenterWays] = []
    /// When the masters may be told of a center again.
    var nextReport: [String: MonotonicTime] = [:]
    /// When a center may be told again what the table says of it.
    var nextWord: [String: MonotonicTime] = [:]
    /// Entries of the table in use whose incarnation is dead for good and has no successor yet.
    var fencedCenters: [RouteEntry] = []
    /// Centers are not blamed for silence before this time.
    var graceUntil = MonotonicTime.zero
    /// The INVITE that is being received was counted against its source's rate before it got a transaction.
    var isAdmitted = false
    var isShuttingDown = false
    /// What the operator wants of this node, as the leading master's pings say.
    var order = AdministrativeState.enabled
    /// Which leading master counts.
    var leader = LeaderEpoch()
    /// New calls are refused, calls that are up go on.
    var refusesNewCalls: Bool { isShuttingDown || order != .enabled }
    public internal(set) var counters = AccessCounters()
    /// From INVITE to the 2xx that went back, of calls since `takeSetUpTimes`.
    private var setUpTimes: [Duration] = []
    private static let setUpTimeLimit = 100_000

    /// The event's time, and what it led to so far.
    var now = MonotonicTime.zero
    var outputs: [TransactionOutput] = []
    var actions: [AccessAction] = []
    /// Storage that is used again.
    var steps: [ResponseContext.Action] = []

    /// How to reach one center.
    struct CenterWays: Sendable {
        var center: CenterIndex
        var udp: Flow?
        var tcp: Flow?
    }

    /// - Parameters:
    ///   - table: to begin with: the last one from disk, or the profile's.
    ///   - tokens: seals the flows of callers that have no address of their own.
    public init(settings: AccessSettings, table: RouteTable?, tokens: FlowTokens, seed: UInt64, now: MonotonicTime) {
        self.settings = settings
        self.tokens = tokens
        listeners = Listeners(settings)
        ownTagPrefix = Array("\(settings.identity).".utf8)
        choiceNeedsNames = !settings.routing.lines.isEmpty || settings.routing.policy == .hash
        random = SeededRandom(seed: seed)
        let half = max(1, settings.transactionLimit / 2)
        transactions = TransactionLayer(
            timers: settings.timers, random: SeededRandom(seed: random.next()), serverLimit: half, clientLimit: half)
        proxy = ProxyCore(own: listeners.own, random: SeededRandom(seed: random.next()))
        chooser = RouteChooser(plan: settings.routing, timings: settings.passive)
        limiter = SourceRateLimiter(settings.rate, sourceLimit: settings.trackedSources)
        dialogLimiter = SourceRateLimiter(settings.dialogRate, sourceLimit: settings.trackedSources)
        if let table {
            _ = chooser.adopt(table, now: now)
            noteFenced(table)
        }
    }

    /// No request waits for its final response: the process may end.
    public var isIdle: Bool { forwards.openCount == 0 }
    /// The table in use.
    public var table: RouteTable? { chooser.table }

    public var report: AccessReport {
        let centers = chooser.table?.centers ?? []
        let suspected = centers.filter { entry in
            entry.sip.first.flatMap { chooser.center(at: $0) }.map { chooser.isSuspected($0) } ?? false
        }.map(\.name)
        return AccessReport(
            counters: counters, openRequests: forwards.openCount,
            transactions: transactions.serverCount + transactions.clientCount,
            transactionLimit: settings.transactionLimit, hasRoute: chooser.hasRoute, isDraining: refusesNewCalls,
            table: chooser.table.map { "\($0.storeID):\($0.leaderEpoch):\($0.generation)" }, suspected: suspected,
            down: centers.filter { $0.state == .down && !suspected.contains($0.name) }.map(\.name))
    }

    /// How long callers waited for their answers since this was asked last.
    public mutating func takeSetUpTimes() -> [Duration] {
        defer { setUpTimes.removeAll(keepingCapacity: true) }
        return setUpTimes
    }

    mutating func noteSetUp(_ time: Duration) {
        if setUpTimes.count < Self.setUpTimeLimit { setUpTimes.append(time) }
    }

    // MARK: Entrances

    public mutating func receive(
        _ message: consuming Message, on flow: Flow, now: MonotonicTime, into actions: inout [AccessAction]
    ) {
        begin(now, &actions)
        counters.countReceived(message)
        if !message.isRequest || admits(message, flow) {
            transactions.receive(message, on: flow, now: now, into: &outputs)
        }
        finish(&actions)
    }

    /// Answers what could not be parsed, if it can be answered, and counts it.
    public mutating func refuse(
        _ error: SIPParseError, on flow: Flow, now: MonotonicTime, into actions: inout [AccessAction]
    ) {
        guard error.problem != .keepAlive else { return }
        begin(now, &actions)
        if !settings.trusts(flow.remote.address), !settings.sources.permits(flow.remote.address) {
            counters.count(.source)
        } else {
            counters.count(.malformed)
            let tag = ownTag(random.hex(16))
            if let bytes = MessageWriter.response(to: error, toTag: tag, source: flow.remote) {
                send(bytes, error.responseFlow(on: flow))
            }
        }
        finish(&actions)
    }

    public mutating func handle(_ event: AccessEvent, now: MonotonicTime, into actions: inout [AccessAction]) {
        begin(now, &actions)
        switch event {
        case .unreachable(let flow): becameUnreachable(flow)
        case .closed(let flow): transactions.transportFailed(to: flow, now: now, into: &outputs)
        case .table(let table): adopt(table)
        case .starved: graceUntil = now + settings.firstResponse
        case .shutDown: isShuttingDown = true
        }
        finish(&actions)
    }

    /// When `fire(now:)` has work next.
    public mutating func nextDeadline() -> MonotonicTime? { earlier(transactions.nextDeadline()) }

    /// When to wake up for it: a little later, where work can be done together (`TransactionLayer.nextWakeUp`).
    public mutating func nextWakeUp() -> MonotonicTime? { earlier(transactions.nextWakeUp()) }

    /// That of a transaction, or of a silent center.
    private mutating func earlier(_ transaction: MonotonicTime?) -> MonotonicTime? {
        let silence = nextSilence()?.deadline
        guard let transaction else { return silence }
        guard let silence else { return transaction }
        return min(silence, transaction)
    }

    public mutating func fire(now: MonotonicTime, into actions: inout [AccessAction]) {
        begin(now, &actions)
        transactions.fire(now: now, into: &outputs)
        performOutputs()
        while let entry = nextSilence(), entry.deadline <= now {
            silences.removeFirst()
            stayedSilent(entry)
            performOutputs()
        }
        finish(&actions)
    }

    private mutating func begin(_ now: MonotonicTime, _ actions: inout [AccessAction]) {
        self.now = now
        swap(&self.actions, &actions)
    }

    private mutating func finish(_ actions: inout [AccessAction]) {
        performOutputs()
        swap(&self.actions, &actions)
    }

    // MARK: Dispatch

    /// Works off what the transaction layer wants done; more may come of it.
    private mutating func performOutputs() {
        var index = 0
        while index < outputs.count {
            perform(outputs[index])
            index += 1
        }
        outputs.removeAll(keepingCapacity: true)
    }

    private mutating func perform(_ output: TransactionOutput) {
        switch output {
        case .send(let bytes, let flow): send(bytes, flow)
        case .request(let id, let request, let flow): take(request, id, flow)
        case .ack(let ack, let flow): forwardACK(ack, flow)
        case .cancel(let id, let invite, let request, let flow): takeCANCEL(request, id, invite: invite, flow)
        case .response(let id, let response): take(response, of: id)
        case .lateAnswer(let id, let answer, let flow): endLateCall(answer, of: id, flow)
        case .refused(let request, let flow): refuseStatelessly(request, flow, .capacity, settings.retryAfter_s)
        case .timedOut(let id): fail(id, .timedOut(ForwardHandle.branch(ofContext: id.context)))
        case .transportFailed(let id): sendingFailed(id)
        case .clientEnded(let id):
            forwards.forget(ForwardHandle(context: id.context), branch: ForwardHandle.branch(ofContext: id.context))
            if !released.isEmpty { released[id] = nil }
        case .strayResponse: counters.count(.stray)
        case .unacknowledged, .responseFailed, .ended: break
        }
    }

    mutating func send(_ bytes: [UInt8], _ flow: Flow) {
        counters.countSent(bytes)
        actions.append(.send(bytes, flow))
    }

    /// A tag of this node's, so that what answers to it is known again.
    func ownTag(_ random: String) -> String { "\(settings.identity).\(random)" }
}
