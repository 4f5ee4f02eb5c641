/// INVITE server transaction, RFC 3261 §17.2.1 as amended by RFC 6026 §7.1. It carries no message: "the response"
/// of `sendResponse` is the one that its user just gave, "kept" the one that its owner keeps for repetition.
public struct InviteServerTransaction: Equatable, Sendable {
    public enum State: UInt8, Sendable { case proceeding, completed, confirmed, accepted, terminated }
    public enum Timer: UInt8, Sendable { case g, h, i, l }

    public enum Event: Equatable, Sendable {
        /// The same INVITE again.
        case repeated
        case acknowledged
        /// The user answers with a 1xx.
        case provisional
        /// The user answers with a 2xx, or sends it again.
        case success
        /// The user answers with 300–699.
        case failure
        case fired(Timer)
        case transportFailed
    }

    public enum Action: Equatable, Sendable {
        /// Send the response and keep it.
        case sendResponse
        /// Send the response; its repetition is the user's (RFC 3261 §13.3.1.4).
        case sendOnce
        case repeatResponse
        /// The ACK belongs to a 2xx: it is the user's.
        case deliverAcknowledgement
        /// Timer H: no ACK came for a final response.
        case deliverTimeout
        case deliverTransportFailure
        case schedule(Timer, Duration)
        case cancel(Timer)
        /// The kept response is not needed again.
        case releaseResponse
        case end
    }

    public private(set) var state = State.proceeding
    private let isReliable: Bool
    private var doublings: UInt8 = 0
    private var hasResponse = false

    public init(isReliable: Bool) { self.isReliable = isReliable }

    /// False once a response that ends the user's choice was given.
    public var awaitsFinalResponse: Bool { state == .proceeding }

    public mutating func handle(_ event: Event, timers: TransactionTimers, into actions: inout ActionBuffer<Action>) {
        state =
            switch state {
            case .proceeding: proceeding(event, timers, &actions)
            case .completed: completed(event, timers, &actions)
            case .confirmed: confirmed(event, &actions)
            case .accepted: accepted(event, &actions)
            case .terminated: .terminated
            }
    }

    private mutating func proceeding(
        _ event: Event, _ timers: TransactionTimers, _ actions: inout ActionBuffer<Action>
    ) -> State {
        switch event {
        case .repeated:
            // §17.2.1: "If a request retransmission is received while in the 'Proceeding' state, the most recent
            // provisional response that was received from the TU MUST be passed to the transport layer".
            if hasResponse { actions.append(.repeatResponse) }
            return .proceeding
        case .provisional:
            hasResponse = true
            actions.append(.sendResponse)
            return .proceeding
        case .success:
            // RFC 6026 §7.1: "If, while in the 'Proceeding' state, the TU passes a 2xx response … the server
            // transaction MUST transition to the 'Accepted' state"; timer L is 64*T1 for all transports.
            actions.append(.sendOnce)
            actions.append(.releaseResponse)
            actions.append(.schedule(.l, timers.limit))
            return .accepted
        case .failure:
            // "For unreliable transports, timer G is set to fire in T1 seconds … timer H … MUST be set to fire in
            // 64*T1 seconds for all transports."
            actions.append(.sendResponse)
            if !isReliable { actions.append(.schedule(.g, timers.t1)) }
            actions.append(.schedule(.h, timers.limit))
            return .completed
        case .transportFailed:
            actions.append(.deliverTransportFailure)
            return .proceeding
        case .acknowledged, .fired(.g), .fired(.h), .fired(.i), .fired(.l):
            return .proceeding
        }
    }

    private mutating func completed(
        _ event: Event, _ timers: TransactionTimers, _ actions: inout ActionBuffer<Action>
    ) -> State {
        switch event {
        case .repeated:
            actions.append(.repeatResponse)
            return .completed
        case .fired(.g):
            // "When timer G fires, the response is passed to the transport layer once more … and timer G is set
            // to fire in MIN(2*T1, T2) seconds."
            doublings += doublings < 16 ? 1 : 0
            actions.append(.repeatResponse)
            actions.append(.schedule(.g, timers.doubledUpToT2(doublings)))
            return .completed
        case .fired(.h):
            // "it implies that the ACK was never received … the server transaction MUST transition to the
            // 'Terminated' state, and MUST indicate to the TU that a transaction failure has occurred."
            if !isReliable { actions.append(.cancel(.g)) }
            actions.append(.deliverTimeout)
            actions.append(.end)
            return .terminated
        case .acknowledged:
            if !isReliable { actions.append(.cancel(.g)) }
            actions.append(.cancel(.h))
            actions.append(.releaseResponse)
            // Timer I: "T4 seconds for unreliable transports, and zero seconds for reliable transports".
            if isReliable {
                actions.append(.end)
                return .terminated
            }
            actions.append(.schedule(.i, timers.t4))
            return .confirmed
        case .transportFailed:
            actions.append(.deliverTransportFailure)
            return .completed
        // "Any other final responses passed by the TU to the server transaction MUST be discarded".
        case .provisional, .success, .failure, .fired(.i), .fired(.l):
            return .completed
        }
    }

    private func confirmed(_ event: Event, _ actions: inout ActionBuffer<Action>) -> State {
        switch event {
        case .fired(.i):
            actions.append(.end)
            return .terminated
        // "The purpose of the 'Confirmed' state is to absorb any additional ACK messages that arrive".
        case .repeated, .acknowledged, .provisional, .success, .failure, .transportFailed, .fired(.g), .fired(.h),
            .fired(.l):
            return .confirmed
        }
    }

    private func accepted(_ event: Event, _ actions: inout ActionBuffer<Action>) -> State {
        switch event {
        case .success:
            // RFC 6026 §7.1: "If the TU passes any additional 2xx response … the server transaction MUST pass it
            // to the transport layer for transmission."
            actions.append(.sendOnce)
            return .accepted
        case .acknowledged:
            actions.append(.deliverAcknowledgement)
            return .accepted
        case .fired(.l):
            actions.append(.end)
            return .terminated
        case .transportFailed:
            actions.append(.deliverTransportFailure)
            return .accepted
        // "any retransmissions of the INVITE received will match this transaction state machine and will be
        // absorbed by the machine without changing its state".
        case .repeated, .provisional, .failure, .fired(.g), .fired(.h), .fired(.i):
            return .accepted
        }
    }
}
