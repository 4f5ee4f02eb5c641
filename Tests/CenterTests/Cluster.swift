import Primitives
import Routing
import SIP
import Session
import Store
import Testing

@testable import Center

/// Centers a, b and c over one store. A dead one is simply not asked any more.
final class Cluster {
    let store: SharedStore
    private(set) var centers: [String: CenterBench] = [:]
    /// The epoch under which the master speaks.
    var epoch: UInt64 = 7
    private var pings = 0

    init(_ names: [String] = ["a", "b", "c"], change: (inout CenterSettings) -> Void = { _ in }) throws {
        store = try SharedStore()
        for (number, name) in names.enumerated() { try start(name, "k\(number + 1)", change: change) }
    }

    /// A center, or its next life.
    @discardableResult
    func start(
        _ name: String, _ incarnation: String, change: (inout CenterSettings) -> Void = { _ in }
    ) throws -> CenterBench {
        let identity = try #require(NodeIdentity(name: "center-\(name)", incarnation: incarnation))
        let number = 1 + Int(name.utf8.first ?? 0) - 97
        let bench = try CenterBench(
            seed: UInt64(number) &* 77 &+ UInt64(incarnation.utf8.reduce(0) { $0 + Int($1) }), shared: store
        ) {
            $0.identity = identity
            $0.contacts = [.init(host: "10.0.0.\(number)", port: 5081, hasTCP: true)]
            change(&$0)
        }
        centers[name] = bench
        carried[name] = nil
        return bench
    }

    subscript(_ name: String) -> CenterBench {
        get throws { try #require(centers[name]) }
    }

    func identity(_ name: String) throws -> NodeIdentity { try self[name].core.settings.identity }

    /// The master's list of those who take over.
    func peers(_ names: [String]) throws -> String {
        PeerList(
            try names.map { name in
                let identity = try identity(name)
                let host = try self[name].core.settings.contacts[0].host
                return PeerList.Peer(
                    node: identity.name, incarnation: identity.incarnation,
                    sip: try #require(Endpoint("\(host):5081")))
            }
        ).headerValue
    }

    /// A ping of the leading master.
    ///
    /// - Parameter rounds: the center's loop goes on until it has nothing more to do at that time.
    @discardableResult
    func ping(
        _ name: String, peers: [String], dead: [String] = [], graves: [NodeIdentity] = [], want: String? = nil,
        leader: UInt64? = nil, from flow: Flow = Phone.master, rounds: Bool = true
    ) throws -> Message {
        let identity = try identity(name)
        var headers = [
            "Tandem-Node: \(identity.name);incarnation=\(identity.incarnation)\(want.map { ";want=\($0)" } ?? "")"
                + ";leader=\(leader ?? epoch)",
            "Tandem-Peers: \(try self.peers(peers))",
        ]
        headers += (try dead.map { try self.identity($0) } + graves).map { dead in
            "Tandem-Takeover: \(dead.name);incarnation=\(dead.incarnation);leader=\(leader ?? epoch)"
        }
        pings += 1
        let bench = try self[name]
        let master = Phone(bench, callID: "ping-\(pings)", flow: flow)
        try master.send(master.text("OPTIONS", headers: headers))
        if rounds { bench.advance(by: .zero) }
        return try #require(bench.sent.last { $0.message.callID == master.callID }?.message)
    }

    private var carried: [String: Int] = [:]

    /// Carries what centers send to each other, until nothing is left to carry.
    func relay(_ names: [String]) throws {
        for _ in 0..<200 {
            var isQuiet = true
            for name in names {
                let bench = try self[name]
                let news = bench.sent.dropFirst(carried[name] ?? 0)
                carried[name] = bench.sent.count
                let source = try #require(Endpoint("\(bench.core.settings.contacts[0].host):5081"))
                for sent in news {
                    let target = try names.first { other in
                        try self[other].core.settings.contacts[0].host == sent.flow.remote.address.description
                    }
                    guard let target, target != name else { continue }
                    try self[target].receive(bytes: sent.message.bytes, from: Flow(transport: .udp, remote: source))
                    isQuiet = false
                }
            }
            if isQuiet { return }
        }
        Issue.record("the centers talk without end")
    }

    /// The master fences a center and tells the survivors.
    func bury(_ dead: String, survivors: [String]) throws {
        store.fence(try identity(dead))
        for name in survivors { try ping(name, peers: survivors, dead: [dead]) }
    }

    /// Fences the center that has the call, and lets the other take it over.
    func move(_ phone: Phone, from dead: String, to survivor: String) throws {
        let bench = try self[survivor]
        bench.advance(by: try self[dead].now.monotonic - bench.now.monotonic)
        try bury(dead, survivors: [survivor])
        phone.bench = bench
    }
}
