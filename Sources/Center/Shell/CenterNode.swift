import Banking
import Foundation
import HTTPKit
import Logging
import Media
import MediaPlane
import Menu
import NetworkIO
import NodeRuntime
import Primitives
import Profiles
import Prompts
import SIP
import Session
import Speech
import Store
import Synchronization
import Telemetry

/// A center as a process: its loops, media, store and bank around the core.
public final class CenterNode: RunningNode {
    private let profile: CenterProfile
    private let folder: String
    private let state: StateDirectory
    private let log: Logger
    private let loop: DatagramLoop<CenterHandler>
    private let streams: StreamTransport
    private let media: MediaLoop
    private let store: any ClosableStore
    private let heartbeat: Heartbeat
    let library: LibraryInUse
    private let duties: StoreDuties
    /// Why the menus and prompts of the last SIGHUP were refused; nil while all is as the files have it.
    private let refusal = Mutex<String?>(nil)

    /// Brings a center up: prompts spoken and loaded, sockets bound, store opened, then calls are taken.
    ///
    /// - Parameter file: the profile's path; menus and prompt files are relative to its folder.
    public static func start(
        _ profile: CenterProfile, file: String, state: StateDirectory, registry: MetricRegistry, log: Logger
    ) async throws(NodeFailure) -> CenterNode {
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent().path
        guard let identity = NodeIdentity.begin(name: profile.common.name) else {
            throw .usage("\(file): name: found \"\(profile.common.name)\", expected [a-z0-9-]+")
        }
        let voice = try await CenterVoice.load(profile, folder: folder, state: state) { done, total in
            if done == 1 || done % 50 == 0 || done == total {
                log.notice("speaking prompts", metadata: ["done": "\(done)", "of": "\(total)"])
            }
        }
        return try await CenterNode(
            profile, identity: identity, folder: folder, state: state, voice: voice, registry: registry, log: log)
    }

    private init(
        _ profile: CenterProfile, identity: NodeIdentity, folder: String, state: StateDirectory, voice: CenterVoice,
        registry: MetricRegistry, log: Logger
    ) async throws(NodeFailure) {
        let metrics = NodeMetrics(registry)
        let batches = metrics.storeBatchSeconds
        let store = openStore(profile.common.store, in: state, rules: BankRules(profile.bank)) { duration, _ in
            batches.record(duration)
        }
        let (bank, duties) = try await Self.openBank(profile, store: store, state: state, log: log)
        var options = MediaStream.Options()
        options.allowsNAT = profile.media.allowsNAT
        options.timeout = profile.media.timeout
        options.inBandDigits = profile.media.hearsTones

        let library = LibraryInUse(voice.prompts.library)
        let lateHeartbeat = LateHeartbeat()
        let core = CenterCore(
            settings: CenterSettings(profile, identity: identity, voice: voice, library: library),
            seed: UInt64.random(in: .min ... .max))
        let late = LateMailbox()
        do throws(SocketError) {
            let staleness = StreamStaleness(limit: Standing.standstill) { bytes, flow, since in
                late.post(.event(.unwritten(bytes, flow, since: since)))
            }
            let streams = StreamTransport(limits: StreamLimits(profile.common.sip.tcp), staleness: staleness) { event in
                late.post(.stream(event))
            }
            var audio = MediaLoopConfiguration(
                name: "media", streamLimit: profile.limits.calls + profile.limits.setUps.burst, stream: options)
            audio.mutesAfterStandstill = Standing.standstill
            let media = try MediaLoop.start(
                audio,
                ports: PortPool(
                    address: profile.media.address, first: profile.media.ports.first, last: profile.media.ports.last,
                    startingAt: UInt64.random(in: .min ... .max)),
                library: voice.prompts.library, seed: UInt64.random(in: .min ... .max),
                standstill: { gap, end in late.post(.event(.stoodStill(gap, until: end, hasBacklog: false))) }
            ) { id, event in late.post(.media(id, event)) }
            var configuration = LoopConfiguration(
                name: "sip", listeners: profile.common.sip.listeners.filter { $0.transport == .udp }.map(\.endpoint))
            configuration.mailboxCapacity = 65_536
            let counted = CenterMetrics(metrics, log: log)
            let music = voice.prompts.library.id(ClipName(ClipReference.holdMusic))
            let mediaAddress = profile.media.advertise
            loop = try DatagramLoop.start(configuration) { mailbox in
                CenterHandler(
                    core: core,
                    around: CenterSurroundings(
                        mailbox: mailbox, streams: streams, media: media, mediaAddress: mediaAddress, store: store,
                        bank: bank, music: music, metrics: counted,
                        renewIdentity: { dead in lateHeartbeat.renew(dead) }))
            }
            late.open(loop.mailbox)
            for (index, listener) in profile.common.sip.tcpListeners {
                try await streams.listen(listener.endpoint, index: index)
            }
            self.streams = streams
            self.media = media
        } catch {
            throw .usage("\(profile.common.name): \(error)")
        }

        let process = ProcessIdentity.current()
        heartbeat = Heartbeat(
            NodeRegistration(
                identity: identity, role: .center, pid: process?.pid ?? 0, processStart: process?.startTicks ?? 0,
                httpAddress: profile.common.http.description),
            in: store
        ) { next in
            log.notice(
                "this incarnation was marked dead; going on as a new one",
                metadata: ["incarnation": "\(next.incarnation)"])
            late.post(.event(.fenced(newIdentity: next)))
        }
        lateHeartbeat.open(heartbeat)
        self.profile = profile
        self.folder = folder
        self.state = state
        self.store = store
        self.log = log
        self.library = library
        self.duties = duties
        observe(metrics)
        keepMenus(voice.menus)
    }

