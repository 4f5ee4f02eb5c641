/// Names one server transaction of one `TransactionLayer`. An id whose transaction has ended names nothing.
public struct ServerTransactionID: Hashable, Sendable {
    let slot: UInt32
    let generation: UInt32

    public func hash(into hasher: inout Hasher) { hasher.combine(UInt64(generation) << 32 | UInt64(slot)) }
}

/// Names one client transaction of one `TransactionLayer`. An id whose transaction has ended names nothing.
public struct ClientTransactionID: Hashable, Sendable {
    let slot: UInt32
    let generation: UInt32
    /// The number that the request's user gave it, so that a response finds its call without a table.
    public let context: UInt64

    public static func == (left: Self, right: Self) -> Bool {
        left.slot == right.slot && left.generation == right.generation
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(UInt64(generation) << 32 | UInt64(slot)) }
}
