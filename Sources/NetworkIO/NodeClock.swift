import CDatagram
import Primitives

/// The clock of a real node: nanoseconds since the machine was booted, counting the time it was suspended
/// (CLOCK_BOOTTIME), so that a frozen node sees how long it was away. Points compare between processes of one boot.
public enum NodeClock {
    public static func now() -> MonotonicTime { MonotonicTime(nanoseconds: cdg_boot_time()) }
}
