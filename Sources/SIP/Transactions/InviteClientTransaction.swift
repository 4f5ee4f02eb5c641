/// INVITE client transaction, RFC 3261 §17.1.1 as amended by RFC 6026 §7.2, with the proxy's timer C (§16.8) and
/// cancelling (§9.1). It carries no message: "the request" is the INVITE that its owner keeps, "deliver" means
/// the response whose event is being handled.
public struct InviteClientTransaction: Equatable, Sendable {
    public enum State: UInt8, Sendable { case initial, calling, proceeding, completed, accepted, terminated }

    public enum Timer: UInt8, Sendable {
        case a, b, c, d, m
        /// 64 × T1 after a CANCEL: §9.1 lets the client then consider the transaction cancelled.
        case cancelled
    }

    public enum Event: Equatable, Sendable {
        case started
        /// A 1xx; 100 does not restart timer C.
        case provisional(isTrying: Bool)
        /// A 2xx.
        case success
        /// 300–699.
        case failure
        case fired(Timer)
        case transportFailed
        /// The user wants the request cancelled.
        case cancelRequested
        /// The user goes on elsewhere: as `cancelRequested`, and no further copies of the INVITE are sent.
        case abandoned
    }

    public enum Action: Equatable, Sendable {
        case sendRequest
        /// Make the ACK for the non-2xx response that was received, keep it, send it.
        case sendAcknowledgement
        case repeatAcknowledgement
        case sendCancel
        case deliver
        case deliverTimeout
        case deliverTransportFailure
        case schedule(Timer, Duration)
        case cancel(Timer)
        /// The INVITE is not needed again.
        case releaseRequest
        case end
    }

    public private(set) var state = State.initial
    private let isReliable: Bool
    private let isProxied: Bool
    private var doublings: UInt8 = 0
    private var wantsCancel = false
    private var sentCancel = false

    /// - Parameter isProxied: the INVITE is forwarded by a proxy, so that timer C applies.
    public init(isReliable: Bool, isProxied: Bool) {
        self.isReliable = isReliable
        self.isProxied = isProxied
    }

    public mutating func handle(_ event: Event, timers: TransactionTimers, into actions: inout ActionBuffer<Action>) {
        state =
            switch state {
            case .initial: initial(event, timers, &actions)
            case .calling: calling(event, timers, &actions)
            case .proceeding: proceeding(event, timers, &actions)
            case .completed: completed(event, &actions)
            case .accepted: accepted(event, &actions)
            case .terminated: .terminated
            }
    }

    private func initial(
        _ event: Event, _ timers: TransactionTimers, _ actions: inout ActionBuffer<Action>
    ) -> State {
        switch event {
        case .started:
            // §17.1.1.2: "If an unreliable transport is being used, the client transaction MUST start timer A with
            // a value of T1 … For any transport, the client transaction MUST start timer B with 64*T1 seconds".
            actions.append(.sendRequest)
            if !isReliable { actions.append(.schedule(.a, timers.t1)) }
            actions.append(.schedule(.b, timers.limit))
            return .calling
        case .provisional, .success, .failure, .fired, .transportFailed, .cancelRequested, .abandoned:
            return .initial
        }
    }

    private mutating func calling(
        _ event: Event, _ timers: TransactionTimers, _ actions: inout ActionBuffer<Action>
    ) -> State {
        switch event {
        case .fired(.a):
            // "When timer A fires, the client transaction MUST retransmit the request … with a value of 2*T1."
            doublings += doublings < 16 ? 1 : 0
            actions.append(.sendRequest)
            actions.append(.schedule(.a, timers.doubled(doublings)))
            return .calling
        case .fired(.b):
            actions.append(.cancel(.a))
            actions.append(.deliverTimeout)
            actions.append(.end)
            return .terminated
        case .provisional:
            stopCalling(&actions)
            actions.append(.deliver)
            if wantsCancel {
                sendCancel(timers, &actions)
            } else if isProxied {
                actions.append(.schedule(.c, timers.c))
            }
            return .proceeding
        case .success:
            stopCalling(&actions)
            return accept(timers, &actions)
        case .failure:
            stopCalling(&actions)
            return complete(timers, &actions)
        case .transportFailed:
            stopCalling(&actions)
            actions.append(.deliverTransportFailure)
            actions.append(.end)
            return .terminated
        case .cancelRequested:
            // §9.1: "If no provisional response has been received, the CANCEL request MUST NOT be sent".
            wantsCancel = true
            return .calling
        case .abandoned:
            wantsCancel = true
            if !isReliable { actions.append(.cancel(.a)) }
            return .calling
        case .started, .fired(.c), .fired(.d), .fired(.m), .fired(.cancelled):
            return .calling
        }
    }

