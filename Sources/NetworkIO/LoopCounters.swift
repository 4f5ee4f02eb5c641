import Synchronization

/// What one loop has done since it started. Read from any thread; written by the loop once a batch.
public final class LoopCounters: Sendable {
    public let received = Atomic<UInt64>(0)
    public let sent = Atomic<UInt64>(0)
    /// Datagrams that the kernel did not take, or that had no room or no listener in the outbox.
    public let unsent = Atomic<UInt64>(0)
    /// Datagrams longer than the loop's limit, thrown away.
    public let truncated = Atomic<UInt64>(0)
    /// ICMP errors about what was sent.
    public let refused = Atomic<UInt64>(0)
    /// How often the loop found that it had not run for `LoopConfiguration.reportedGap` or longer.
    public let lateRuns = Atomic<UInt64>(0)
    /// CPU time of the loop's thread in nanoseconds, up to its last round.
    public let cpuNanoseconds = Atomic<Int64>(0)

    public init() {}
}

extension Atomic where Value == UInt64 {
    func add(_ amount: UInt64) {
        if amount != 0 { wrappingAdd(amount, ordering: .relaxed) }
    }
    public var value: UInt64 { load(ordering: .relaxed) }
}
