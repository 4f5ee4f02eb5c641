import Primitives

/// The answer of a rate limit.
public enum Admission: Equatable, Sendable {
    case admitted
    /// Refused; the whole seconds for Retry-After, at least 1.
    case limited(retryAfter_s: Int)

    static func limited(wait: Duration) -> Admission {
        let seconds = (wait.wholeNanoseconds + 999_999_999) / 1_000_000_000
        return .limited(retryAfter_s: Int(min(max(1, seconds), 3_600)))
    }
}

/// A rate with room for a burst.
public struct RateLimit: Hashable, Sendable {
    /// Events a second in the long run; above 0.
    public var perSecond: Double
    /// Events at once after a quiet time; at least 1.
    public var burst: Int

    public init(perSecond: Double, burst: Int) {
        precondition(perSecond > 0 && burst >= 1, "rate \(perSecond)/s with burst \(burst)")
        self.perSecond = perSecond
        self.burst = burst
    }

    var spacing_ns: Int64 { max(1, Int64(min(1_000_000_000 / perSecond, 3.6e12))) }
    /// How far ahead of the clock the schedule of a source may run.
    var tolerance_ns: Int64 {
        let (span, overflow) = spacing_ns.multipliedReportingOverflow(by: Int64(burst) - 1)
        return overflow ? .max / 4 : min(span, .max / 4)
    }
}

/// A token bucket as one number: when the next event would be due if all came evenly (the generic cell rate
/// algorithm of ITU-T I.371). Limits the set-up rate of a center.
public struct TokenBucket: Sendable {
    public let limit: RateLimit
    private var due_ns = Int64.min

    public init(_ limit: RateLimit) { self.limit = limit }

    public mutating func admit(now: MonotonicTime) -> Admission {
        Self.admit(&due_ns, limit, now: now)
    }

    static func admit(_ due_ns: inout Int64, _ limit: RateLimit, now: MonotonicTime) -> Admission {
        let due = max(due_ns, now.nanoseconds)
        let ahead = due - now.nanoseconds
        let tolerance = limit.tolerance_ns
        guard ahead <= tolerance else { return .limited(wait: .nanoseconds(ahead - tolerance)) }
        due_ns = due + limit.spacing_ns
        return .admitted
    }
}

/// One bucket for each source address, in a table of limited size. Idle sources are forgotten; when every entry of a
/// full table is busy, sources that are not in it share one bucket, so that a flood from many addresses is limited too.
public struct SourceRateLimiter: Sendable {
    public let limit: RateLimit
    /// Sources that are told apart at once.
    public let sourceLimit: Int
    private var due: [IPAddress: Int64] = [:]
    private var overflow: TokenBucket
    private var nextSweep = MonotonicTime.zero

    public init(_ limit: RateLimit, sourceLimit: Int = 4_096) {
        precondition(sourceLimit >= 1)
        self.limit = limit
        self.sourceLimit = sourceLimit
        overflow = TokenBucket(limit)
        due.reserveCapacity(sourceLimit)
    }

    public var sourceCount: Int { due.count }

    public mutating func admit(_ source: IPAddress, now: MonotonicTime) -> Admission {
        if var entry = due[source] {
            let admission = TokenBucket.admit(&entry, limit, now: now)
            due[source] = entry
            return admission
        }
        if due.count >= sourceLimit { sweep(now: now) }
        guard due.count < sourceLimit else { return overflow.admit(now: now) }
        var entry = Int64.min
        let admission = TokenBucket.admit(&entry, limit, now: now)
        due[source] = entry
        return admission
    }

    /// Forgets sources whose bucket is full again: they are as good as new. At most ten times a second, because it
    /// walks the table.
    private mutating func sweep(now: MonotonicTime) {
        guard now >= nextSweep else { return }
        nextSweep = now + .milliseconds(100)
        for (source, entry) in due where entry <= now.nanoseconds { due[source] = nil }
    }
}

/// Which addresses may send at all.
public struct SourceRules: Hashable, Sendable {
    public var allowed: [CIDR]

    public init(allowed: [CIDR]) { self.allowed = allowed }

    public func permits(_ source: IPAddress) -> Bool {
        for block in allowed where block.contains(source) { return true }
        return false
    }
}
