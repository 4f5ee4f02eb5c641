public import Primitives

/// Where a message came from or goes to: enough to answer on the same path (RFC 3261 §18.2.2, RFC 5626 §3).
public struct Flow: Hashable, Sendable {
    public var transport: Transport
    public var remote: Endpoint
    /// Index of the node's own listener (its configured order); a node answers from the socket it was asked on.
    public var listener: UInt16
    /// The connection's number for TCP and TLS; 0 means "any or a new one" when sending, and is always 0 for UDP.
    public var connection: UInt64

    public init(transport: Transport, remote: Endpoint, listener: UInt16 = 0, connection: UInt64 = 0) {
        self.transport = transport
        self.remote = remote
        self.listener = listener
        self.connection = connection
    }
}
