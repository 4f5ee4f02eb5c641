import Primitives
import Routing

/// A node as the API shows it: one element of `GET /api/v1/nodes`. What is not known is null.
public struct NodeReport: Equatable, Sendable, Codable {
    public var name: String
    public var role: NodeRole
    public var state: NodeState
    public var reason: String
    public var since: WallTime
    public var incarnation: String?
    /// Of nodes that hold calls, while they live.
    public var calls: Int?
    public var limit: Int?
    /// Round trip of the last answered ping.
    public var latency_ms: Double?

    private enum CodingKeys: String, CodingKey {
        case name, role, state, reason, since, incarnation, calls, limit, latency_ms
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(name, forKey: .name)
        try values.encode(role, forKey: .role)
        try values.encode(state, forKey: .state)
        try values.encode(reason, forKey: .reason)
        try values.encode(since, forKey: .since)
        try values.encode(incarnation, forKey: .incarnation)
        try values.encode(calls, forKey: .calls)
        try values.encode(limit, forKey: .limit)
        try values.encode(latency_ms, forKey: .latency_ms)
    }
}
