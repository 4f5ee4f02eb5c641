import Primitives

extension TransactionLayer {
    /// Answers a request.
    ///
    /// - Parameters:
    ///   - status: of the response that `bytes` are; what the state allows is sent, else it is dropped
    ///     (a second final response, except repeated 2xx to INVITE).
    /// - Returns: false when the transaction has ended: nothing was sent.
    @discardableResult
    public mutating func respond(
        to id: ServerTransactionID, status: Int, bytes: [UInt8], now: MonotonicTime,
        into outputs: inout [TransactionOutput]
    ) -> Bool {
        guard servers.isLive(slot: id.slot, generation: id.generation) else { return false }
        switch servers[id.slot].machine {
        case .invite:
            let event: InviteServerTransaction.Event =
                status < 200 ? .provisional : status < 300 ? .success : .failure
            let outcome = handle(event, inviteServer: id.slot, bytes, now, &outputs)
            if outcome.ends { endServer(id.slot, &outputs) }
        case .nonInvite:
            let outcome = handle(status < 200 ? .provisional : .final, nonInviteServer: id.slot, bytes, now, &outputs)
            if outcome.ends { endServer(id.slot, &outputs) }
        }
        return true
    }

    /// Answers 100 Trying at once (RFC 3261 §17.2.1), for a user that will not answer within 200 ms.
    /// - Parameter request: the one that came with `id`.
    @discardableResult
    public mutating func trying(
        _ id: ServerTransactionID, request: Message, from flow: Flow, now: MonotonicTime,
        into outputs: inout [TransactionOutput]
    ) -> Bool {
        let bytes = MessageWriter.response(to: request, status: 100, source: flow.remote)
        return respond(to: id, status: 100, bytes: bytes, now: now, into: &outputs)
    }

    /// Tells a server transaction that its last response could not be sent.
    public mutating func responseFailed(
        _ id: ServerTransactionID, now: MonotonicTime, into outputs: inout [TransactionOutput]
    ) {
        guard servers.isLive(slot: id.slot, generation: id.generation) else { return }
        switch servers[id.slot].machine {
        case .invite:
            let outcome = handle(.transportFailed, inviteServer: id.slot, [], now, &outputs)
            if outcome.ends { endServer(id.slot, &outputs) }
        case .nonInvite:
            let outcome = handle(.transportFailed, nonInviteServer: id.slot, [], now, &outputs)
            if outcome.ends { endServer(id.slot, &outputs) }
        }
    }

    /// Where responses to the request go; nil when the transaction has ended.
    public func responseFlow(of id: ServerTransactionID) -> Flow? {
        servers.isLive(slot: id.slot, generation: id.generation) ? servers[id.slot].responseFlow : nil
    }

    /// Whether the request still wants a final response.
    public func awaitsFinalResponse(_ id: ServerTransactionID) -> Bool {
        guard servers.isLive(slot: id.slot, generation: id.generation) else { return false }
        switch servers[id.slot].machine {
        case .invite(let machine): return machine.awaitsFinalResponse
        case .nonInvite(let machine): return machine.awaitsFinalResponse
        }
    }

    mutating func receiveRequest(
        _ message: consuming Message, _ flow: Flow, _ now: MonotonicTime, _ outputs: inout [TransactionOutput]
    ) {
        let method = message.method
        switch method {
        case .ack:
            // §17.2.3: "The method of the request matches the one that created the transaction, except for ACK,
            // where the method of the request that created the transaction is INVITE."
            guard let slot = findServer(ServerIdentity(message, method: .invite)) else {
                outputs.append(.ack(message, flow))
                return
            }
            let outcome = handle(.acknowledged, inviteServer: slot, [], now, &outputs)
            if outcome.delivers { outputs.append(.ack(message, flow)) }
            if outcome.ends { endServer(slot, &outputs) }
        case .invite, .cancel, .bye, .options, .info, .update, .prack, .register, .subscribe, .notify, .message,
            .refer, .publish, .other:
            let identity = ServerIdentity(message, method: method)
            let hash = identity.hash(seed: seed)
            if let slot = servers.find(hash, where: { $0.identity == identity }) {
                repeatRequest(slot, now, &outputs)
            } else if let id = insertServer(identity, hash, for: message, flow) {
                guard method == .cancel else {
                    outputs.append(.request(id, message, flow))
                    return
                }
                // §9.2: the transaction that a CANCEL is for is found "assuming the request method is anything but
                // CANCEL or ACK"; only an INVITE can still be influenced by it.
                let invite = findServer(ServerIdentity(message, method: .invite)).map {
                    ServerTransactionID(slot: $0, generation: servers.generation(of: $0))
                }
                outputs.append(.cancel(id, invite: invite, message, flow))
            } else {
                outputs.append(.refused(message, flow))
            }
        }
    }

    private mutating func repeatRequest(_ slot: UInt32, _ now: MonotonicTime, _ outputs: inout [TransactionOutput]) {
        switch servers[slot].machine {
        case .invite: _ = handle(.repeated, inviteServer: slot, [], now, &outputs)
        case .nonInvite: _ = handle(.repeated, nonInviteServer: slot, [], now, &outputs)
        }
    }

