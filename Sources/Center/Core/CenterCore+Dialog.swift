import Media
import Primitives
import SDP
import SIP
import Session

/// Requests inside a call's dialog.
extension CenterCore {
    mutating func receiveInDialog(
        _ request: Message, _ id: ServerTransactionID, _ flow: Flow, in call: inout Call
    ) {
        let order = call.dialog.receive(request)
        switch order {
        case .new, .repeated: call.acceptance?.isHeard = true
        case .old:
            // RFC 3261 §12.2.2: lower than the remote sequence number "MUST be rejected with a 500".
            return respond(to: id, of: request, flow, 500, reason: "CSeq Out Of Order", toTag: call.localTag)
        }
        // The connection that a phone uses now is the one that it can be reached by.
        if flow.transport.isReliable, !wasPassedOn(request, flow) { call.flow = flow }
        switch request.method {
        case .bye:
            respond(to: id, of: request, flow, 200, toTag: call.localTag)
            refuseOpenInvite(&call)
            note(.sip, "BYE from the caller", in: &call)
            end(&call, .caller, "BYE")
        case .invite: reinvite(Call.OpenInvite(request: request, transaction: id, flow: flow), in: &call)
        case .update: update(request, id, flow, in: &call)
        // Access sent it to two centers, and one of them passed it on. Its key counts once; what other requests say holds
        // however often it is said.
        case .info where order == .repeated: respond(to: id, of: request, flow, 200, toTag: call.localTag)
        case .info: info(request, id, flow, in: &call)
        case .prack: prack(request, id, flow, in: &call)
        case .options: respond(to: id, of: request, flow, 200, toTag: call.localTag, headers: Self.agent.capabilities)
        case .ack, .cancel, .register, .subscribe, .notify, .message, .refer, .publish, .other:
            reject(request, id, flow, 405, .method, headers: [(.allow, Self.allow)])
        }
    }

    /// An INVITE that is still open when its call ends is answered, so that its transaction ends: after a CANCEL (§9.2)
    /// or a BYE (§15.1.2) "with a 487".
    mutating func refuseOpenInvite(_ call: inout Call, _ status: Int = 487, headers: [(HeaderName, String)] = []) {
        guard !call.isAnswered, let invite = call.invite else { return }
        respond(
            to: invite.transaction, of: invite.request, invite.flow, status, toTag: call.localTag, headers: headers)
    }

    // MARK: Changes of the session

    /// Hold, resume, a new address, or a refresh (RFC 3261 §14.2).
    private mutating func reinvite(_ invite: Call.OpenInvite, in call: inout Call) {
        let request = invite.request
        guard call.isAnswered else { return tooEarly(request, invite.transaction, invite.flow, in: call) }
        // The peer's INVITE is on its way.
        guard call.handover == nil else {
            return respond(to: invite.transaction, of: request, invite.flow, 491, toTag: call.localTag)
        }
        // A call just taken over, whose stream opens: our own INVITE leaves as soon as it is there.
        guard call.localRTP != nil else {
            return respond(to: invite.transaction, of: request, invite.flow, 491, toTag: call.localTag)
        }
        // After a takeover the ACK of an INVITE before this one is lost for good: who sends another has our 200.
        if call.takeover != nil, let acceptance = call.acceptance, acceptance.cseq < request.cseq.number {
            settleAcceptance(&call)
            guard !call.isOver else { return }
        }
        // Its ACK is lost or late, or an INVITE of ours is in progress (RFC 5407 §3.1.4).
        guard call.acceptance == nil, call.reinvite == nil else {
            return respond(to: invite.transaction, of: request, invite.flow, 491, toTag: call.localTag)
        }
        guard !rejectSessionTimer(of: request, invite.transaction, invite.flow) else { return }
        let withdrawn = withdrawInvite(&call)
        do throws(NegotiationRefusal) {
            try redescribe(&call, by: request)
        } catch {
            restore(withdrawn, in: &call)
            return refuse(error, request, invite.transaction, invite.flow, in: call)
        }
        refreshTarget(of: &call, by: request, invite.flow)
        note(.sip, "re-INVITE, \(call.negotiation.agreement?.direction.rawValue ?? "no media")", in: &call)
        call.invite = invite
        call.inviteCSeq = request.cseq.number
        sendAcceptance(&call, of: invite)
        if call.negotiation.pendingOffer == nil { applyAgreement(&call) }
        call.isDirty = true
        movedByCaller(&call)
    }

    private func redescribe(_ call: inout Call, by request: Message) throws(NegotiationRefusal) {
        guard let rtp = call.localRTP else { throw .address }
        if request.hasDescription {
            call.localSDP =
                try call.negotiation.answer(offer(of: request), with: LocalMedia(rtp: rtp)).description.description
            call.remoteSDP = request.bodyText
        } else {
            call.localSDP = try call.negotiation.makeOffer(with: LocalMedia(rtp: rtp)).description
        }
    }

    private mutating func refreshTarget(of call: inout Call, by request: Message, _ flow: Flow) {
        // A peer that passed it on is not the way to the caller.
        if !wasPassedOn(request, flow) { call.flow = flow }
        call.signalledFrom = callerAddress(in: request, from: flow)
        call.dialog.refreshTarget(from: request)
        refreshSession(by: request, in: &call)
    }

