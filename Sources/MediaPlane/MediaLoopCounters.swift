import Synchronization

/// What a media loop has done since it started. Read from any thread, written by the loop once a tick.
public final class MediaLoopCounters: Sendable {
    public let packetsSent = Atomic<UInt64>(0)
    public let packetsReceived = Atomic<UInt64>(0)
    public let reportsSent = Atomic<UInt64>(0)
    public let reportsReceived = Atomic<UInt64>(0)
    /// Packets that the kernel did not take.
    public let unsent = Atomic<UInt64>(0)
    /// Errors told by a socket when reading, such as ICMP refusals; they end no call.
    public let socketErrors = Atomic<UInt64>(0)
    /// Packets that left later than their tick, or not at all, because the loop did not run in time.
    public let late = Atomic<UInt64>(0)
    /// Datagrams too long for audio.
    public let oversized = Atomic<UInt64>(0)
    /// Telephone-events that are no keys (RFC 4733 §3.2: events above 15), packet by packet.
    public let eventsOutOfRange = Atomic<UInt64>(0)
    /// Telephone-events of a key before the last one.
    public let eventsLate = Atomic<UInt64>(0)
    /// Streams that are open or being opened.
    public let streams = Atomic<Int>(0)

    public init() {}
}
