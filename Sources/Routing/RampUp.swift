import Primitives

/// How far a returning center is on its way back to its full share of new calls.
public struct RampUp: Hashable, Sendable {
    /// The share that a center starts with, so that the first calls come at all.
    public static let firstShare = 0.05

    public var elapsed: Duration
    public var total: Duration

    public init(elapsed: Duration, total: Duration) {
        self.elapsed = elapsed
        self.total = total
    }

    /// Part of the center's weight that counts, 0.05...1, growing evenly with time.
    /// `later` is the time since this value was made: a ramp goes on where no master answers any more.
    public func share(after later: Duration = .zero) -> Double {
        let whole = Double(total.wholeNanoseconds)
        guard whole > 0 else { return 1 }
        let done = Double(elapsed.wholeNanoseconds) + Double(later.wholeNanoseconds)
        return min(1, max(Self.firstShare, done / whole))
    }
}
