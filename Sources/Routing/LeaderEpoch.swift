import Primitives

/// Whose words count: the leader's of the highest epoch that was heard lately (TAKEOVER.md, Identity and ownership).
///
/// A former leader that does not know it yet speaks under a lower epoch and is not heeded. An epoch that nobody speaks
/// under any more counts for `lasting` only: a store that was made anew counts from 1 again, and one datagram with an
/// absurd epoch must not make a node deaf. What a leader may do is guarded by the store besides.
public struct LeaderEpoch: Hashable, Sendable {
    /// Many times the interval of a leader's pings, so that only a leader that is gone is forgotten.
    public static let lasting: Duration = .seconds(5)

    private var highest: UInt64 = 0
    private var heardAt: MonotonicTime?

    public init() {}

    /// Whether any leader was heard yet.
    public var isKnown: Bool { heardAt != nil }

    /// Whether what is said under this epoch counts; if so, lower ones do not from now on.
    public mutating func admits(_ epoch: UInt64, now: MonotonicTime) -> Bool {
        if let heardAt, epoch < highest, now - heardAt <= Self.lasting { return false }
        highest = epoch
        heardAt = now
        return true
    }
}
