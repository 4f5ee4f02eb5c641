import Primitives
import Routing
import Session

/// Where centers are that were in the leader's list a while ago: those that drain have calls yet.
struct FormerPeers: Sendable {
    static let memory = Duration.seconds(60)
    static let limit = 64

    private var known: [String: (peer: PeerList.Peer, since: MonotonicTime)] = [:]

    /// A list follows another.
    mutating func learn(from old: PeerList, to new: PeerList, now: MonotonicTime) {
        known = known.filter { now - $0.value.since < Self.memory }
        for peer in old.peers where !new.peers.contains(peer) && known.count < Self.limit {
            known[peer.node] = (peer, now)
        }
        for peer in new.peers { known[peer.node] = nil }
    }

    func find(_ node: NodeIdentity, now: MonotonicTime) -> PeerList.Peer? {
        guard let (peer, since) = known[node.name], peer.incarnation == node.incarnation, now - since < Self.memory
        else { return nil }
        return peer
    }

    /// It does not answer.
    mutating func forget(_ peer: PeerList.Peer) {
        if known[peer.node]?.peer == peer { known[peer.node] = nil }
    }
}
