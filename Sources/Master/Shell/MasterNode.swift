import HTTPKit
import Logging
import NetworkIO
import NodeRuntime
import Primitives
import Profiles
import Routing
import SIP
import Session
import Store
import Synchronization
import Telemetry

/// A master as a process: its loop, the store, and what it serves by HTTP, around the core.
public final class MasterNode: RunningNode {
    public let identity: NodeIdentity
    let desk: MasterDesk
    private let profile: MasterProfile
    private let token: BearerToken
    private let log: Logger
    private let loop: DatagramLoop<MasterHandler>
    private let streams: StreamTransport
    /// Where SIP is taken by TCP, with the ports that were bound.
    let streamEndpoints: [Endpoint]
    private let heartbeat: Heartbeat
    private let lostSessions: LostSessions
    private let watches: [Task<Void, Never>]
    private let isDuplicate: DuplicateFlag
    private let closeStore: @Sendable () async -> Void

    /// How often a master looks into the store, and what tests make shorter.
    struct Timings: Sendable {
        var look: Duration = .seconds(1)
        var prune: Duration = .seconds(5)
        /// How long an access node waits for a new table at most.
        var longPoll: Duration = .seconds(20)
    }

    /// Brings a master up: sockets bound, store opened, then nodes are pinged and calls redirected.
    ///
    /// - Parameter file: the profile's path, for messages.
    public static func start(
        _ profile: MasterProfile, file: String, state: StateDirectory, registry: MetricRegistry, log: Logger
    ) async throws(NodeFailure) -> MasterNode {
        let batches = NodeMetrics(registry).storeBatchSeconds
        let token: BearerToken
        do throws(TokenFileError) { token = try BearerToken.load(orMakeAt: state.resolve(profile.tokenPath)) } catch {
            throw .usage("\(file): api.token: \(error)")
        }
        let store = openStore(profile.common.store, in: state) { duration, _ in batches.record(duration) }
        return try await MasterNode(
            profile, file: file, store: store, state: state, token: token, registry: registry, log: log
        ) { await store.close() }
    }

    init(
        _ profile: MasterProfile, file: String, store: any Store, state: StateDirectory, token: BearerToken,
        registry: MetricRegistry, log: Logger, timings: Timings = Timings(),
        closeStore: @escaping @Sendable () async -> Void = {}
    ) async throws(NodeFailure) {
        guard let identity = NodeIdentity.begin(name: profile.common.name) else {
            throw .usage("\(file): name: found \"\(profile.common.name)\", expected [a-z0-9-]+")
        }
        let sip = profile.common.sip
        guard let first = sip.listeners.first else {
            throw .usage("\(file): sip.listen: found nothing, expected at least one listener")
        }
        let now = NodeClock.now()
        let metrics = NodeMetrics(registry)
        let counted = MasterMetrics(metrics)
        let feed = EventFeed()
        let alarms = AlarmDesk(feed: feed, log: log) { WallTime.now() }
        let table = Published<RouteTable?>(nil)
        let core = MasterCore(MasterSettings(profile, identity: identity), now: now, wall: WallTime.now())
        let seed = UInt64.random(in: .min ... .max)
        let redirects = RedirectServer(
            identity: identity, timers: TransactionTimers(t1: sip.t1, t2: sip.t2, t4: sip.t4), seed: seed)
        let pings = PingDesk(
            identity: identity, host: sip.advertise ?? first.endpoint.address.description, port: first.endpoint.port,
            seed: seed &+ 1)

        let late = LateMailbox<MasterMail>()
        let streams = StreamTransport(limits: StreamLimits(sip.tcp)) { event in late.post(.stream(event)) }
        let takeovers = TakeoverDesk(feed: feed, alarms: alarms, metrics: counted, log: log)
        let closer = SessionCloser(store: store, identity: identity) { WallTime.now() }
        let lost = LostSessions(closer) { dead, reason, outcome in
            takeovers.lost(dead, reason, outcome)
            late.post(.event(.closed(dead, lost: outcome.lost)))
        }
        var bound: [Endpoint] = []
        do throws(SocketError) {
            var configuration = LoopConfiguration(
                name: "sip", listeners: sip.listeners.filter { $0.transport == .udp }.map(\.endpoint))
            configuration.reportedGap = max(.milliseconds(100), profile.detection.starvation)
            configuration.socketLimit = max(256, profile.nodes.count)
            let powerSwitch = PowerSwitch(store: store, state: state, machine: .current, log: log)
            let masters = profile.nodes.filter { $0.role == .master && $0.name != identity.name }
            let elsewhere = Dictionary(
                masters.compactMap { node in node.http.map { (node.name, $0) } },
                uniquingKeysWith: { first, _ in first })
            loop = try DatagramLoop.start(configuration) { mailbox in
                MasterHandler(
                    core: core, redirects: redirects, pings: pings,
                    around: MasterSurroundings(
                        mailbox: mailbox, streams: streams, store: store, table: table, feed: feed, alarms: alarms,
                        metrics: counted, lostSessions: lost, takeovers: takeovers,
                        witnesses: WitnessDesk(masters: elsewhere, token: token, mailbox: mailbox),
                        powerSwitch: powerSwitch, log: log), now: now)
            }
            late.open(loop.mailbox)
            for (index, listener) in sip.listeners.filter({ $0.transport == .tcp }).enumerated() {
                bound.append(try await streams.listen(listener.endpoint, index: UInt16(clamping: index)))
            }
            streamEndpoints = bound
        } catch {
            lost.stop()
            throw .usage("\(profile.common.name): \(error)")
        }

        let process = ProcessIdentity.current()
        let flag = DuplicateFlag()
        let beat = Heartbeat(
            NodeRegistration(
                identity: identity, role: .master, pid: process?.pid ?? 0, processStart: process?.startTicks ?? 0,
                httpAddress: profile.common.http.description),
            in: store
        ) { _ in
            // Only a process of the same name fences a master, by registering: two would take the name in turns.
            flag.raise()
            alarms.raise(.duplicate, .critical, node: identity.name, "another process runs as \(identity.name)")
            log.critical("another process runs under this name; end one of the two")
        }
        flag.stops(beat)
        let mailbox = loop.mailbox
        let watch = StoreWatch(store: store, mailbox: mailbox) { WallTime.now() }
        let calls = CallWatch(store: store, feed: feed)
        let losses = LossWatch(store: store, alarms: alarms) { WallTime.now() }
        let history = HistoryPruning(store: store, keep: profile.keep, clock: { WallTime.now() }) { lost.currentTerm }
        watches = [
            Task { await watch.run(every: timings.look) }, Task { await calls.run(every: timings.look) },
            Task { await losses.run(every: timings.look) }, Task { await history.run(every: timings.prune) },
        ]
        desk = MasterDesk(
            identity: identity, store: store, feed: feed, alarms: alarms, calls: calls, table: table,
            mailbox: mailbox,
            peers: Dictionary(
                profile.nodes.compactMap { node in node.http.map { (node.name, $0) } },
                uniquingKeysWith: { first, _ in first }),
            trusted: sip.trusted, longPoll: timings.longPoll)
        metrics.mailboxDepth(loop: "sip") { mailbox.depth }
        heartbeat = beat
        isDuplicate = flag
        lostSessions = lost
        self.streams = streams
        self.identity = identity
        self.profile = profile
        self.token = token
        self.log = log
        self.closeStore = closeStore
    }

