import Primitives
import Routing
import Session

/// Where centers are that were in the leader's list a while ago: those that drain have calls yet.
struct FormerPeers: Sendable {
    static let memory = Duration.seconds(60)
    static let limit = 64

    private struct Entry {
        let peer: PeerList.Peer
        let since: MonotonicTime
        var isSilent = false
    }

    private var known: [String: Entry] = [:]

    /// A list follows another.
    mutating func learn(from old: PeerList, to new: PeerList, now: MonotonicTime) {
        known = known.filter { now - $0.value.since < Self.memory }
        for peer in old.peers where !new.peers.contains(peer) && known.count < Self.limit {
            known[peer.node] = Entry(peer: peer, since: now)
        }
        for peer in new.peers { known[peer.node] = nil }
    }

    /// Where that node can be asked still.
    func find(_ node: NodeIdentity, now: MonotonicTime) -> PeerList.Peer? {
        entry(of: node, now: now).flatMap { $0.isSilent ? nil : $0.peer }
    }

    /// Whether that node left the list a while ago, dead or alive.
    func contains(_ node: NodeIdentity, now: MonotonicTime) -> Bool { entry(of: node, now: now) != nil }

    /// It does not answer.
    mutating func silence(_ peer: PeerList.Peer) {
        if known[peer.node]?.peer == peer { known[peer.node]?.isSilent = true }
    }

    private func entry(of node: NodeIdentity, now: MonotonicTime) -> Entry? {
        known[node.name].flatMap {
            $0.peer.incarnation == node.incarnation && now - $0.since < Self.memory ? $0 : nil
        }
    }
}
