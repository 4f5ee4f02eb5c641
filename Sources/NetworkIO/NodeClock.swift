import CDatagram
import Primitives

/// The clock of a real node: nanoseconds since the machine was booted, counting the time it was suspended
/// (CLOCK_BOOTTIME), so that a frozen node sees how long it was away. Points compare between processes of one boot.
public enum NodeClock {
    public static func now() -> MonotonicTime { MonotonicTime(nanoseconds: cdg_boot_time()) }

    /// How far civil time, in nanoseconds since 1970, is ahead of this clock now: it turns `ReceiveBatch.arrival` into
    /// a point on this clock. Civil time may be set or slewed, so ask again before each use.
    public static func civilOffset() -> Int64 { cdg_wall_time() &- cdg_boot_time() }
}