    /// The ledger under the key file; another store's key is refused before any call is taken.
    private static func openBank(
        _ profile: CenterProfile, store: any ClosableStore, state: StateDirectory, log: Logger
    ) async throws(NodeFailure) -> (LedgerBank, StoreDuties) {
        let path = state.resolve(profile.pinKeyPath)
        let key: PINKey
        do throws(PINKeyFileError) { key = try PINKeyFile.loadOrCreate(at: path) } catch {
            throw .usage("\(profile.common.name): pin_key: \(error)")
        }
        let bank = LedgerBank(store: store, key: key)
        let duties = StoreDuties(
            store: store, bank: bank, key: key, seedsCustomers: profile.bank.hasDemoCustomers, log: log)
        switch await duties.perform() {
        case .wrongKey(let expected):
            throw .usage(
                "\(profile.common.name): pin_key: found key \(key.id) in \(path), expected key \(expected) of the store: copy the key file of the other centers"
            )
        case .unavailable(let trouble):
            if trouble.kind == .schema { throw .usage("\(profile.common.name): store: \(trouble.detail)") }
            log.warning("the store is away", metadata: ["reason": "\(trouble)"])
        default: break
        }
        return (bank, duties)
    }

    private func observe(_ metrics: NodeMetrics) {
        let loop = loop
        let media = media
        metrics.mailboxDepth(loop: "sip") { loop.mailbox.depth }
        metrics.mailboxDepth(loop: "media") { media.mailboxDepth }
        metrics.registry.count(
            "tandem_rtp_packets_total", help: "RTP packets.", labels: [Label("direction", "in")]
        ) { media.counters.packetsReceived.load(ordering: .relaxed) }
        metrics.registry.count(
            "tandem_rtp_packets_total", help: "RTP packets.", labels: [Label("direction", "out")]
        ) { media.counters.packetsSent.load(ordering: .relaxed) }
        let rejected = "Telephone-events that gave no digit (RFC 4733), packet by packet, by why."
        metrics.registry.count(
            "tandem_digits_rejected_total", help: rejected, labels: [Label("reason", "out-of-range")]
        ) { media.counters.eventsOutOfRange.load(ordering: .relaxed) }
        metrics.registry.count("tandem_digits_rejected_total", help: rejected, labels: [Label("reason", "late")]) {
            media.counters.eventsLate.load(ordering: .relaxed)
        }
        metrics.registry.count("tandem_rtp_late_total", help: "RTP packets that left after their time.") {
            media.counters.late.load(ordering: .relaxed)
        }
    }

    /// Every center can then load the menu of any live call (TAKEOVER.md, Checkpoints).
    private func keepMenus(_ menus: [String: MenuDefinition]) {
        duties.keep(
            menus.values.compactMap { menu in
                (try? JSONEncoder().encode(menu.source)).map { (menu.hash, Array($0)) }
            })
    }

