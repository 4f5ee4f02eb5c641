import HTTPKit
import Logging
import NetworkIO
import NodeRuntime
import Primitives
import Profiles
import Routing
import SIP
import Session
import Synchronization
import Telemetry

/// An access node as a process: one loop for SIP, SwiftNIO for connections, and a line to the masters.
public final class AccessNode: RunningNode {
    /// How long set-ups in progress may take when the node ends; answered calls do not need it.
    private static let drain: Duration = .seconds(5)

    private let identity: NodeIdentity
    private let profile: AccessProfile
    private let log: Logger
    private let loop: DatagramLoop<AccessHandler>
    private let streams: StreamTransport
    private let masters: MasterClient
    private let keeper: RouteTableKeeper
    private let published: PublishedReport

    /// Binds the listeners and takes calls, by the last table from disk or else the profile's centers.
    public static func start(
        _ profile: AccessProfile, state: StateDirectory, registry: MetricRegistry, log: Logger
    ) async throws(NodeFailure) -> AccessNode {
        let name = profile.common.name
        guard let identity = NodeIdentity.begin(name: name) else {
            throw .usage("\(name): name: found \"\(name)\", expected [a-z0-9-]+")
        }
        return try await AccessNode(profile, identity: identity, state: state, registry: registry, log: log)
    }

    private init(
        _ profile: AccessProfile, identity: NodeIdentity, state: StateDirectory, registry: MetricRegistry, log: Logger
    ) async throws(NodeFailure) {
        let settings = AccessSettings(profile, identity: identity)
        guard !settings.udp.isEmpty else {
            throw .usage("\(identity.name): sip.listen: found no UDP listener, expected at least one")
        }
        let key = try FlowKeyFile.loadOrMake(at: state.resolve(profile.flowKeyPath))
        let file = RouteTableFile(path: state.resolve("access/\(identity.name).routes.json"))
        let table = (profile.masters.isEmpty ? nil : file.read(log: log)) ?? profile.firstTable
        let core = AccessCore(
            settings: settings, table: table, tokens: FlowTokens(incarnation: identity.incarnation, key: key),
            seed: UInt64.random(in: .min ... .max), now: NodeClock.now())

        let masters = MasterClient(node: identity.name, masters: profile.masters, log: log)
        masters.holds(table)
        let keeper = RouteTableKeeper(file, log: log)
        let published = PublishedReport(core.report)
        let setUpTimes = NodeMetrics(registry).setupSeconds
        let late = LateMailbox<AccessMail>()
        do throws(SocketError) {
            let streams = StreamTransport(limits: StreamLimits(profile.common.sip.tcp)) { late.post(.stream($0)) }
            let around = AccessSurroundings(
                streams: streams,
                adopted: { table in
                    masters.holds(table)
                    keeper.keep(table)
                },
                report: { center, complaint in
                    log.notice("a center does not answer", metadata: ["center": "\(center)", "how": "\(complaint)"])
                    masters.report(center)
                }, published: published, setUpTimes: setUpTimes)
            var configuration = LoopConfiguration(name: "sip", listeners: settings.udp.map(\.local))
            configuration.mailboxCapacity = 65_536
            loop = try DatagramLoop.start(configuration) { _ in AccessHandler(core: core, around: around) }
            late.open(loop.mailbox)
            for (index, listener) in settings.tcp.enumerated() {
                try await streams.listen(listener.local, index: UInt16(index))
            }
            self.streams = streams
        } catch {
            throw .usage("\(identity.name): \(error)")
        }
        self.identity = identity
        self.profile = profile
        self.log = log
        self.masters = masters
        self.keeper = keeper
        self.published = published
        observe(registry)
        let mailbox = loop.mailbox
        masters.start { table in mailbox.post(.event(.table(table))) }
    }

    // MARK: Metrics

    private func observe(_ registry: MetricRegistry) {
        let (loop, published) = (loop, published)
        NodeMetrics(registry).mailboxDepth(loop: "sip") { loop.mailbox.depth }
        let messages = "tandem_sip_messages_total"
        for (index, kind) in AccessCounters.kinds.enumerated() {
            let help = "SIP requests and responses, by method of the request."
            registry.count(messages, help: help, labels: [Label("method", kind), Label("direction", "in")]) {
                published.value.counters.received[index]
            }
            registry.count(messages, help: help, labels: [Label("method", kind), Label("direction", "out")]) {
                published.value.counters.sent[index]
            }
        }
        for reason in RefusalReason.allCases {
            registry.count(
                "tandem_sip_rejected_total", help: "SIP messages that were not accepted, by why.",
                labels: [Label("reason", reason.label)]
            ) { published.value.counters.refused[reason.rawValue] }
        }
        registry.count("tandem_failovers_total", help: "Calls that were tried at a further center.") {
            published.value.counters.failovers
        }
        registry.count("tandem_late_answers_total", help: "Answers of centers given up before, ended by access.") {
            published.value.counters.lateAnswers
        }
        registry.value("tandem_transactions", help: "SIP transactions held, lingering ones included.") {
            Double(published.value.transactions)
        }
        registry.value("tandem_open_requests", help: "Forwarded requests that wait for their final response.") {
            Double(published.value.openRequests)
        }
        registry.count("tandem_datagrams_dropped_total", help: "Datagrams that came faster than they were taken.") {
            UInt64(max(0, loop.droppedByKernel))
        }
    }

    // MARK: Running

    /// What the node does now, at most a quarter of a second old.
    public var report: AccessReport { published.value }

    public func health() async -> HealthReport {
        var health = HealthReport(node: identity.name, role: "access", incarnation: identity.incarnation)
        let report = report
        if !report.hasRoute {
            health.canServe = false
            health.degraded.append("no center takes calls")
        }
        for center in report.suspected { health.degraded.append("\(center) does not answer and is left out") }
        for center in report.down { health.degraded.append("\(center) is down by the masters' table") }
        if report.isDraining { health.degraded.append("takes no new calls") }
        if !masters.isHeard {
            health.degraded.append("no master answers; table \(report.table ?? "none") stays in use")
        }
        health.lacks = report.suspected + report.down + (masters.isHeard ? [] : [NodeRole.master.rawValue])
        if report.transactions >= report.transactionLimit {
            health.degraded.append("at its limit of \(report.transactionLimit) transactions")
        }
        return health
    }

    public func drainAndStop() async {
        loop.mailbox.post(.event(.shutDown))
        let deadline = ContinuousClock.now + Self.drain
        repeat {
            try? await Task.sleep(for: .milliseconds(300))
        } while ContinuousClock.now < deadline && report.openRequests > 0
        await stop()
    }

    /// Ends at once.
    public func stop() async {
        masters.stop()
        loop.stop()
        await loop.waitUntilStopped()
        await streams.stop()
        await keeper.stop()
    }
}
