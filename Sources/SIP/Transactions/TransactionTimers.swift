/// The timer values of RFC 3261 §17 and Table 4 of its Appendix A, from which timers A…M follow.
public struct TransactionTimers: Equatable, Sendable {
    /// Round-trip estimate: first retransmission (timers A, E, G). 500 ms.
    public let t1: Duration
    /// Longest retransmission interval of non-INVITE requests and of INVITE responses. 4 s.
    public let t2: Duration
    /// How long a message may stay in the network: timers I and K over UDP. 5 s.
    public let t4: Duration
    /// Timer C of proxies, §16.6 step 11: "MUST be larger than 3 minutes".
    public let c: Duration
    /// 64 × T1: timers B, F, H, J, L and M.
    public let limit: Duration
    /// Timer D over UDP, §17.1.1.2: "a value of at least 32 seconds".
    public let d: Duration

    public init(
        t1: Duration = .milliseconds(500), t2: Duration = .seconds(4), t4: Duration = .seconds(5),
        c: Duration = .seconds(181)
    ) {
        precondition(t1 > .zero && t2 >= t1 && t4 > .zero && c > .zero, "timers must be positive and T2 at least T1")
        self.t1 = t1
        self.t2 = t2
        self.t4 = t4
        self.c = c
        limit = t1 * 64
        d = max(limit, .seconds(32))
    }

    public static let standard = TransactionTimers()

    /// T1 doubled `count` times, without a cap: timer A.
    func doubled(_ count: UInt8) -> Duration { t1 * (1 << Int(min(count, 16))) }

    /// T1 doubled `count` times, but at most T2: timers E and G.
    func doubledUpToT2(_ count: UInt8) -> Duration { min(doubled(count), t2) }
}
