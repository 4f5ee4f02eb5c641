import Primitives
import SDP
import SIP

/// Requests of the other side.
extension CallersCore {
    mutating func receive(_ request: Message, _ id: ServerTransactionID, _ flow: Flow) {
        if case .reject(let rejection) = Self.agent.check(request) {
            return respond(to: id, of: request, flow, rejection.status, headers: rejection.headers)
        }
        guard let localTag = request.to.tag else {
            if request.method == .options {
                return respond(to: id, of: request, flow, 200, headers: Self.agent.capabilities)
            }
            // Nobody calls these phones.
            return respond(to: id, of: request, flow, request.method == .invite ? 480 : 481)
        }
        guard let number = number(ofCallID: request.callID) else { return respond(to: id, of: request, flow, 481) }
        withCaller(number) { core, caller in
            guard caller.localTag == localTag, caller.dialog?.id.remoteTag == request.from.tag ?? "",
                caller.phase == .talking || caller.phase == .ending
            else { return core.respond(to: id, of: request, flow, 481) }
            core.receive(request, id, flow, in: &caller)
        }
    }

    private mutating func receive(
        _ request: Message, _ id: ServerTransactionID, _ flow: Flow, in caller: inout Caller
    ) {
        guard let order = caller.dialog?.receive(request), order != .old else {
            // RFC 3261 §12.2.2: a lower sequence number "MUST be rejected with a 500 (Server Internal Error)".
            return respond(to: id, of: request, flow, 500)
        }
        switch request.method {
        case .bye:
            respond(to: id, of: request, flow, 200)
            hungUpOn(by: request, in: &caller)
        case .invite: reinvite(request, id, flow, in: &caller)
        case .update: update(request, id, flow, in: &caller)
        case .options: respond(to: id, of: request, flow, 200, headers: Self.agent.capabilities)
        case .ack, .cancel, .info, .prack, .register, .subscribe, .notify, .message, .refer, .publish, .other:
            respond(to: id, of: request, flow, 405, headers: [(.allow, Self.agent.allowValue)])
        }
    }

    // MARK: Changes of the session

    /// A new owner of the call with its own address, a hold, or a refresh (RFC 3261 §14.2).
    private mutating func reinvite(
        _ invite: Message, _ id: ServerTransactionID, _ flow: Flow, in caller: inout Caller
    ) {
        guard caller.phase == .talking, let rtp = caller.localRTP else { return respond(to: id, of: invite, flow, 481) }
        switch caller.changes.receiveInvite(hasOffer: !invite.body.isEmpty) {
        case .proceed: break
        case .pending: return respond(to: id, of: invite, flow, 491)
        case .tooEarly:
            let wait = String(SessionChanges.retryAfterSeconds(using: &random))
            return respond(to: id, of: invite, flow, 500, headers: [(.retryAfter, wait)])
        }
        let description: SessionDescription
        do throws(NegotiationRefusal) {
            description = try describe(&caller, for: invite, rtp)
        } catch {
            caller.changes.answeredInvite()
            return respond(to: id, of: invite, flow, error.status)
        }
        caller.changes.answeredInvite()
        if invite.body.isEmpty { caller.changes.sentOfferInResponse() }
        accept(invite, id, flow, description, in: &caller)
        if !invite.body.isEmpty { applyAgreement(of: &caller) }
    }

    private func describe(
        _ caller: inout Caller, for request: Message, _ rtp: Endpoint
    ) throws(NegotiationRefusal) -> SessionDescription {
        guard !request.body.isEmpty else { return try caller.negotiation.makeOffer(with: LocalMedia(rtp: rtp)) }
        guard let offer = request.description else { throw .noAudio }
        return try caller.negotiation.answer(offer, with: LocalMedia(rtp: rtp)).description
    }

