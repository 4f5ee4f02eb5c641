import Access
import Center
import Master
import Media
import Primitives
import Routing
import SDP
import SIP
import Session

/// When a node wants to be woken next.
struct Alarm {
    private var token: TimerToken?
    private var at: MonotonicTime?

    mutating func set(
        _ node: NodeName, _ deadline: MonotonicTime?, now: MonotonicTime, in events: inout TimerQueue<WorldEvent>
    ) {
        let deadline = deadline.map { max($0, now) }
        guard deadline != at else { return }
        if let token { events.cancel(token) }
        token = deadline.map { events.schedule(.wake(node), at: $0) }
        at = deadline
    }

    mutating func rang() { at = nil }
}

/// Access with its core, as its loop would drive it.
struct AccessNode {
    let index: Int
    var process = Process()
    private(set) var core: AccessCore
    var actions: [AccessAction] = []
    var alarm = Alarm()
    /// The centers by the table in use, in words.
    var states = ""

    var address: Endpoint { Places.access(index) }

    init(index: Int, seed: UInt64, attempts: Int) {
        self.index = index
        core = Self.core(index, life: 1, table: nil, attempts: attempts, seed: seed, now: .zero)
    }

    /// A new process, with the table that the last one kept on disk.
    mutating func start(seed: UInt64, attempts: Int, now: MonotonicTime) {
        process.start(at: now)
        core = Self.core(index, life: process.life, table: core.table, attempts: attempts, seed: seed, now: now)
        actions = []
    }

    private static func core(
        _ index: Int, life: Int, table: RouteTable?, attempts: Int, seed: UInt64, now: MonotonicTime
    ) -> AccessCore {
        var settings = AccessSettings(
            identity: NodeNames.identity(Places.accessNames[index], life: life),
            udp: [.init(Places.access(index))], attempts: attempts,
            trusted: NodeNames.trusted, sources: .init(allowed: NodeNames.everybody))
        settings.rate = RateLimit(perSecond: 500, burst: 1_000)
        let ofProfile = RouteTable(
            profileCenters: Places.centerNames.enumerated().map { at, name in
                RouteEntry(name: name, sip: [Places.center(at)], state: .up)
            })
        // Not a secret here: nobody but the simulated callers sees tokens. All nodes of the group have the same key.
        let tokens = FlowTokens(incarnation: "1") { bytes in
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            var seal: [UInt8] = []
            for round in 0..<16 as Range<UInt8> {
                for byte in bytes + [round] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
                seal.append(UInt8(truncatingIfNeeded: hash >> 24))
            }
            return seal
        }
        return AccessCore(settings: settings, table: table ?? ofProfile, tokens: tokens, seed: seed, now: now)
    }

    mutating func receive(_ bytes: [UInt8], on flow: Flow, _ parser: MessageParser, at now: MonotonicTime) {
        do throws(SIPParseError) {
            core.receive(try parser.parse(bytes, transport: .udp), on: flow, now: now, into: &actions)
        } catch {
            core.refuse(error, on: flow, now: now, into: &actions)
        }
    }

    mutating func handle(_ event: AccessEvent, at now: MonotonicTime) {
        core.handle(event, now: now, into: &actions)
    }

    mutating func fire(at now: MonotonicTime) { core.fire(now: now, into: &actions) }
    mutating func nextDeadline() -> MonotonicTime? { core.nextDeadline() }
}

/// A center's process: its core while it lives, and the streams of its calls.
struct CenterNode {
    static let longestCall: Duration = .seconds(150)

    struct Stream {
        var port: UInt16
        var agreement: MediaAgreement?
        var playing: UInt64?
        var heard: Heard?
        /// Packets leave for the caller.
        var isFlowing = false
    }

    let index: Int
    let name: String
    var process = Process()
    var core: CenterCore?
    /// Counts incarnations, of which one process may have several.
    var incarnations = 0
    var identity: NodeIdentity
    var isRegistered = false
    var actions: [CenterAction] = []
    var alarm = Alarm()
    var streams: [CallHandle: Stream] = [:]
    var callOfPort: [UInt16: CallHandle] = [:]
    var nextPort: UInt16 = 10_000
    /// Nothing leaves the media plane.
    var isMuted = false
    var mediaStoodStillUntil = MonotonicTime.zero
    /// Others may have fenced it meanwhile, and nobody has said yet that they did not.
    var isInDoubt = false
    /// The incarnation that asks for its successor.
    var dying: NodeIdentity?
    /// Calls that it takes at most.
    var callLimit = 2_000
    private var isFull = false
    private var lastFull: MonotonicTime?

    init(index: Int) {
        self.index = index
        name = Places.centerNames[index]
        identity = NodeNames.identity(name, life: 0)
    }

    var endpoint: Endpoint { Places.center(index) }
    var mediaAddress: IPAddress { endpoint.address }

    mutating func receive(_ bytes: [UInt8], on flow: Flow, _ parser: MessageParser, at now: Moment) {
        do throws(SIPParseError) {
            core?.receive(try parser.parse(bytes, transport: .udp), on: flow, at: now, into: &actions)
        } catch {
            core?.refuse(error, on: flow, into: &actions)
        }
    }

    mutating func handle(_ event: CenterEvent, at now: Moment) { core?.handle(event, at: now, into: &actions) }
    mutating func fire(at now: Moment) { core?.fire(at: now, into: &actions) }

