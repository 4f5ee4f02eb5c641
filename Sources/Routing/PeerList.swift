import Primitives

/// The value of a `Tandem-Peers` header, in a leader's pings to centers: the centers that live and take over calls, each
/// with its incarnation and where it takes SIP: `center-a.k3f9x2@127.0.0.1:5081;center-b.m2@[::1]:5082`.
///
/// Survivors share a dead center's sessions by it, a draining center hands its calls to those in it, and a center that
/// gets a request of somebody else's call passes it on to the owner's address.
public struct PeerList: Hashable, Sendable {
    public struct Peer: Hashable, Sendable {
        public var node: String
        public var incarnation: String
        public var sip: Endpoint

        public init(node: String, incarnation: String, sip: Endpoint) {
            self.node = node
            self.incarnation = incarnation
            self.sip = sip
        }
    }

    /// A list that is longer would not fit the datagram of a ping; more centers than these do not take over.
    public static let limit = 16
    /// Longer values are not read.
    public static let longest = 2_048

    public var peers: [Peer]

    public init(_ peers: [Peer] = []) { self.peers = Array(peers.prefix(Self.limit)) }

    /// Nil when any entry is none, a name stands twice or there are too many; an empty value is an empty list.
    public init?(headerValue: some StringProtocol) {
        guard headerValue.utf8.count <= Self.longest else { return nil }
        var found: [Peer] = []
        for entry in headerValue.split(separator: ";") {
            let halves = NodeNotice.trim(entry).split(separator: "@", omittingEmptySubsequences: false)
            guard halves.count == 2, found.count < Self.limit,
                let dot = halves[0].firstIndex(of: "."), let sip = Endpoint(String(halves[1]))
            else { return nil }
            let node = String(halves[0][..<dot])
            let incarnation = String(halves[0][halves[0].index(after: dot)...])
            guard isNodeName(node), NodeNotice.isIncarnation(incarnation), !found.contains(where: { $0.node == node })
            else { return nil }
            found.append(Peer(node: node, incarnation: incarnation, sip: sip))
        }
        peers = found
    }

    public var headerValue: String {
        peers.map { "\($0.node).\($0.incarnation)@\($0.sip)" }.joined(separator: ";")
    }

    public func peer(named node: String) -> Peer? { peers.first { $0.node == node } }

    /// Who of these takes a session over: the highest weight of a rendezvous hash, so that the death of one moves only
    /// its own share and everybody comes to the same answer without asking.
    ///
    /// - Parameter session: the session's id as text.
    public func owner(of session: String, excluding node: String? = nil) -> Peer? {
        let key = Rendezvous.hash(session)
        var best: (score: Double, peer: Peer)?
        for peer in peers where peer.node != node {
            let score = Rendezvous.score(key: key, node: Rendezvous.hash(peer.node), weight: 1)
            if best.map({ (score, peer.node) > ($0.score, $0.peer.node) }) ?? true { best = (score, peer) }
        }
        return best?.peer
    }
}
