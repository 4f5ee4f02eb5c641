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
    private(set) var core: AccessCore
    var actions: [AccessAction] = []
    var alarm = Alarm()

    init(seed: UInt64, centers: [CenterNode], attempts: Int, now: MonotonicTime) {
        var settings = AccessSettings(
            identity: NodeNames.identity("access-1", life: 1), udp: [.init(World.accessAddress)], attempts: attempts,
            trusted: NodeNames.trusted, sources: .init(allowed: NodeNames.everybody))
        settings.rate = RateLimit(perSecond: 500, burst: 1_000)
        let table = RouteTable(
            profileCenters: centers.map { RouteEntry(name: $0.name, sip: [$0.endpoint], state: .up) })
        // Not a secret here: nobody but the simulated callers sees tokens.
        let tokens = FlowTokens(incarnation: "1") { bytes in
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            var seal: [UInt8] = []
            for round in 0..<16 as Range<UInt8> {
                for byte in bytes + [round] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
                seal.append(UInt8(truncatingIfNeeded: hash >> 24))
            }
            return seal
        }
        core = AccessCore(settings: settings, table: table, tokens: tokens, seed: seed, now: now)
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
    }

    let index: Int
    let name: String
    let endpoint: Endpoint
    var core: CenterCore?
    /// Counts processes.
    var life = 0
    /// Counts incarnations, of which one process may have several.
    var incarnations = 0
    var identity: NodeIdentity
    var isRegistered = false
    var actions: [CenterAction] = []
    var alarm = Alarm()
    var streams: [CallHandle: Stream] = [:]
    var callOfPort: [UInt16: CallHandle] = [:]
    var nextPort: UInt16 = 10_000
    /// Its host does not even refuse.
    var isHostGone = false
    /// The master does not reach it.
    var isCut = false
    /// When requests that it hands to the store are carried out, in order.
    var storeFreeAt = MonotonicTime.zero
    /// Checkpoints and the like that wait for the store.
    var held: [StoreJob] = []

    init(index: Int, name: String, endpoint: Endpoint) {
        self.index = index
        self.name = name
        self.endpoint = endpoint
        identity = NodeNames.identity(name, life: 0)
    }

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
    }

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
}

/// The master with its core; pings as its shell writes them.
struct MasterNode {
    var core: MasterCore
    var actions: [MasterAction] = []
    var alarm = Alarm()
    let identity = NodeNames.identity("master-a", life: 1)
    var random: SeededRandom
    var pinged: [Endpoint: String] = [:]
    var epoch: UInt64 = 0
    /// Dead incarnations whose sessions may not all be closed yet.
    var toSweep: [NodeIdentity] = []

    init(centers: [CenterNode], seed: UInt64) {
        random = SeededRandom(seed: seed)
        var nodes = centers.map { WatchedNode(name: $0.name, role: .center, sip: [$0.endpoint]) }
        nodes.append(WatchedNode(name: "access-1", role: .access, sip: [World.accessAddress]))
        for node in nodes { pinged[node.sip[0]] = node.name }
        var settings = MasterSettings(identity: identity, nodes: nodes)
        settings.detection.rampUp = .seconds(3)
        core = MasterCore(settings, now: .zero, wall: World.wallBase)
    }

    mutating func handle(_ event: MasterEvent, at now: MonotonicTime) { core.handle(event, now: now, into: &actions) }
    mutating func fire(at now: MonotonicTime) { core.fire(now: now, into: &actions) }
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
