import Profiles
import Routing
import Session

extension MasterSettings {
    /// What a profile says, for the incarnation that starts with it.
    public init(_ profile: MasterProfile, identity: NodeIdentity) {
        self.init(
            identity: identity,
            nodes: profile.nodes.map {
                WatchedNode(name: $0.name, role: $0.role, sip: [$0.sip], weight: $0.weight)
            })
        detection = profile.detection
        lease = LeaderLease.Timings(length: profile.lease.length, renewal: profile.lease.renewal)
        routing = profile.routing
        retryAfter = profile.retryAfter
        loadInterval = profile.loadInterval
    }
}
