import HTTPKit

/// What the shared parts of a node's process do with a role.
public protocol RunningNode: Sendable {
    func health() async -> HealthReport
    /// Adds what the role serves on the node's HTTP port besides `/health` and `/metrics`.
    func addRoutes(to routes: WebRoutes) throws(NodeFailure)
    /// SIGTERM: take no new work, end what is there in the time that the profile gives, and return.
    func drainAndStop() async
    /// SIGHUP: read again what can be changed in a running node.
    func reload() async
}

extension RunningNode {
    public func addRoutes(to routes: WebRoutes) throws(NodeFailure) {}
    public func reload() async {}
}
