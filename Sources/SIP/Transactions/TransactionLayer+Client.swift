import Primitives

extension TransactionLayer {
    /// Sends a request and begins its transaction.
    ///
    /// - Parameters:
    ///   - bytes: the whole request; its top Via carries `branch`.
    ///   - method: any but ACK, which has no transaction: send it as it is.
    ///   - branch: with the magic cookie, never used for that method before.
    ///   - isProxied: an INVITE that a proxy forwards; timer C applies. Without it an INVITE that got a provisional
    ///     response waits for its final one until its user cancels it.
    ///   - context: comes back in the id with every output.
    /// - Returns: nil when the table of client transactions is full: nothing was sent.
    public mutating func request(
        _ bytes: [UInt8], method: Method, branch: String, to flow: Flow, isProxied: Bool = false, context: UInt64 = 0,
        now: MonotonicTime, into outputs: inout [TransactionOutput]
    ) -> ClientTransactionID? {
        precondition(method != .ack, "an ACK has no transaction")
        return begin(
            ClientRecord(
                branch: branch, method: method,
                machine: method == .invite
                    ? .invite(InviteClientTransaction(isReliable: flow.transport.isReliable, isProxied: isProxied))
                    : .nonInvite(NonInviteClientTransaction(isReliable: flow.transport.isReliable)),
                flow: flow, request: bytes, context: context, audience: .user),
            now, &outputs)
    }

    /// Cancels an INVITE (RFC 3261 §9.1): the CANCEL leaves at once if a provisional response was received, else
    /// with the first one. The INVITE's responses, 487 as a rule, come as ever.
    public mutating func cancel(
        _ id: ClientTransactionID, now: MonotonicTime, into outputs: inout [TransactionOutput]
    ) {
        guard clients.isLive(slot: id.slot, generation: id.generation), case .invite = clients[id.slot].machine
        else { return }
        finish(handle(.cancelRequested, inviteClient: id.slot, [], now, &outputs), id.slot, &outputs)
    }

    /// Goes on without this request, as with a center that is dead: no more copies of it are sent and none of its
    /// responses is delivered. If the other side lives after all, an INVITE is cancelled as soon as it shows, and a
    /// 2xx that still comes is delivered as `.lateAnswer`.
    public mutating func abandon(
        _ id: ClientTransactionID, now: MonotonicTime, into outputs: inout [TransactionOutput]
    ) {
        guard clients.isLive(slot: id.slot, generation: id.generation) else { return }
        clients[id.slot].audience = .abandoned
        switch clients[id.slot].machine {
        case .invite: finish(handle(.abandoned, inviteClient: id.slot, [], now, &outputs), id.slot, &outputs)
        case .nonInvite: finish(handle(.abandoned, nonInviteClient: id.slot, now, &outputs), id.slot, &outputs)
        }
    }

    /// Tells a request that it could not be sent.
    public mutating func transportFailed(
        _ id: ClientTransactionID, now: MonotonicTime, into outputs: inout [TransactionOutput]
    ) {
        guard clients.isLive(slot: id.slot, generation: id.generation) else { return }
        switch clients[id.slot].machine {
        case .invite: finish(handle(.transportFailed, inviteClient: id.slot, [], now, &outputs), id.slot, &outputs)
        case .nonInvite: finish(handle(.transportFailed, nonInviteClient: id.slot, now, &outputs), id.slot, &outputs)
        }
    }

    /// Tells all requests that wait for a response from there that the way is closed: a broken connection, or a
    /// refusal by ICMP. An INVITE that already has a provisional response goes on waiting where it went as a datagram
    /// (§17.1.1.2).
    public mutating func transportFailed(
        to flow: Flow, now: MonotonicTime, into outputs: inout [TransactionOutput]
    ) {
        for id in clientTransactions(to: flow) { transportFailed(id, now: now, into: &outputs) }
    }

    /// The transactions without a final response whose requests went to the flow's remote address by its transport and
    /// connection; the youngest first, abandoned ones left out. Connection 0 is any: a request that asked for none in
    /// particular may have left by this one. Costs time in proportion to all requests without a final response.
    public func clientTransactions(to flow: Flow) -> [ClientTransactionID] {
        var found: [ClientTransactionID] = []
        var slot = firstPending
        while slot != .max {
            let other = clients[slot].flow
            if other.remote == flow.remote, other.transport == flow.transport,
                flow.connection == 0 || other.connection == 0 || other.connection == flow.connection,
                clients[slot].audience == .user
            {
                found.append(id(ofClient: slot))
            }
            slot = clients[slot].nextPending
        }
        return found
    }

