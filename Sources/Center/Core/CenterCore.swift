import Menu
import Primitives
import Routing
import SIP
import Session
import Store

/// A center without its sockets, clock and store: messages, events and the passing of time in, actions out.
///
/// A call goes INVITE → ports → first checkpoint → 200 → menu → BYE → record. Every call is in `calls` from its INVITE
/// to its end; nothing else holds call state.
public struct CenterCore: Sendable {
    public internal(set) var settings: CenterSettings
    var transactions: TransactionLayer
    var calls = CallTable()
    var timers = TimerQueue<CenterTimer>()
    var random: SeededRandom
    private var setUps: TokenBucket
    var administrative: AdministrativeState = .enabled
    private(set) var isShuttingDown = false
    /// INVITEs that have no final response yet, for CANCEL.
    var ringing: [ServerTransactionID: CallHandle] = [:]
    var merged = MergedRequests()
    var parting = PartingDialogs()
    var unwritten = UnwrittenRecords()
    var retriesUnwritten = false
    /// Which leading master counts.
    var leader = LeaderEpoch()
    var peers = PeerList()
    var formerPeers = FormerPeers()
    var takeovers = TakeoverDesk()
    /// Calls of other centers whose callers have heard nothing of this one yet.
    var resuming: Set<CallHandle> = []
    /// Claimed sessions whose menu is on its way from the store, by its hash.
    var waitingForMenu: [String: [ClaimedSession]] = [:]
    /// Claimed sessions that become calls in the next rounds.
    var rebuilds = RebuildQueue()
    /// Menus that no line has now, the one that was kept last at the end.
    var formerMenus: [MenuDefinition] = []
    /// Calls on their way to peers, and those whose turn comes, the next one last.
    var giving: Set<CallHandle> = []
    var toGive: [CallHandle] = []
    var looksForGiving = false
    var lookedForStrays: MonotonicTime?
    /// Calls that peers give, until they are told that they may let go.
    var incoming: [SessionID: IncomingHandover] = [:]
    /// The format that all living centers read; the oldest that this one knows, until the store says who lives.
    var checkpointVersion = Checkpoint.readableVersions.lowerBound
    /// The store could not say which formats the others read.
    var formatsAreDue = false
    /// The others hold this incarnation for dead, and the new one is not there yet.
    private(set) var isFenced = false
    /// Whether it may speak at all, and what waits until it may.
    var standing = Standing()
    var held = HeldMessages()
    /// What the media loop was told last.
    var isMuted = false
    var foreign = ForeignRequests()
    var long = LongRequests()
    var doubts = BankDoubts()

    /// The event's time, and what it led to so far.
    var now = Moment(monotonic: .zero, wall: .epoch)
    var outputs: [TransactionOutput] = []
    var actions: [CenterAction] = []

    public init(settings: CenterSettings, seed: UInt64) {
        self.settings = settings
        random = SeededRandom(seed: seed)
        transactions = TransactionLayer(timers: settings.timers, random: SeededRandom(seed: random.next()))
        setUps = TokenBucket(settings.setUps)
    }

    public var callCount: Int { calls.count }
    /// No call is left, every BYE has its answer and every record has reached the store: the process may end.
    public var isIdle: Bool { calls.count == 0 && parting.unanswered == 0 && unwritten.isEmpty }
    /// What the node says of itself in answers to OPTIONS.
    public var state: NodeState {
        if isShuttingDown || isFenced { return .draining }
        return switch administrative {
        case .enabled: .up
        case .draining: .draining
        case .disabled: .disabled
        }
    }

    // MARK: Entrances

    public mutating func receive(
        _ message: consuming Message, on flow: Flow, at now: Moment, into actions: inout [CenterAction]
    ) {
        begin(now, &actions)
        transactions.receive(message, on: flow, now: now.monotonic, into: &outputs)
        finish(&actions)
    }

    public mutating func handle(_ event: CenterEvent, at now: Moment, into actions: inout [CenterAction]) {
        begin(now, &actions)
        switch event {
        case .mediaOpened(let handle, let endpoint): withCall(handle) { $0.mediaOpened(&$1, endpoint) }
        case .mediaRefused(let handle): withCall(handle) { $0.mediaRefused(&$1) }
        case .media(let handle, let event): withCall(handle) { $0.hear(event, in: &$1) }
        case .stored(let purpose, let reply): stored(purpose, reply)
        case .bank(let handle, let operation, let outcome):
            withCall(handle) { $0.bankAnswered(operation, outcome, in: &$1) }
        case .unreachable(let flow):
            if flow.connection != 0 { calls.forget(connection: flow.connection) }
            sayACKsByDatagram(to: flow)
            transactions.transportFailed(to: flow, now: now.monotonic, into: &outputs)
        case .menus(let menus):
            for (number, menu) in menus {
                if case .menu(let former)? = settings.lines[number], former.hash != menu.hash { keep(former) }
                settings.lines[number] = .menu(menu)
            }
        case .administered(let state): administrative = state
        case .fenced(let newIdentity):
            isFenced = true
            tellMedia()
            dropAllCalls()
            takeovers.clear()
            waitingForMenu = [:]
            rebuilds.removeAll()
            for session in incoming.keys.sorted() { answerHandover(of: session, 503) }
            isFenced = false
            beginIncarnation(newIdentity)
            tellMedia()
        case .stoodStill(let gap, let end, let hasBacklog):
            stoodStill(for: gap, until: end, hasBacklog: hasBacklog)
        case .caughtUp: standing.caughtUp()
        case .unwritten(let bytes, let flow, let since): handedBack(bytes, flow, since: since)
        case .shutDown:
            isShuttingDown = true
            give()
        case .endAllCalls:
            for handle in calls.handles {
                withCall(handle) { $0.hangUp(&$1, .operator, "the node ends", awaitsACK: false) }
            }
        }
        finish(&actions)
    }