    /// Where SIP is taken by UDP, with the ports that were bound.
    var endpoints: [Endpoint] { loop.endpoints }

    // MARK: Running

    public func addRoutes(to routes: WebRoutes) throws(NodeFailure) {
        MasterAPI(desk: desk, token: token).add(to: routes)
        RouteTableService(desk: desk, token: token).add(to: routes)
    }

    public func health() async -> HealthReport {
        var health = HealthReport(node: identity.name, role: "master", incarnation: identity.incarnation)
        if let trouble = desk.store.health.trouble { health.degraded.append("store: \(trouble)") }
        if isDuplicate.isRaised {
            health.canServe = false
            health.degraded.append("another process runs under this name")
        }
        guard let report = await desk.report() else {
            health.canServe = false
            health.degraded.append("the SIP loop takes no messages")
            return health
        }
        for node in report.nodes where !node.state.lives {
            health.degraded.append("\(node.name) is down: \(node.reason)")
        }
        return health
    }

    /// The lead is given up at once, so that another master need not wait for the lease to end.
    public func drainAndStop() async {
        let term = lostSessions.currentTerm
        lostSessions.stop()
        for watch in watches { watch.cancel() }
        heartbeat.stop()
        desk.feed.close()
        loop.stop()
        await loop.waitUntilStopped()
        await streams.stop()
        if let term { _ = await desk.store.submit(.releaseLease(term)) }
        await closeStore()
    }
}

/// Raised when the store takes this incarnation for dead; then the heartbeat must not go on under another one.
private final class DuplicateFlag: Sendable {
    private struct State: Sendable {
        var isRaised = false
        var heartbeat: Heartbeat?
    }
    private let state = Mutex(State())

    var isRaised: Bool { state.withLock { $0.isRaised } }

    func raise() {
        state.withLock { state in
            state.isRaised = true
            state.heartbeat?.stop()
        }
    }

    func stops(_ heartbeat: Heartbeat) {
        state.withLock { state in
            state.heartbeat = heartbeat
            if state.isRaised { heartbeat.stop() }
        }
    }
}

extension StreamLimits {
    fileprivate init(_ limits: TCPLimits) {
        self.init()
        connections = limits.connections
        idleTime = limits.idle
        connectTime = limits.connect
    }
}