    /// RFC 3311 §5.2; without an offer it refreshes target and session timer.
    private mutating func update(_ request: Message, _ id: ServerTransactionID, _ flow: Flow, in call: inout Call) {
        guard !rejectSessionTimer(of: request, id, flow) else { return }
        var body: MessageWriter.Body?
        if request.hasDescription {
            // "… and the UAS has received an offer … to which it has not yet generated an answer, the UAS MUST reject
            // the UPDATE with a 500 response, and MUST include a Retry-After header field".
            guard call.isAnswered || call.negotiation.pendingOffer != nil, call.handover == nil, call.localRTP != nil
            else {
                return tooEarly(request, id, flow, in: call)
            }
            let withdrawn = withdrawInvite(&call)
            do throws(NegotiationRefusal) {
                try redescribe(&call, by: request)
            } catch {
                restore(withdrawn, in: &call)
                return refuse(error, request, id, flow, in: call)
            }
            body = ("application/sdp", Array(call.localSDP.utf8))
            note(.sip, "UPDATE, \(call.negotiation.agreement?.direction.rawValue ?? "no media")", in: &call)
        }
        refreshTarget(of: &call, by: request, flow)
        if body != nil { applyAgreement(&call) }
        call.isDirty = true
        if body != nil { movedByCaller(&call) }
        respond(
            to: id, of: request, flow, 200, toTag: call.localTag,
            headers: [(.allow, Self.allow), (.supported, Self.supported)] + call.timerHeaders,
            contact: contactAddress(for: flow), body: body)
    }

    /// §14.2: a second INVITE "before it sends the final response to the first … MUST return a 500 … with a Retry-After
    /// header field with a randomly chosen value of between 0 and 10 seconds".
    private mutating func tooEarly(_ request: Message, _ id: ServerTransactionID, _ flow: Flow, in call: Call) {
        let wait = String(SessionChanges.retryAfterSeconds(using: &random))
        respond(to: id, of: request, flow, 500, toTag: call.localTag, headers: [(.retryAfter, wait)])
    }

    /// RFC 3261 §14.2: with a 488 or 491 "the session … remains unchanged".
    private mutating func refuse(
        _ refusal: NegotiationRefusal, _ request: Message, _ id: ServerTransactionID, _ flow: Flow, in call: Call
    ) {
        let headers = refusal.status == 488 ? [warning(of: refusal)] : []
        actions.append(.note(.rejected(reason: .media)))
        respond(to: id, of: request, flow, refusal.status, toTag: call.localTag, headers: headers)
    }

    /// Digits in the body.
    private mutating func info(_ request: Message, _ id: ServerTransactionID, _ flow: Flow, in call: inout Call) {
        guard !request.body.isEmpty else {
            return respond(to: id, of: request, flow, 200, toTag: call.localTag)
        }
        guard let signal = InfoSignal(body: request.bodyText, contentType: request.first(.contentType) ?? "") else {
            return reject(
                request, id, flow, 415, .body, headers: [(.accept, "application/dtmf-relay, application/dtmf")])
        }
        respond(to: id, of: request, flow, 200, toTag: call.localTag)
        switch signal {
        case .key(let digit): press(digit, in: &call)
        // As with telephone-events: a hook flash is nothing that the phone did wrong.
        case .outOfRange: actions.append(.note(.rejected(reason: .body)))
        }
    }

    // MARK: Reliable provisional responses (RFC 3262)

    /// A 180 that is repeated until its PRACK comes. To an INVITE without an offer it is "the first reliable
    /// non-failure message", which must carry ours (RFC 3261 §13.2.1).
    mutating func ringReliably(_ call: inout Call, _ invite: Call.OpenInvite) {
        var machine = ReliableProvisional(cseq: invite.request.cseq, using: &random)
        var steps: [ReliableProvisional.Action] = []
        guard let rseq = machine.send(timers: settings.timers, actions: &steps) else { return accept(&call, invite) }
        call.phase = .awaitingPRACK
        let bytes = MessageWriter.response(
            to: invite.request, status: 180, toTag: call.localTag, source: invite.flow.remote,
            contact: contactAddress(for: invite.flow),
            headers: [(.require, "100rel"), (.rseq, String(rseq)), (.allow, Self.allow)],
            body: call.negotiation.pendingOffer.map { ("application/sdp", Array($0.description.utf8)) })
        call.provisional = machine
        transactions.respond(
            to: invite.transaction, status: 180, bytes: bytes, now: now.monotonic, into: &outputs)
        call.provisionalResponse = bytes
        perform(steps, in: &call)
    }

    private mutating func prack(_ request: Message, _ id: ServerTransactionID, _ flow: Flow, in call: inout Call) {
        var steps: [ReliableProvisional.Action] = []
        guard let invite = call.invite, let rack = request.first(.rack).flatMap({ RAck($0) }),
            call.provisional?.acknowledge(rack, actions: &steps) == true
        else {
            // §3: "If a PRACK request is received by the UA core that does not match any unacknowledged reliable
            // provisional response, the UAS MUST respond to the PRACK with a 481 response."
            return reject(request, id, flow, 481, .noDialog)
        }
        perform(steps, in: &call)
        do throws(NegotiationRefusal) {
            // §5: an offer in the 180 has its answer in the PRACK; a further offer may not come before the 200.
            if call.negotiation.pendingOffer != nil {
                _ = try call.negotiation.accept(offer(of: request))
                call.remoteSDP = request.bodyText
            } else if request.hasDescription {
                throw .unexpectedAnswer
            }
        } catch {
            refuse(error, request, id, flow, in: call)
            return refuse(&call, 488, .media, headers: [warning(of: error)])
        }
        respond(to: id, of: request, flow, 200, toTag: call.localTag)
        accept(&call, invite)
    }
}