    /// When `fire` has work. Asked once in each round, before the loop looks at its sockets: it bounds what is done
    /// between two looks.
    public mutating func nextDeadline() -> MonotonicTime? {
        rebuilds.beginTurn()
        let look = isFenced ? nil : standing.nextDeadline(isolation: settings.isolation)
        // What a node in doubt would do now it does when it is sure, or never.
        guard !standing.isUnconfirmed else { return look }
        if !rebuilds.isEmpty { return now.monotonic }
        return [transactions.nextDeadline(), timers.nextDeadline(), look].lazy.compactMap(\.self).min()
    }

    public mutating func fire(at now: Moment, into actions: inout [CenterAction]) {
        begin(now, &actions)
        lookAtStanding()
        guard !standing.isUnconfirmed else { return finish(&actions) }
        transactions.fire(now: now.monotonic, into: &outputs)
        performOutputs()
        while let timer = timers.popDue(at: now.monotonic) {
            switch timer {
            case .call(let handle, let timer):
                withCall(handle) { core, call in
                    call.timers[timer] = nil
                    core.fired(timer, in: &call)
                }
            case .unwrittenRecords: handInUnwritten()
            case .giving:
                looksForGiving = false
                give()
            case .incoming(let session): answerHandover(of: session, 200)
            case .takeover(let dead):
                perform(takeovers.look(at: dead, now: now.monotonic))
                lookForStrays()
            case .foreign(let id): lookAgain(id)
            case .bankDoubt(let id): askOfDoubt(id)
            }
            performOutputs()
        }
        rebuildWaiting()
        finish(&actions)
    }

    /// The live calls with what the console shows of them.
    public var liveCalls: [LiveCall] {
        var list: [LiveCall] = []
        list.reserveCapacity(calls.count)
        calls.forEach { call in
            var live = LiveCall(call.record)
            live.center = settings.identity.name
            live.menu = call.menu?.definition.name
            live.language = call.menu?.language
            live.authenticated = call.menu?.customer != nil
            list.append(live)
        }
        return list
    }

    /// This incarnation is dead to the others: its calls are theirs now, and new ones have to wait for the new
    /// incarnation (TAKEOVER.md, The old owner).
    mutating func findFenced() {
        guard !isFenced else { return }
        isFenced = true
        // Silence first: a stream that closes says goodbye.
        tellMedia()
        actions.append(.renewIdentity(dead: settings.identity))
        dropAllCalls()
        rebuilds.removeAll()
    }

    private mutating func dropAllCalls() {
        for handle in calls.handles { withCall(handle) { $0.dropWithoutOwnership(&$1) } }
    }

    private mutating func begin(_ now: Moment, _ actions: inout [CenterAction]) {
        self.now = now
        standing.begin(at: now.monotonic)
        swap(&self.actions, &actions)
    }

    private mutating func finish(_ actions: inout [CenterAction]) {
        performOutputs()
        holdBack()
        swap(&self.actions, &actions)
    }

    // MARK: Dispatch

    mutating func withCall(_ handle: CallHandle, _ work: (inout CenterCore, inout Call) -> Void) {
        guard var call = calls.checkOut(handle) else { return }
        work(&self, &call)
        if !call.isOver { saveIfDirty(&call) }
        calls.checkIn(consume call)
    }

    /// Works off what the transaction layer wants done; more may come of it.
    mutating func performOutputs() {
        var index = 0
        while index < outputs.count {
            let output = outputs[index]
            index += 1
            perform(output)
        }
        outputs.removeAll(keepingCapacity: true)
    }

    private mutating func perform(_ output: TransactionOutput) {
        switch output {
        case .send(let bytes, let flow): actions.append(.send(bytes, flow))
        case .request(let id, let request, let flow): receive(request, id, flow)
        case .ack(let ack, let flow): receiveACK(ack, flow)
        case .cancel(let id, let invite, let request, let flow): receiveCANCEL(request, id, invite: invite, flow)
        case .response(let id, let response): receive(response, to: id)
        case .refused(let request, let flow): refuseStatelessly(request, flow)
        case .timedOut(let id): requestFailed(id, status: 408)
        case .transportFailed(let id): requestFailed(id, status: 503)
        case .clientEnded(let id):
            parting.remove(id)
            passingEnded(id)
            long.remove(id)
        case .ended(let id):
            ringing[id] = nil
            merged.ended(id)
        case .lateAnswer, .strayResponse, .unacknowledged, .responseFailed: break
        }
    }

    // MARK: Timers

    mutating func schedule(_ timer: CallTimer, in call: inout Call, after delay: Duration) {
        cancel(timer, in: &call)
        call.timers[timer] = timers.schedule(.call(call.handle, timer), at: now.monotonic + delay)
    }

    mutating func cancel(_ timer: CallTimer, in call: inout Call) {
        if let token = call.timers.removeValue(forKey: timer) { timers.cancel(token) }
    }

    mutating func admitSetUp() -> Admission { setUps.admit(now: now.monotonic) }
}
