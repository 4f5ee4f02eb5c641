/// A point on a clock that only moves forward, in nanoseconds since an origin that is the clock's own
/// (boot for a real node, zero for a simulated one). Points of different clocks do not compare.
public struct MonotonicTime: Hashable, Comparable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static let zero = MonotonicTime(nanoseconds: 0)
    /// Later than every real deadline.
    public static let distantFuture = MonotonicTime(nanoseconds: .max)

    @inlinable public static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Saturates at `distantFuture` instead of trapping.
    public static func + (time: Self, span: Duration) -> Self {
        let (sum, overflow) = time.nanoseconds.addingReportingOverflow(span.wholeNanoseconds)
        return overflow ? .distantFuture : Self(nanoseconds: sum)
    }

    public static func - (later: Self, earlier: Self) -> Duration {
        .nanoseconds(later.nanoseconds &- earlier.nanoseconds)
    }
}

extension Duration {
    /// The span in nanoseconds, clamped to what an `Int64` holds (±292 years).
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, carried) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carried ? (seconds < 0 ? .min : .max) : sum
    }

    /// The span in whole milliseconds, rounded towards zero.
    public var wholeMilliseconds: Int64 { wholeNanoseconds / 1_000_000 }
}
