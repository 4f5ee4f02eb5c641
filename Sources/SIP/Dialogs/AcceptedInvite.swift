/// The 2xx to an INVITE at the user agent server, which repeats it until the ACK comes (RFC 3261 §13.3.1.4).
public struct AcceptedInvite: Equatable, Sendable {
    public enum State: UInt8, Sendable { case initial, waiting, confirmed, unanswered }
    public enum Timer: UInt8, Sendable { case repetition, patience }

    public enum Event: Equatable, Sendable {
        /// The 2xx was sent.
        case sent
        /// An ACK with the INVITE's CSeq number came.
        case acknowledged
        case fired(Timer)
        /// The call is over for another reason.
        case ended
    }

    public enum Action: Equatable, Sendable {
        case repeatResponse
        /// The dialog is confirmed; said once.
        case confirm
        /// "If the server retransmits the 2xx response for 64*T1 seconds without receiving an ACK, the dialog is
        /// confirmed, but the session SHOULD be terminated. This is accomplished with a BYE".
        case giveUp
        case schedule(Timer, Duration)
        case cancel(Timer)
    }

    public private(set) var state = State.initial
    private var doublings: UInt8 = 0

    public init() {}

    public mutating func handle(_ event: Event, timers: TransactionTimers) -> [Action] {
        switch state {
        case .initial: initial(event, timers)
        case .waiting: waiting(event, timers)
        case .confirmed, .unanswered: []
        }
    }

    private mutating func initial(_ event: Event, _ timers: TransactionTimers) -> [Action] {
        switch event {
        case .sent:
            // "passed to the transport layer with an interval that starts at T1 seconds and doubles for each
            // retransmission until it reaches T2 seconds", over any transport.
            state = .waiting
            return [.schedule(.repetition, timers.t1), .schedule(.patience, timers.limit)]
        case .acknowledged, .fired, .ended: return []
        }
    }

    private mutating func waiting(_ event: Event, _ timers: TransactionTimers) -> [Action] {
        switch event {
        case .fired(.repetition):
            doublings += doublings < 16 ? 1 : 0
            return [.repeatResponse, .schedule(.repetition, timers.doubledUpToT2(doublings))]
        case .fired(.patience):
            state = .unanswered
            return [.cancel(.repetition), .giveUp]
        case .acknowledged:
            state = .confirmed
            return [.cancel(.repetition), .cancel(.patience), .confirm]
        case .ended:
            state = .confirmed
            return [.cancel(.repetition), .cancel(.patience)]
        case .sent: return []
        }
    }
}
