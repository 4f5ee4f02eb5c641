/// How new calls are shared among the centers.
public enum RoutingPolicy: Hashable, Sendable {
    /// In exact proportion to the weights, smoothly interleaved.
    case weighted
    /// To the named center; to the others by weight when it does not take the call.
    case homeFirst(String)
    /// To the center with the smallest part of its capacity in use.
    case leastLoaded
    /// The same caller always reaches the same center, as long as it takes calls; a change of one center moves only
    /// the callers that it has or had.
    case hash

    public enum Name: String, CaseIterable, Sendable {
        case weighted
        case homeFirst = "home-first"
        case leastLoaded = "least-loaded"
        case hash
    }

    public var name: Name {
        switch self {
        case .weighted: .weighted
        case .homeFirst: .homeFirst
        case .leastLoaded: .leastLoaded
        case .hash: .hash
        }
    }
}

/// A policy for all lines and other ones for some.
public struct RoutingPlan: Hashable, Sendable {
    public var policy: RoutingPolicy
    public var lines: [String: RoutingPolicy]

    public init(_ policy: RoutingPolicy = .weighted, lines: [String: RoutingPolicy] = [:]) {
        self.policy = policy
        self.lines = lines
    }
}
