import Primitives

/// How an access node judges centers by the calls it sends them, without any master.
public struct PassiveTimings: Hashable, Sendable {
    /// Unanswered calls in a row after which a center is suspected.
    public var failuresToSuspect = 3
    /// ICMP refusals in a row after which a center is suspected.
    public var refusalsToSuspect = 1
    /// How long a suspected center gets no calls; then single ones probe it.
    public var suspicion: Duration = .seconds(2)
    /// After which a probing call that brought no outcome no longer keeps others from probing.
    public var probeTimeout: Duration = .seconds(2)
    /// How long a center that was suspected takes to grow to its full share.
    public var rampUp: Duration = .seconds(5)

    public init() {}
}

/// What one access node suspects of one center.
struct PassiveDetection: Sendable {
    /// What to expect of a center right now.
    enum Standing { case trusted, probeable, suspected }

    private var failures = 0
    private var refusals = 0
    private var suspectedUntil: MonotonicTime?
    private var probeSentAt: MonotonicTime?
    private(set) var rampStart: MonotonicTime?

    var isSuspected: Bool { suspectedUntil != nil }

    func standing(at now: MonotonicTime, _ timings: PassiveTimings) -> Standing {
        guard let suspectedUntil else { return .trusted }
        guard suspectedUntil <= now else { return .suspected }
        guard let probeSentAt, now - probeSentAt < timings.probeTimeout else { return .probeable }
        return .suspected
    }

    /// Whether the last ramp is over, so that the hot path may stop asking for its share.
    func share(at now: MonotonicTime, _ timings: PassiveTimings) -> Double {
        guard let rampStart else { return 1 }
        return RampUp(elapsed: now - rampStart, total: timings.rampUp).share()
    }

    mutating func sent(now: MonotonicTime) {
        if suspectedUntil != nil { probeSentAt = now }
    }

    mutating func answered(now: MonotonicTime) {
        failures = 0
        refusals = 0
        if suspectedUntil != nil { rampStart = now }
        suspectedUntil = nil
        probeSentAt = nil
    }

    /// True when this made the center suspected.
    mutating func failed(isRefusal: Bool, now: MonotonicTime, _ timings: PassiveTimings) -> Bool {
        failures += 1
        if isRefusal { refusals += 1 }
        let wasSuspected = isSuspected
        guard wasSuspected || failures >= timings.failuresToSuspect || refusals >= timings.refusalsToSuspect else {
            return false
        }
        suspectedUntil = now + timings.suspicion
        probeSentAt = nil
        rampStart = nil
        return !wasSuspected
    }
}