    /// Where the request was sent; nil when the transaction has ended.
    public func flow(of id: ClientTransactionID) -> Flow? {
        clients.isLive(slot: id.slot, generation: id.generation) ? clients[id.slot].flow : nil
    }

    mutating func receiveResponse(
        _ message: consuming Message, _ flow: Flow, _ now: MonotonicTime, _ outputs: inout [TransactionOutput]
    ) {
        // §17.1.3: the branch of the top Via and the method of CSeq, "since a CANCEL request constitutes a different
        // transaction, but shares the same value of the branch parameter".
        guard let status = message.status, let slot = findClient(of: message) else {
            outputs.append(.strayResponse(message, flow))
            return
        }
        let outcome: TransactionOutcome
        switch clients[slot].machine {
        case .invite(let machine):
            let event: InviteClientTransaction.Event
            var acknowledgement: [UInt8] = []
            switch status {
            case ..<200: event = .provisional(isTrying: status == 100)
            case ..<300: event = .success
            default:
                event = .failure
                if machine.state == .calling || machine.state == .proceeding {
                    acknowledgement = MessageWriter.acknowledge(invite: clients[slot].request, final: message) ?? []
                }
            }
            outcome = handle(event, inviteClient: slot, acknowledgement, now, &outputs)
        case .nonInvite:
            outcome = handle(status < 200 ? .provisional : .final, nonInviteClient: slot, now, &outputs)
        }
        if outcome.delivers {
            switch clients[slot].audience {
            case .user: outputs.append(.response(id(ofClient: slot), message))
            case .abandoned where message.method == .invite && (200...299).contains(status):
                outputs.append(.lateAnswer(id(ofClient: slot), message, flow))
            case .abandoned, .nobody: break
            }
        }
        if outcome.ends { endClient(slot, &outputs) }
    }

    mutating func fire(
        _ timer: InviteClientTransaction.Timer, inviteClient slot: UInt32, _ now: MonotonicTime,
        _ outputs: inout [TransactionOutput]
    ) {
        finish(handle(.fired(timer), inviteClient: slot, [], now, &outputs), slot, &outputs)
    }

    mutating func fire(
        _ timer: NonInviteClientTransaction.Timer, nonInviteClient slot: UInt32, _ now: MonotonicTime,
        _ outputs: inout [TransactionOutput]
    ) {
        finish(handle(.fired(timer), nonInviteClient: slot, now, &outputs), slot, &outputs)
    }

    // MARK: Finding

    private func id(ofClient slot: UInt32) -> ClientTransactionID {
        ClientTransactionID(slot: slot, generation: clients.generation(of: slot), context: clients[slot].context)
    }

    private func hash(branch: UnsafeRawBufferPointer, method: Method) -> UInt64 {
        var hash = SeededHash(seed: seed)
        hash.combine(branch)
        hash.combine(method.hashCode)
        return hash.value
    }

    private func findClient(of message: borrowing Message) -> UInt32? {
        let method = message.method
        return message.withTopVia { via in
            clients.find(hash(branch: via.branch, method: method)) { record in
                record.method == method && record.branch.isSpelled(via.branch)
            }
        }
    }

    // MARK: Beginning and ending

    private mutating func begin(
        _ record: consuming ClientRecord, _ now: MonotonicTime, _ outputs: inout [TransactionOutput]
    ) -> ClientTransactionID? {
        var branch = record.branch
        let method = record.method
        let key = branch.withUTF8 { hash(branch: UnsafeRawBufferPointer($0), method: method) }
        let isInvite = record.method == .invite
        guard let slot = clients.insert(record, hash: key) else { return nil }
        if firstPending != .max { clients[firstPending].previousPending = slot }
        clients[slot].nextPending = firstPending
        clients[slot].isPending = true
        firstPending = slot
        let id = id(ofClient: slot)
        if isInvite {
            _ = handle(.started, inviteClient: slot, [], now, &outputs)
        } else {
            _ = handle(.started, nonInviteClient: slot, now, &outputs)
        }
        return id
    }

    private mutating func leavePending(_ slot: UInt32) {
        guard clients[slot].isPending else { return }
        clients[slot].isPending = false
        let (previous, next) = (clients[slot].previousPending, clients[slot].nextPending)
        if previous == .max { firstPending = next } else { clients[previous].nextPending = next }
        if next != .max { clients[next].previousPending = previous }
    }

    private mutating func finish(_ outcome: TransactionOutcome, _ slot: UInt32, _ outputs: inout [TransactionOutput]) {
        if outcome.ends { endClient(slot, &outputs) }
    }

