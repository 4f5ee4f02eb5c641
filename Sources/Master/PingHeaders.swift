import Routing
import SIP

extension PingOrder {
    /// What the OPTIONS says besides what every request says.
    public var headers: [(HeaderName, String)] {
        let notice = NodeNotice(node: node, incarnation: live, fenced: fenced, want: want, leader: leader)
        var headers: [(HeaderName, String)] = [(.tandemNode, notice.headerValue)]
        if let peers { headers.append((.tandemPeers, peers.headerValue)) }
        for takeover in takeovers.prefix(TakeoverNotice.limit) {
            headers.append((.tandemTakeover, takeover.headerValue))
        }
        return headers
    }
}
