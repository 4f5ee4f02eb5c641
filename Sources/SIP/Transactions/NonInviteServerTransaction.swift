/// Non-INVITE server transaction, RFC 3261 §17.2.2. It carries no message: see `InviteServerTransaction`.
public struct NonInviteServerTransaction: Equatable, Sendable {
    public enum State: UInt8, Sendable { case trying, proceeding, completed, terminated }
    public enum Timer: UInt8, Sendable { case j }

    public enum Event: Equatable, Sendable {
        /// The same request again.
        case repeated
        /// The user answers with a 1xx.
        case provisional
        /// The user answers with 200–699.
        case final
        case fired(Timer)
        case transportFailed
    }

    public enum Action: Equatable, Sendable {
        /// Send the response that the user just gave and keep it.
        case sendResponse
        case repeatResponse
        case deliverTransportFailure
        case schedule(Timer, Duration)
        case cancel(Timer)
        case end
    }

    public private(set) var state = State.trying
    private let isReliable: Bool

    public init(isReliable: Bool) { self.isReliable = isReliable }

    /// False once a final response was given.
    public var awaitsFinalResponse: Bool { state == .trying || state == .proceeding }

    public mutating func handle(_ event: Event, timers: TransactionTimers, into actions: inout ActionBuffer<Action>) {
        state =
            switch state {
            case .trying: trying(event, timers, &actions)
            case .proceeding: proceeding(event, timers, &actions)
            case .completed: completed(event, &actions)
            case .terminated: .terminated
            }
    }

    private func trying(
        _ event: Event, _ timers: TransactionTimers, _ actions: inout ActionBuffer<Action>
    ) -> State {
        switch event {
        case .provisional:
            actions.append(.sendResponse)
            return .proceeding
        case .final: return complete(timers, &actions)
        // §17.2.2: "Once in the 'Trying' state, any further request retransmissions are discarded."
        case .repeated, .fired(.j), .transportFailed: return .trying
        }
    }

    private func proceeding(
        _ event: Event, _ timers: TransactionTimers, _ actions: inout ActionBuffer<Action>
    ) -> State {
        switch event {
        case .repeated:
            actions.append(.repeatResponse)
            return .proceeding
        case .provisional:
            actions.append(.sendResponse)
            return .proceeding
        case .final: return complete(timers, &actions)
        case .transportFailed:
            actions.append(.deliverTransportFailure)
            actions.append(.end)
            return .terminated
        case .fired(.j): return .proceeding
        }
    }

    private func completed(_ event: Event, _ actions: inout ActionBuffer<Action>) -> State {
        switch event {
        case .repeated:
            actions.append(.repeatResponse)
            return .completed
        case .fired(.j):
            actions.append(.end)
            return .terminated
        case .transportFailed:
            actions.append(.cancel(.j))
            actions.append(.deliverTransportFailure)
            actions.append(.end)
            return .terminated
        // "Any other final responses passed by the TU to the server transaction MUST be discarded".
        case .provisional, .final: return .completed
        }
    }

    /// "Timer J … 64*T1 seconds for unreliable transports, and zero seconds for reliable transports".
    private func complete(_ timers: TransactionTimers, _ actions: inout ActionBuffer<Action>) -> State {
        actions.append(.sendResponse)
        if isReliable {
            actions.append(.end)
            return .terminated
        }
        actions.append(.schedule(.j, timers.limit))
        return .completed
    }
}