    private mutating func endClient(_ slot: UInt32, _ outputs: inout [TransactionOutput]) {
        leavePending(slot)
        if clients[slot].audience != .nobody { outputs.append(.clientEnded(id(ofClient: slot))) }
        clients.remove(slot)
    }

    /// The CANCEL that follows an INVITE has its branch and goes where it went (§9.1). Without room for its transaction
    /// it is sent once.
    private mutating func sendCancel(for slot: UInt32, _ now: MonotonicTime, _ outputs: inout [TransactionOutput]) {
        guard let bytes = MessageWriter.cancel(invite: clients[slot].request) else { return }
        let flow = clients[slot].flow
        let record = ClientRecord(
            branch: clients[slot].branch, method: .cancel,
            machine: .nonInvite(NonInviteClientTransaction(isReliable: flow.transport.isReliable)), flow: flow,
            request: bytes, context: 0, audience: .nobody)
        if begin(record, now, &outputs) == nil { outputs.append(.send(bytes, flow)) }
    }

    // MARK: Performing

    private mutating func handle(
        _ event: InviteClientTransaction.Event, inviteClient slot: UInt32, _ acknowledgement: [UInt8],
        _ now: MonotonicTime, _ outputs: inout [TransactionOutput]
    ) -> TransactionOutcome {
        guard case .invite(var machine) = clients[slot].machine else {
            preconditionFailure("client transaction \(slot) is no INVITE: \(clients[slot].machine)")
        }
        var actions = ActionBuffer<InviteClientTransaction.Action>()
        machine.handle(event, timers: timers, into: &actions)
        clients[slot].machine = .invite(machine)
        var outcome = TransactionOutcome()
        for action in actions {
            switch action {
            case .sendRequest, .repeatAcknowledgement:
                if !clients[slot].request.isEmpty { outputs.append(.send(clients[slot].request, clients[slot].flow)) }
            case .sendAcknowledgement:
                clients[slot].request = acknowledgement
                if !acknowledgement.isEmpty { outputs.append(.send(acknowledgement, clients[slot].flow)) }
            case .sendCancel: sendCancel(for: slot, now, &outputs)
            case .deliver: outcome.delivers = true
            case .deliverTimeout: if clients[slot].audience == .user { outputs.append(.timedOut(id(ofClient: slot))) }
            case .deliverTransportFailure:
                if clients[slot].audience == .user { outputs.append(.transportFailed(id(ofClient: slot))) }
            case .schedule(.a, let delay):
                clients[slot].repetition = clock.schedule(.inviteClient(.a), of: slot, after: delay, now: now)
            case .schedule(let timer, let delay):
                clients[slot].deadline = clock.schedule(.inviteClient(timer), of: slot, after: delay, now: now)
            case .cancel(.a): clients[slot].repetition = 0
            case .cancel: clients[slot].deadline = 0
            case .releaseRequest:
                leavePending(slot)
                // What a completed transaction repeats is its ACK.
                if machine.state != .completed { clients[slot].request = [] }
            case .end: outcome.ends = true
            }
        }
        return outcome
    }

    private mutating func handle(
        _ event: NonInviteClientTransaction.Event, nonInviteClient slot: UInt32, _ now: MonotonicTime,
        _ outputs: inout [TransactionOutput]
    ) -> TransactionOutcome {
        guard case .nonInvite(var machine) = clients[slot].machine else {
            preconditionFailure("client transaction \(slot) is an INVITE: \(clients[slot].machine)")
        }
        var actions = ActionBuffer<NonInviteClientTransaction.Action>()
        machine.handle(event, timers: timers, into: &actions)
        clients[slot].machine = .nonInvite(machine)
        var outcome = TransactionOutcome()
        for action in actions {
            switch action {
            case .sendRequest: outputs.append(.send(clients[slot].request, clients[slot].flow))
            case .deliver: outcome.delivers = true
            case .deliverTimeout: if clients[slot].audience == .user { outputs.append(.timedOut(id(ofClient: slot))) }
            case .deliverTransportFailure:
                if clients[slot].audience == .user { outputs.append(.transportFailed(id(ofClient: slot))) }
            case .schedule(.e, let delay):
                clients[slot].repetition = clock.schedule(.nonInviteClient(.e), of: slot, after: delay, now: now)
            case .schedule(let timer, let delay):
                clients[slot].deadline = clock.schedule(.nonInviteClient(timer), of: slot, after: delay, now: now)
            case .cancel(.e): clients[slot].repetition = 0
            case .cancel: clients[slot].deadline = 0
            case .releaseRequest:
                leavePending(slot)
                clients[slot].request = []
            case .end: outcome.ends = true
            }
        }
        return outcome
    }
}