    mutating func beginIncarnation() {
        incarnations += 1
        identity = NodeNames.identity(name, life: incarnations)
        isRegistered = false
        isInDoubt = false
    }

    // MARK: Room

    /// After each event: whether there is room for one more call.
    mutating func noteRoom(at now: MonotonicTime) {
        let wasFull = isFull
        isFull = core.map { $0.callCount >= callLimit } ?? false
        if isFull || wasFull { lastFull = now }
    }

    /// At any time since then it had as many calls as it takes.
    func wasFull(since: MonotonicTime) -> Bool { isFull || lastFull.map { $0 >= since } ?? false }

    mutating func openPort(_ handle: CallHandle) -> UInt16? {
        for _ in 0..<5_000 {
            let port = nextPort
            nextPort = nextPort >= 19_998 ? 10_000 : nextPort + 2
            guard callOfPort[port] == nil else { continue }
            callOfPort[port] = handle
            streams[handle] = Stream(port: port)
            return port
        }
        return nil
    }

    /// Streams in the order of their ports: what is done to all must be done in an order that a seed replays.
    var orderedStreams: [(handle: CallHandle, stream: Stream)] {
        streams.sorted { $0.value.port < $1.value.port }.map { ($0.key, $0.value) }
    }
}

/// A master with its core and its redirects; pings as its shell writes them.
struct MasterNode {
    let index: Int
    var process = Process()
    private(set) var core: MasterCore
    private var redirects: RedirectServer
    var effects: [RedirectServer.Effect] = []
    var identity: NodeIdentity
    var actions: [MasterAction] = []
    var alarm = Alarm()
    var random: SeededRandom
    var epoch: UInt64?
    var isRegistered = false
    /// What it closes as lost now.
    var closings: [NodeIdentity: Closing] = [:]
    /// The table that each access node took from here last.
    var delivered: [Int: RouteTable] = [:]

    struct Closing: Sendable {
        /// Sessions that are worked on.
        var open = 1
        var lost = 0
        /// The store did all that was asked of the last list.
        var isComplete = true
    }

    /// Of each dead incarnation: how many calls the core was told that are lost.
    var losses: [NodeIdentity: Int] = [:]

    var address: Endpoint { Places.master(index) }

    init(index: Int, seed: UInt64) {
        self.index = index
        random = SeededRandom(seed: seed)
        identity = NodeNames.identity(Places.masterNames[index], life: 1)
        core = Self.core(identity, now: .zero, wall: World.wallBase)
        redirects = RedirectServer(identity: identity, timers: .standard, seed: random.next())
    }

    mutating func start(now: MonotonicTime, wall: WallTime) {
        process.start(at: now)
        identity = NodeNames.identity(Places.masterNames[index], life: process.life)
        core = Self.core(identity, now: now, wall: wall)
        redirects = RedirectServer(identity: identity, timers: .standard, seed: random.next())
        actions = []
        effects = []
        delivered = [:]
        closings = [:]
        losses = [:]
        epoch = nil
        isRegistered = false
    }

    private static func core(_ identity: NodeIdentity, now: MonotonicTime, wall: WallTime) -> MasterCore {
        let nodes =
            Places.centerNames.enumerated().map {
                WatchedNode(name: $0.element, role: .center, sip: [Places.center($0.offset)])
            }
            + Places.accessNames.enumerated().map {
                WatchedNode(name: $0.element, role: .access, sip: [Places.access($0.offset)])
            }
            + Places.masterNames.enumerated().map {
                WatchedNode(name: $0.element, role: .master, sip: [Places.master($0.offset)])
            }
        var settings = MasterSettings(identity: identity, nodes: nodes)
        settings.detection.rampUp = .seconds(3)
        return MasterCore(settings, now: now, wall: wall)
    }

    mutating func receive(_ bytes: [UInt8], on flow: Flow, _ parser: MessageParser, at now: MonotonicTime) {
        do throws(SIPParseError) {
            redirects.receive(
                try parser.parse(bytes, transport: .udp), on: flow, now: now, core: &core, into: &effects)
        } catch {
            redirects.refuse(error, on: flow, into: &effects)
        }
    }

    mutating func handle(_ event: MasterEvent, at now: MonotonicTime) { core.handle(event, now: now, into: &actions) }

    mutating func fire(at now: MonotonicTime) {
        core.fire(now: now, into: &actions)
        redirects.fire(now: now, core: &core, into: &effects)
    }

    mutating func nextDeadline() -> MonotonicTime {
        min(core.nextDeadline(), redirects.nextDeadline() ?? .distantFuture)
    }

    mutating func setClock(wall: WallTime, now: MonotonicTime) { core.setClock(wall: wall, now: now) }

    /// Leads, as far as it knows.
    var isLeading: Bool { core.standing.writingEpoch != nil }
}

enum NodeNames {
    static let trusted = [CIDR("10.0.0.0/24")].compactMap { $0 }
    static let everybody = [CIDR("0.0.0.0/0")].compactMap { $0 }

    static func identity(_ name: String, life: Int) -> NodeIdentity {
        guard let identity = NodeIdentity(name: name, incarnation: String(life, radix: 36)) else {
            preconditionFailure("no node name: \(name)")
        }
        return identity
    }
}
