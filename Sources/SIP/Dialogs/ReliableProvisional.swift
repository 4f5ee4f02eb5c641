import Primitives

/// The value of RAck (RFC 3262 §7.2): which reliable response a PRACK acknowledges.
public struct RAck: Hashable, Sendable {
    public var rseq: UInt32
    public var cseq: CSeq

    public init(rseq: UInt32, cseq: CSeq) {
        self.rseq = rseq
        self.cseq = cseq
    }
}

extension RAck: LosslessStringConvertible, CustomStringConvertible {
    /// Parses `776656 1 INVITE`.
    public init?(_ text: String) {
        let parts = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard parts.count == 3, let rseq = UInt32(parts[0]), rseq > 0, let number = UInt32(parts[1]),
            number < 1 << 31
        else { return nil }
        self.init(rseq: rseq, cseq: CSeq(number, Method(token: String(parts[2]))))
    }

    public var description: String { "\(rseq) \(cseq.number) \(cseq.method)" }
}

/// Reliable provisional responses of one INVITE at the user agent server (RFC 3262 §3).
public struct ReliableProvisional: Equatable, Sendable {
    public enum Timer: UInt8, Sendable { case repetition, patience }

    public enum Action: Equatable, Sendable {
        case repeatResponse
        case schedule(Timer, Duration)
        case cancel(Timer)
        /// §3: "If a reliable provisional response is retransmitted for 64*T1 seconds without reception of a
        /// corresponding PRACK, the UAS SHOULD reject the original request with a 5xx response."
        case giveUp
    }

    /// CSeq of the INVITE.
    public let cseq: CSeq
    /// RSeq of the response that waits for its PRACK; nil when none does.
    public private(set) var awaited: UInt32?
    private var next: UInt32
    private var doublings: UInt8 = 0

    /// §3: "The value of the header field for the first reliable provisional response in a transaction MUST be between
    /// 1 and 2**31 - 1. It is RECOMMENDED that it be chosen uniformly in this range."
    public init(cseq: CSeq, using random: inout SeededRandom) {
        self.cseq = cseq
        next = UInt32.random(in: 1...0x7FFF_FFFF, using: &random)
    }

    /// The RSeq of a new reliable response, to be written into it; nil while the previous one is not acknowledged
    /// ("the UAS MUST NOT send a second reliable provisional response until the first is acknowledged").
    public mutating func send(timers: TransactionTimers, actions: inout [Action]) -> UInt32? {
        guard awaited == nil, next < .max else { return nil }
        let rseq = next
        awaited = rseq
        next += 1
        doublings = 0
        actions += [.schedule(.repetition, timers.t1), .schedule(.patience, timers.limit)]
        return rseq
    }

    /// A PRACK came. False: it matches no unacknowledged response, answer 481 (§3); true: answer 200.
    public mutating func acknowledge(_ rack: RAck, actions: inout [Action]) -> Bool {
        guard rack.rseq == awaited, rack.cseq == cseq else { return false }
        awaited = nil
        actions += [.cancel(.repetition), .cancel(.patience)]
        return true
    }

    /// The INVITE got its final response, or a timer is due.
    public mutating func stop(actions: inout [Action]) {
        guard awaited != nil else { return }
        awaited = nil
        actions += [.cancel(.repetition), .cancel(.patience)]
    }

    public mutating func fire(_ timer: Timer, timers: TransactionTimers, actions: inout [Action]) {
        guard awaited != nil else { return }
        switch timer {
        case .repetition:
            // "an interval that starts at T1 seconds and doubles for each retransmission", without T2.
            doublings += doublings < 16 ? 1 : 0
            actions += [.repeatResponse, .schedule(.repetition, timers.doubled(doublings))]
        case .patience:
            awaited = nil
            actions += [.cancel(.repetition), .giveUp]
        }
    }
}

/// The order of reliable provisional responses at the user agent client (RFC 3262 §4), for one early dialog.
public struct ReliableReceipt: Equatable, Sendable {
    private var last: UInt32?

    public init() {}

    public enum Verdict: Equatable, Sendable {
        /// Send a PRACK with that RAck.
        case acknowledge(RAck)
        /// A repetition, or one whose predecessor has not come: "MUST NOT be acknowledged with a PRACK, and MUST NOT be
        /// processed further".
        case ignore
    }

    public mutating func receive(rseq: UInt32, cseq: CSeq) -> Verdict {
        if let last, rseq != last &+ 1 { return .ignore }
        last = rseq
        return .acknowledge(RAck(rseq: rseq, cseq: cseq))
    }
}