    // MARK: Running

    public func report() async -> CenterReport? {
        await withCheckedContinuation { continuation in
            let isTaken = loop.mailbox.post(.report { continuation.resume(returning: $0) })
            if !isTaken { continuation.resume(returning: nil) }
        }
    }

    /// The calls that this node holds.
    public func liveCalls() async -> [LiveCall] {
        await withCheckedContinuation { continuation in
            let isTaken = loop.mailbox.post(.liveCalls { continuation.resume(returning: $0) })
            if !isTaken { continuation.resume(returning: []) }
        }
    }

    public func health() async -> HealthReport {
        let identity = heartbeat.identity
        var health = HealthReport(node: identity.name, role: "center", incarnation: identity.incarnation)
        if let trouble = store.health.trouble { health.degraded.append("store: \(trouble)") }
        if store.health.dropped > 0 { health.degraded.append("\(store.health.dropped) checkpoints were given up") }
        health.degraded += duties.degraded
        if let refusal = refusal.withLock({ $0 }) {
            health.degraded.append("menus and prompts as before, the changed ones were refused: \(refusal)")
        }
        guard let report = await report() else {
            health.canServe = false
            health.degraded.append("the SIP loop takes no messages")
            return health
        }
        if report.state != .up { health.degraded.append("takes no new calls: \(report.state.rawValue)") }
        if report.calls >= report.limit { health.degraded.append("at its limit of \(report.limit) calls") }
        return health
    }

    /// Menus, prompt texts and recordings are read again: changed ones serve new calls, broken ones are refused and all
    /// of the old ones stay.
    public func reload() async {
        do throws(NodeFailure) {
            let voice = try await CenterVoice.load(
                profile, folder: folder, state: state, succeeding: library.library)
            // Before the core may ask for one of its clips.
            guard media.use(voice.prompts.library) else { throw .failed("the media loop takes no more commands") }
            library.replace(with: voice.prompts.library)
            keepMenus(voice.menus)
            loop.mailbox.post(.event(.menus(voice.menus)))
            refusal.withLock { $0 = nil }
            log.notice(
                "menus and prompts read again",
                metadata: ["menus": "\(voice.menus.values.map(\.name).sorted().joined(separator: ","))"])
        } catch {
            refusal.withLock { $0 = error.lines.first ?? "unknown" }
            for line in error.lines {
                log.error("menus and prompts refused, the old ones stay", metadata: ["problem": "\(line)"])
            }
        }
    }

    public func drainAndStop() async {
        loop.mailbox.post(.event(.shutDown))
        log.notice("draining", metadata: ["seconds": "\(profile.drain.components.seconds)"])
        await wait(for: profile.drain) { $0.calls == 0 }
        loop.mailbox.post(.event(.endAllCalls))
        // The BYEs leave and the records reach the store.
        await wait(for: .seconds(2)) { $0.isIdle }
        heartbeat.stop()
        duties.stop()
        loop.stop()
        await loop.waitUntilStopped()
        media.stop()
        await media.waitUntilStopped()
        await streams.stop()
        await store.close()
    }

    /// Until the report says so, or the time is over, or the loop is gone.
    private func wait(for limit: Duration, until holds: (CenterReport) -> Bool) async {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline, let report = await report(), !holds(report) {
            try? await Task.sleep(for: .milliseconds(100))
        }
    }
}

/// The heartbeat, which begins after the loop that may ask it for a new identity. Before it nothing was registered, so
/// nobody can hold the node for dead.
private final class LateHeartbeat: Sendable {
    private let heartbeat = Mutex<Heartbeat?>(nil)

    func open(_ heartbeat: Heartbeat) { self.heartbeat.withLock { $0 = heartbeat } }
    func renew(_ dead: NodeIdentity) { heartbeat.withLock { $0 }?.renew(dead) }
}

/// The way into a loop that is not there yet when its sources are made: what comes before it opens is refused.
final class LateMailbox: Sendable {
    private let mailbox = Mutex<Mailbox<CenterMail>?>(nil)

    func open(_ mailbox: Mailbox<CenterMail>) { self.mailbox.withLock { $0 = mailbox } }

    @discardableResult
    func post(_ mail: CenterMail) -> Bool { mailbox.withLock { $0 }?.post(mail) ?? false }
}