    /// A 200 that is repeated until its ACK comes (RFC 3261 §13.3.1.4).
    private mutating func accept(
        _ invite: Message, _ id: ServerTransactionID, _ flow: Flow, _ description: SessionDescription,
        in caller: inout Caller
    ) {
        caller.dialog?.refreshTarget(from: invite)
        caller.flow = flow
        caller.record.reinvites += 1
        step(.ended, in: &caller)
        let bytes = MessageWriter.response(
            to: invite, status: 200, source: flow.remote, contact: contact(of: caller),
            headers: [(.allow, Self.agent.allowValue)], body: ("application/sdp", description.bytes))
        caller.acceptance = Caller.Acceptance(
            response: bytes, flow: invite.responseFlow(on: flow), cseq: invite.cseq.number,
            awaitsAnswer: invite.body.isEmpty)
        transactions.respond(to: id, status: 200, bytes: bytes, now: now, into: &outputs)
        step(.sent, in: &caller)
    }

    /// RFC 3311 §5.2; without a body it refreshes the target only.
    private mutating func update(
        _ request: Message, _ id: ServerTransactionID, _ flow: Flow, in caller: inout Caller
    ) {
        guard caller.phase == .talking, let rtp = caller.localRTP else {
            return respond(to: id, of: request, flow, 481)
        }
        var body: MessageWriter.Body?
        if !request.body.isEmpty {
            switch caller.changes.receiveUpdate(hasOffer: true) {
            case .proceed: break
            case .pending: return respond(to: id, of: request, flow, 491)
            case .tooEarly:
                let wait = String(SessionChanges.retryAfterSeconds(using: &random))
                return respond(to: id, of: request, flow, 500, headers: [(.retryAfter, wait)])
            }
            caller.changes.settledRemoteOffer()
            do throws(NegotiationRefusal) {
                body = ("application/sdp", try describe(&caller, for: request, rtp).bytes)
            } catch {
                return respond(to: id, of: request, flow, error.status)
            }
            applyAgreement(of: &caller)
        }
        caller.dialog?.refreshTarget(from: request)
        caller.flow = flow
        caller.record.updates += 1
        respond(
            to: id, of: request, flow, 200, contact: contact(of: caller), headers: [(.allow, Self.agent.allowValue)],
            body: body)
    }

    private mutating func applyAgreement(of caller: inout Caller) {
        guard let agreement = caller.negotiation.agreement else { return }
        // A hold may name no address at all.
        if agreement.remoteRTP.port != 0, !agreement.remoteRTP.address.isUnspecified {
            if let former = caller.remoteRTP, former != agreement.remoteRTP { caller.record.moves += 1 }
            caller.remoteRTP = agreement.remoteRTP
        }
        actions.append(.media(caller.number, .talk(agreement, at: now)))
    }

    // MARK: Acknowledgements

    mutating func receiveACK(_ ack: Message) {
        guard let number = number(ofCallID: ack.callID) else { return }
        withCaller(number) { core, caller in
            guard let acceptance = caller.acceptance, acceptance.cseq == ack.cseq.number,
                acceptance.machine.state == .waiting
            else { return }
            core.step(.acknowledged, in: &caller)
            guard acceptance.awaitsAnswer else { return }
            caller.changes.settledLocalOffer()
            guard let answer = ack.description, (try? caller.negotiation.accept(answer)) != nil else {
                return caller.negotiation.abandonOffer()
            }
            core.applyAgreement(of: &caller)
        }
    }

    mutating func step(_ event: AcceptedInvite.Event, in caller: inout Caller) {
        let steps = caller.acceptance?.machine.handle(event, timers: settings.timers) ?? []
        for step in steps {
            switch step {
            case .repeatResponse:
                if let acceptance = caller.acceptance { actions.append(.send(acceptance.response, acceptance.flow)) }
            case .confirm: break
            case .schedule(.repetition, let delay): schedule(.acceptance, in: &caller, after: delay)
            case .schedule(.patience, let delay): schedule(.acceptanceLimit, in: &caller, after: delay)
            case .cancel(.repetition): cancel(.acceptance, in: &caller)
            case .cancel(.patience): cancel(.acceptanceLimit, in: &caller)
            case .giveUp:
                // "the session SHOULD be terminated": a re-INVITE whose ACK never came.
                caller.record.ending = .dropped("no ACK to our 200")
                sayBye(&caller)
            }
        }
    }
}