    mutating func fire(
        _ timer: InviteServerTransaction.Timer, inviteServer slot: UInt32, _ now: MonotonicTime,
        _ outputs: inout [TransactionOutput]
    ) {
        if handle(.fired(timer), inviteServer: slot, [], now, &outputs).ends { endServer(slot, &outputs) }
    }

    mutating func fire(
        _ timer: NonInviteServerTransaction.Timer, nonInviteServer slot: UInt32, _ now: MonotonicTime,
        _ outputs: inout [TransactionOutput]
    ) {
        if handle(.fired(timer), nonInviteServer: slot, [], now, &outputs).ends { endServer(slot, &outputs) }
    }

    // MARK: Finding

    private func findServer(_ identity: ServerIdentity) -> UInt32? {
        servers.find(identity.hash(seed: seed)) { $0.identity == identity }
    }

    private mutating func insertServer(
        _ identity: consuming ServerIdentity, _ hash: UInt64, for message: borrowing Message, _ flow: Flow
    ) -> ServerTransactionID? {
        let isReliable = flow.transport.isReliable
        let isInvite = identity.method == .invite
        let record = ServerRecord(
            machine: isInvite
                ? .invite(InviteServerTransaction(isReliable: isReliable))
                : .nonInvite(NonInviteServerTransaction(isReliable: isReliable)),
            responseFlow: message.withTopVia { flow.responseFlow(rport: $0.rport, port: $0.port) }, identity: identity)
        return servers.insert(record, hash: hash).map {
            ServerTransactionID(slot: $0, generation: servers.generation(of: $0))
        }
    }

    private mutating func endServer(_ slot: UInt32, _ outputs: inout [TransactionOutput]) {
        outputs.append(.ended(ServerTransactionID(slot: slot, generation: servers.generation(of: slot))))
        servers.remove(slot)
    }

    // MARK: Performing

    private mutating func handle(
        _ event: InviteServerTransaction.Event, inviteServer slot: UInt32, _ bytes: [UInt8], _ now: MonotonicTime,
        _ outputs: inout [TransactionOutput]
    ) -> TransactionOutcome {
        guard case .invite(var machine) = servers[slot].machine else {
            preconditionFailure("server transaction \(slot) is no INVITE: \(servers[slot].machine)")
        }
        var actions = ActionBuffer<InviteServerTransaction.Action>()
        machine.handle(event, timers: timers, into: &actions)
        servers[slot].machine = .invite(machine)
        var outcome = TransactionOutcome()
        let id = ServerTransactionID(slot: slot, generation: servers.generation(of: slot))
        for action in actions {
            switch action {
            case .sendResponse:
                servers[slot].response = bytes
                outputs.append(.send(bytes, servers[slot].responseFlow))
            case .sendOnce: outputs.append(.send(bytes, servers[slot].responseFlow))
            case .repeatResponse: outputs.append(.send(servers[slot].response, servers[slot].responseFlow))
            case .deliverAcknowledgement: outcome.delivers = true
            case .deliverTimeout: outputs.append(.unacknowledged(id))
            case .deliverTransportFailure: outputs.append(.responseFailed(id))
            case .schedule(.g, let delay):
                servers[slot].repetition = clock.schedule(.inviteServer(.g), of: slot, after: delay, now: now)
            case .schedule(let timer, let delay):
                servers[slot].deadline = clock.schedule(.inviteServer(timer), of: slot, after: delay, now: now)
            case .cancel(.g): servers[slot].repetition = 0
            case .cancel: servers[slot].deadline = 0
            case .releaseResponse: servers[slot].response = []
            case .end: outcome.ends = true
            }
        }
        return outcome
    }

    private mutating func handle(
        _ event: NonInviteServerTransaction.Event, nonInviteServer slot: UInt32, _ bytes: [UInt8],
        _ now: MonotonicTime, _ outputs: inout [TransactionOutput]
    ) -> TransactionOutcome {
        guard case .nonInvite(var machine) = servers[slot].machine else {
            preconditionFailure("server transaction \(slot) is an INVITE: \(servers[slot].machine)")
        }
        var actions = ActionBuffer<NonInviteServerTransaction.Action>()
        machine.handle(event, timers: timers, into: &actions)
        servers[slot].machine = .nonInvite(machine)
        var outcome = TransactionOutcome()
        for action in actions {
            switch action {
            case .sendResponse:
                servers[slot].response = bytes
                outputs.append(.send(bytes, servers[slot].responseFlow))
            case .repeatResponse: outputs.append(.send(servers[slot].response, servers[slot].responseFlow))
            case .deliverTransportFailure:
                outputs.append(
                    .responseFailed(ServerTransactionID(slot: slot, generation: servers.generation(of: slot))))
            case .schedule(let timer, let delay):
                servers[slot].deadline = clock.schedule(.nonInviteServer(timer), of: slot, after: delay, now: now)
            case .cancel: servers[slot].deadline = 0
            case .end: outcome.ends = true
            }
        }
        return outcome
    }
}
