/// The value of a `Tandem-Takeover` header, in a leader's pings to centers: an incarnation that is fenced and may still
/// own sessions: `center-a;incarnation=k3f9x2;leader=7`. A ping has one header for each, at most `limit`.
///
/// It is repeated until the store holds no session of that incarnation, so a lost datagram costs one ping's interval.
public struct TakeoverNotice: Hashable, Sendable {
    public var node: String
    public var incarnation: String
    /// The epoch under which the sender leads.
    public var leader: UInt64

    /// In one ping.
    public static let limit = 4
    /// Longer values are not read.
    public static let longest = 160

    public init(node: String, incarnation: String, leader: UInt64) {
        self.node = node
        self.incarnation = incarnation
        self.leader = leader
    }

    /// Nil when the name, the incarnation or the epoch is missing or cannot be one.
    public init?(headerValue: some StringProtocol) {
        guard headerValue.utf8.count <= Self.longest, let notice = NodeNotice(headerValue: headerValue),
            let incarnation = notice.incarnation, let leader = notice.leader
        else { return nil }
        self.init(node: notice.node, incarnation: incarnation, leader: leader)
    }

    public var headerValue: String { "\(node);incarnation=\(incarnation);leader=\(leader)" }
}
