import Master
import Primitives
import Routing
import Session
import Store
import Testing

/// A master's core with nodes and a store around it, on a clock of its own.
struct MasterBench {
    enum Behaviour { case answers, silent, refuses }
    struct Node {
        var behaviour = Behaviour.answers
        var incarnation = "k1"
        var load: NodeLoad?
        var status = 200
    }
    enum StoreBehaviour { case grants, silent, belongsTo(NodeIdentity, epoch: UInt64) }

    var core: MasterCore
    var now: MonotonicTime
    var nodes: [String: Node] = [:]
    var store = StoreBehaviour.grants
    var epoch: UInt64 = 1
    var fences = FenceOutcome.fenced
    /// What the store says of the owners of sessions.
    var owners: [SessionOwner] = []
    /// What nobody took was closed: the store holds none of it any more.
    var closesLost = true
    /// It could not be closed, and the closer says so.
    var refusesToClose = false
    /// All actions but pings and askings, with their time.
    var log: [(at: MonotonicTime, action: MasterAction)] = []
    var counts = 0
    var pings: [(at: MonotonicTime, order: PingOrder)] = []

    static let me = identity("master-a", "m1")

    static func identity(_ name: String, _ incarnation: String) -> NodeIdentity {
        guard let identity = NodeIdentity(name: name, incarnation: incarnation) else {
            preconditionFailure("\(name).\(incarnation) is no identity")
        }
        return identity
    }

    init(
        centers: [String] = ["center-a", "center-b"], access: [String] = ["access-1"],
        configure: (inout MasterSettings) -> Void = { _ in }
    ) {
        let names = access.map { ($0, NodeRole.access) } + centers.map { ($0, NodeRole.center) }
        var settings = MasterSettings(
            identity: Self.me,
            nodes: names.enumerated().map { index, node in
                WatchedNode(
                    name: node.0, role: node.1, sip: [Endpoint(.v4(0x7F00_0001), port: UInt16(5_060 + index))])
            })
        configure(&settings)
        now = .zero
        core = MasterCore(settings, now: now, wall: WallTime(milliseconds: 1_000_000))
        for (name, _) in names { nodes[name] = Node() }
        tell(.storeIdentified("store-1"))
    }

    mutating func run(until end: Duration) {
        let end = MonotonicTime.zero + end
        while true {
            let next = core.nextDeadline()
            guard next <= end else { break }
            now = max(now, next)
            fire()
        }
        now = end
    }

    /// Lets time pass without the core running, then runs it once: a starved observer.
    mutating func freeze(until end: Duration) {
        now = .zero + end
        fire()
    }

    mutating func fire() {
        var actions: [MasterAction] = []
        core.fire(now: now, into: &actions)
        perform(actions)
    }

    mutating func tell(_ event: MasterEvent) {
        var actions: [MasterAction] = []
        core.handle(event, now: now, into: &actions)
        perform(actions)
    }

    private mutating func perform(_ actions: [MasterAction]) {
        for action in actions {
            switch action {
            case .sendPing(let order):
                pings.append((now, order))
                guard let node = nodes[order.node] else { continue }
                switch node.behaviour {
                case .answers:
                    tell(
                        .pong(
                            node: order.node, token: order.token, status: node.status,
                            incarnation: node.incarnation, load: node.load))
                case .refuses: tell(.refused(node: order.node))
                case .silent: continue
                }
            case .askLease(let number):
                switch store {
                case .grants: tell(.leaseReply(number: number, .held(by: Self.me, epoch: epoch)))
                case .belongsTo(let other, let epoch):
                    tell(.leaseReply(number: number, .held(by: other, epoch: epoch)))
                case .silent: continue
                }
            case .fence(let identity, _):
                log.append((now, action))
                if case .silent = store { continue }
                tell(.fenceSettled(identity, fences))
            case .countSessions(let number):
                counts += 1
                if case .silent = store { continue }
                tell(.sessionsCounted(number: number, owners))
            case .closeLost(let identity, _):
                log.append((now, action))
                if refusesToClose { tell(.closed(identity, lost: 0)) }
                guard closesLost else { continue }
                let lost = owners.first { $0.identity == identity }?.sessions ?? 0
                owners.removeAll { $0.identity == identity }
                tell(.closed(identity, lost: lost))
            default: log.append((now, action))
            }
        }
    }

    // MARK: What was said

    var tables: [RouteTable] {
        log.compactMap { if case .tableChanged(let table) = $0.action { table } else { nil } }
    }

    var fenced: [NodeIdentity] {
        log.compactMap { if case .fence(let identity, _) = $0.action { identity } else { nil } }
    }

    var lost: [MasterAction] {
        log.map(\.action).filter { if case .closeLost = $0 { true } else { false } }
    }

    func states(of node: String) -> [NodeState] {
        log.compactMap {
            if case .nodeChanged(node, _, let state, _) = $0.action { state } else { nil }
        }
    }

    func firstTime(_ matches: (MasterAction) -> Bool) -> MonotonicTime? { log.first { matches($0.action) }?.at }

    func report(_ node: String) throws -> NodeReport {
        try #require(core.nodeReports().first { $0.name == node })
    }

    func state(_ node: String) -> NodeState? { core.state(of: node) }
}

extension RouteTable {
    func state(_ name: String) -> NodeState? { centers.first { $0.name == name }?.state }
}

extension MonotonicTime {
    static func ms(_ value: Int64) -> MonotonicTime { .zero + .milliseconds(value) }
}