    private mutating func proceeding(
        _ event: Event, _ timers: TransactionTimers, _ actions: inout ActionBuffer<Action>
    ) -> State {
        switch event {
        case .provisional(let isTrying):
            actions.append(.deliver)
            // §16.7 step 2: "If the response is a provisional response with status codes 101 to 199 inclusive …
            // the proxy MUST reset timer C".
            if isProxied, !isTrying, !sentCancel {
                actions.append(.cancel(.c))
                actions.append(.schedule(.c, timers.c))
            }
            return .proceeding
        case .success:
            stopProceeding(&actions)
            return accept(timers, &actions)
        case .failure:
            stopProceeding(&actions)
            return complete(timers, &actions)
        case .fired(.c):
            // §16.8: "If the client transaction has received a provisional response, the proxy MUST generate a
            // CANCEL request matching that transaction."
            sendCancel(timers, &actions)
            return .proceeding
        case .fired(.cancelled):
            actions.append(.deliverTimeout)
            actions.append(.end)
            return .terminated
        case .cancelRequested, .abandoned:
            guard !sentCancel else { return .proceeding }
            if isProxied { actions.append(.cancel(.c)) }
            sendCancel(timers, &actions)
            return .proceeding
        case .transportFailed where isReliable:
            // §18.4: "If the transport user asks for a request to be sent over a reliable transport, and the result is
            // a connection failure, the transport layer SHOULD inform the transport user of a failure in sending."
            // Without timer C nothing else would end the wait. ICMP about a datagram says too little for that.
            stopProceeding(&actions)
            actions.append(.deliverTransportFailure)
            actions.append(.end)
            return .terminated
        case .started, .transportFailed, .fired(.a), .fired(.b), .fired(.d), .fired(.m):
            return .proceeding
        }
    }

    private func completed(_ event: Event, _ actions: inout ActionBuffer<Action>) -> State {
        switch event {
        case .failure:
            // §17.1.1.2: retransmissions "MUST cause the ACK to be re-passed to the transport layer …
            // but the newly received response MUST NOT be passed up to the TU".
            actions.append(.repeatAcknowledgement)
            return .completed
        case .fired(.d):
            actions.append(.end)
            return .terminated
        case .transportFailed:
            actions.append(.cancel(.d))
            actions.append(.deliverTransportFailure)
            actions.append(.end)
            return .terminated
        case .started, .provisional, .success, .cancelRequested, .abandoned, .fired(.a), .fired(.b), .fired(.c),
            .fired(.m), .fired(.cancelled):
            return .completed
        }
    }

    private func accepted(_ event: Event, _ actions: inout ActionBuffer<Action>) -> State {
        switch event {
        case .success:
            // RFC 6026 §7.2: "any 2xx response … MUST be passed up to the TU".
            actions.append(.deliver)
            return .accepted
        case .fired(.m):
            actions.append(.end)
            return .terminated
        case .started, .provisional, .failure, .transportFailed, .cancelRequested, .abandoned, .fired(.a), .fired(.b),
            .fired(.c), .fired(.d), .fired(.cancelled):
            return .accepted
        }
    }

    private func stopCalling(_ actions: inout ActionBuffer<Action>) {
        if !isReliable { actions.append(.cancel(.a)) }
        actions.append(.cancel(.b))
    }

    private func stopProceeding(_ actions: inout ActionBuffer<Action>) {
        if sentCancel {
            actions.append(.cancel(.cancelled))
        } else if isProxied {
            actions.append(.cancel(.c))
        }
    }

    private mutating func sendCancel(_ timers: TransactionTimers, _ actions: inout ActionBuffer<Action>) {
        sentCancel = true
        actions.append(.sendCancel)
        actions.append(.schedule(.cancelled, timers.limit))
    }

    /// RFC 6026 §7.2: on a 2xx "the client transaction MUST transition to the 'Accepted' state, and Timer M MUST
    /// be started".
    private func accept(_ timers: TransactionTimers, _ actions: inout ActionBuffer<Action>) -> State {
        actions.append(.releaseRequest)
        actions.append(.deliver)
        actions.append(.schedule(.m, timers.limit))
        return .accepted
    }

    /// §17.1.1.2: a final response of 300–699 "MUST be passed up to the TU, and the client transaction MUST generate
    /// an ACK request, even if the transport is reliable … Timer D … zero seconds for reliable transports".
    private func complete(_ timers: TransactionTimers, _ actions: inout ActionBuffer<Action>) -> State {
        actions.append(.sendAcknowledgement)
        actions.append(.releaseRequest)
        actions.append(.deliver)
        if isReliable {
            actions.append(.end)
            return .terminated
        }
        actions.append(.schedule(.d, timers.d))
        return .completed
    }
}
