/// Non-INVITE client transaction, RFC 3261 §17.1.2. It carries no message: see `InviteClientTransaction`.
public struct NonInviteClientTransaction: Equatable, Sendable {
    public enum State: UInt8, Sendable { case initial, trying, proceeding, completed, terminated }
    public enum Timer: UInt8, Sendable { case e, f, k }

    public enum Event: Equatable, Sendable {
        case started
        case provisional
        /// 200–699.
        case final
        case fired(Timer)
        case transportFailed
        /// The user goes on elsewhere: no further copies of the request are sent.
        case abandoned
    }

    public enum Action: Equatable, Sendable {
        case sendRequest
        case deliver
        case deliverTimeout
        case deliverTransportFailure
        case schedule(Timer, Duration)
        case cancel(Timer)
        /// The request is not needed again.
        case releaseRequest
        case end
    }

    public private(set) var state = State.initial
    private let isReliable: Bool
    private var doublings: UInt8 = 0

    public init(isReliable: Bool) { self.isReliable = isReliable }

    public mutating func handle(_ event: Event, timers: TransactionTimers, into actions: inout ActionBuffer<Action>) {
        state =
            switch state {
            case .initial: initial(event, timers, &actions)
            case .trying: trying(event, timers, &actions)
            case .proceeding: proceeding(event, timers, &actions)
            case .completed: completed(event, &actions)
            case .terminated: .terminated
            }
    }

    private func initial(
        _ event: Event, _ timers: TransactionTimers, _ actions: inout ActionBuffer<Action>
    ) -> State {
        switch event {
        case .started:
            // §17.1.2.2: "the client transaction SHOULD set timer F to fire in 64*T1 seconds … If an unreliable
            // transport is in use, the client transaction MUST set timer E to fire in T1 seconds."
            actions.append(.sendRequest)
            if !isReliable { actions.append(.schedule(.e, timers.t1)) }
            actions.append(.schedule(.f, timers.limit))
            return .trying
        case .provisional, .final, .fired, .transportFailed, .abandoned:
            return .initial
        }
    }

    private mutating func trying(
        _ event: Event, _ timers: TransactionTimers, _ actions: inout ActionBuffer<Action>
    ) -> State {
        switch event {
        case .fired(.e):
            // "the timer is reset, but this time with a value of MIN(2*T1, T2)", and so on.
            doublings += doublings < 16 ? 1 : 0
            actions.append(.sendRequest)
            actions.append(.schedule(.e, timers.doubledUpToT2(doublings)))
            return .trying
        case .provisional:
            actions.append(.deliver)
            return .proceeding
        case .fired(.f): return timedOut(&actions)
        case .final: return complete(timers, &actions)
        case .transportFailed: return failed(&actions)
        case .abandoned:
            if !isReliable { actions.append(.cancel(.e)) }
            return .trying
        case .started, .fired(.k): return .trying
        }
    }

    private func proceeding(
        _ event: Event, _ timers: TransactionTimers, _ actions: inout ActionBuffer<Action>
    ) -> State {
        switch event {
        case .fired(.e):
            // "If Timer E fires while in the 'Proceeding' state, the request MUST be passed to the transport layer
            // for retransmission, and Timer E MUST be reset with a value of T2 seconds."
            actions.append(.sendRequest)
            actions.append(.schedule(.e, timers.t2))
            return .proceeding
        case .provisional:
            actions.append(.deliver)
            return .proceeding
        case .fired(.f): return timedOut(&actions)
        case .final: return complete(timers, &actions)
        case .transportFailed: return failed(&actions)
        case .abandoned:
            if !isReliable { actions.append(.cancel(.e)) }
            return .proceeding
        case .started, .fired(.k): return .proceeding
        }
    }

    private func completed(_ event: Event, _ actions: inout ActionBuffer<Action>) -> State {
        switch event {
        case .fired(.k):
            actions.append(.end)
            return .terminated
        // "The 'Completed' state exists to buffer any additional response retransmissions that may be received".
        case .started, .provisional, .final, .transportFailed, .abandoned, .fired(.e), .fired(.f):
            return .completed
        }
    }

    private func stop(_ actions: inout ActionBuffer<Action>) {
        if !isReliable { actions.append(.cancel(.e)) }
        actions.append(.cancel(.f))
    }

    private func timedOut(_ actions: inout ActionBuffer<Action>) -> State {
        if !isReliable { actions.append(.cancel(.e)) }
        actions.append(.deliverTimeout)
        actions.append(.end)
        return .terminated
    }

    private func failed(_ actions: inout ActionBuffer<Action>) -> State {
        stop(&actions)
        actions.append(.deliverTransportFailure)
        actions.append(.end)
        return .terminated
    }

    /// "it MUST set Timer K to fire in T4 seconds for unreliable transports, and zero seconds for reliable".
    private func complete(_ timers: TransactionTimers, _ actions: inout ActionBuffer<Action>) -> State {
        stop(&actions)
        actions.append(.releaseRequest)
        actions.append(.deliver)
        if isReliable {
            actions.append(.end)
            return .terminated
        }
        actions.append(.schedule(.k, timers.t4))
        return .completed
    }
}
