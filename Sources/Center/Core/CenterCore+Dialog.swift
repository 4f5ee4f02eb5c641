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
        switch call.dialog.receive(request) {
        case .inOrder: break
        case .outOfOrder:
            // RFC 3261 §12.2.2: lower than the remote sequence number "MUST be rejected with a 500".
            return respond(to: id, of: request, flow, 500, reason: "CSeq Out Of Order", toTag: call.localTag)
        }
        call.flow = flow
        switch request.method {
        case .bye:
            respond(to: id, of: request, flow, 200, toTag: call.localTag)
            refuseOpenInvite(&call)
            note(.sip, "BYE from the caller", in: &call)
            end(&call, .caller, "BYE")
        case .invite: reinvite(request, id, flow, in: &call)
        case .update: update(request, id, flow, in: &call)
        case .info: info(request, id, flow, in: &call)
        case .prack: prack(request, id, flow, in: &call)
        case .options: respond(to: id, of: request, flow, 200, toTag: call.localTag, headers: [(.allow, Self.allow)])
        case .ack, .cancel, .register, .subscribe, .notify, .message, .refer, .publish, .other:
            reject(request, id, flow, 405, .method, headers: [(.allow, Self.allow)])
        }
    }

    /// An INVITE that is still open when the dialog ends is answered, so that its transaction ends (§15.1.2).
    private mutating func refuseOpenInvite(_ call: inout Call) {
        guard !call.isAnswered, let id = call.inviteTransaction, let invite = call.invite else { return }
        respond(to: id, of: invite, call.flow, 487, toTag: call.localTag)
        ringing[id] = nil
    }

    // MARK: Changes of the session

    /// Hold, resume, a new address, or a refresh (RFC 3261 §14.2).
    private mutating func reinvite(_ invite: Message, _ id: ServerTransactionID, _ flow: Flow, in call: inout Call) {
        guard call.phase == .established else {
            // §14.2: a second INVITE "before it sends the final response to the first … MUST return a 500 … with a
            // Retry-After header field with a randomly chosen value of between 0 and 10 seconds".
            let wait = String(SessionChanges.retryAfterSeconds(using: &random))
            return respond(to: id, of: invite, flow, 500, toTag: call.localTag, headers: [(.retryAfter, wait)])
        }
        guard call.acceptance == nil else {
            return respond(to: id, of: invite, flow, 491, toTag: call.localTag)
        }
        do throws(NegotiationRefusal) {
            try redescribe(&call, by: invite)
        } catch {
            return respond(to: id, of: invite, flow, error.status, toTag: call.localTag)
        }
        call.dialog.refreshTarget(from: invite)
        refreshSession(by: invite, in: &call)
        note(.sip, "re-INVITE, \(call.negotiation.agreement?.direction.rawValue ?? "no media")", in: &call)
        call.invite = invite
        call.inviteTransaction = id
        sendAcceptance(&call, of: invite, id, awaitsAnswer: invite.body.isEmpty)
        if !invite.body.isEmpty { applyAgreement(&call) }
        call.isDirty = true
    }

    private func redescribe(_ call: inout Call, by request: Message) throws(NegotiationRefusal) {
        guard let rtp = call.localRTP else { throw .address }
        if request.body.isEmpty {
            call.localSDP = try call.negotiation.makeOffer(with: LocalMedia(rtp: rtp)).description
        } else {
            call.localSDP =
                try call.negotiation.answer(offer(of: request), with: LocalMedia(rtp: rtp)).description.description
            call.remoteSDP = request.bodyText
        }
    }

    /// RFC 3311 §5.2; without a body it refreshes target and session timer.
    private mutating func update(_ request: Message, _ id: ServerTransactionID, _ flow: Flow, in call: inout Call) {
        var body: MessageWriter.Body?
        if !request.body.isEmpty {
            do throws(NegotiationRefusal) {
                guard call.acceptance == nil else { throw .offerPending }
                try redescribe(&call, by: request)
            } catch {
                return respond(to: id, of: request, flow, error.status, toTag: call.localTag)
            }
            body = ("application/sdp", Array(call.localSDP.utf8))
            applyAgreement(&call)
        }
        call.dialog.refreshTarget(from: request)
        refreshSession(by: request, in: &call)
        call.isDirty = true
        respond(
            to: id, of: request, flow, 200, toTag: call.localTag,
            headers: [(.allow, Self.allow)] + call.timerHeaders,
            contact: contactAddress(for: flow), body: body)
    }

    /// Digits as bodies: `Signal=5` lines (application/dtmf-relay) or the bare key (application/dtmf).
    private mutating func info(_ request: Message, _ id: ServerTransactionID, _ flow: Flow, in call: inout Call) {
        guard !request.body.isEmpty else {
            return respond(to: id, of: request, flow, 200, toTag: call.localTag)
        }
        guard let digit = Digit(infoBody: request.bodyText, contentType: request.first(.contentType) ?? "") else {
            return reject(request, id, flow, 415, .body, headers: [(.accept, "application/dtmf-relay, application/dtmf")])
        }
        respond(to: id, of: request, flow, 200, toTag: call.localTag)
        press(digit, in: &call)
    }

    // MARK: Reliable provisional responses (RFC 3262)

    mutating func ringReliably(_ call: inout Call, _ invite: Message) {
        guard let id = call.inviteTransaction else { return }
        var machine = ReliableProvisional(cseq: invite.cseq, using: &random)
        var steps: [ReliableProvisional.Action] = []
        guard let rseq = machine.send(timers: settings.timers, actions: &steps) else { return accept(&call, invite) }
        call.phase = .awaitingPRACK
        let bytes = MessageWriter.response(
            to: invite, status: 180, toTag: call.localTag, source: call.flow.remote,
            contact: contactAddress(for: call.flow),
            headers: [(.require, "100rel"), (.rseq, String(rseq)), (.allow, Self.allow)])
        call.provisional = machine
        transactions.respond(to: id, status: 180, bytes: bytes, now: now.monotonic, into: &outputs)
        call.provisionalResponse = bytes
        perform(steps, in: &call)
    }

    private mutating func prack(_ request: Message, _ id: ServerTransactionID, _ flow: Flow, in call: inout Call) {
        var steps: [ReliableProvisional.Action] = []
        guard let invite = call.invite, let rack = request.first(.rack).flatMap({ RAck($0) }),
            call.provisional?.acknowledge(rack, actions: &steps) == true
        else {
            return reject(request, id, flow, 481, .noDialog)
        }
        respond(to: id, of: request, flow, 200, toTag: call.localTag)
        perform(steps, in: &call)
        if call.phase == .awaitingPRACK {
            call.phase = .storing
            accept(&call, invite)
        }
    }

    // MARK: Our own requests

    /// Sends a request inside the dialog; its answer comes to `receive(_:to:)` with the call's handle.
    mutating func send(_ method: Method, headers: [(HeaderName, String)] = [], body: MessageWriter.Body? = nil, in call: inout Call) {
        let branch = newBranch()
        let contact = contactAddress(for: call.flow)
        let request = call.dialog.request(
            method, via: via(for: call.flow, branch: branch), contact: contact, headers: headers, body: body)
        let sent = request.flatMap { request in
            transactions.request(
                request.bytes, method: method, branch: branch, to: nextHop(request, of: call),
                context: call.handle.rawValue, now: now.monotonic, into: &outputs)
        }
        if sent == nil { actions.append(.note(.retransmissionGaveUp)) }
    }

    /// Where a request inside the dialog goes: the connection that the caller holds open, else the first route or the
    /// remote target by address.
    private func nextHop(_ request: Dialog.Request, of call: Call) -> Flow {
        if call.flow.transport.isReliable { return call.flow }
        var flow = call.flow
        guard let address = IPAddress(request.nextHop.host) else { return flow }
        flow.remote = Endpoint(address, port: request.nextHop.port ?? 5060)
        return flow
    }

    /// A re-INVITE with our description as it stands: for phones that know no UPDATE (RFC 4028 §7.4).
    mutating func reinvite(headers: [(HeaderName, String)], in call: inout Call) {
        guard let rtp = call.localRTP, call.acceptance == nil,
            let offer = try? call.negotiation.makeOffer(with: LocalMedia(rtp: rtp))
        else { return }
        call.localSDP = offer.description
        send(.invite, headers: headers, body: ("application/sdp", Array(call.localSDP.utf8)), in: &call)
    }

    mutating func receive(_ response: Message, to id: ClientTransactionID) {
        guard let status = response.status, status >= 200 else { return }
        withCall(CallHandle(rawValue: id.context)) { core, call in
            if response.cseq.method == .invite { core.concludeReinvite(response, status, in: &call) }
            core.answered(response.cseq.method, status, response, in: &call)
        }
    }

    /// The ACK of a 2xx is ours to send, again for each copy (§13.2.2.4); other finals are acknowledged below.
    private mutating func concludeReinvite(_ response: Message, _ status: Int, in call: inout Call) {
        guard (200...299).contains(status) else { return call.negotiation.abandonOffer() }
        call.dialog.refreshTarget(from: response)
        let ack = call.dialog.acknowledgement(
            ofInvite: response.cseq.number, via: via(for: call.flow, branch: newBranch()))
        actions.append(.send(ack.bytes, nextHop(ack, of: call)))
        guard call.negotiation.pendingOffer != nil else { return }
        do throws(NegotiationRefusal) {
            _ = try call.negotiation.accept(offer(of: response))
            call.remoteSDP = response.bodyText
            applyAgreement(&call)
        } catch {
            call.negotiation.abandonOffer()
        }
        call.isDirty = true
    }

    mutating func requestFailed(_ id: ClientTransactionID, status: Int) {
        withCall(CallHandle(rawValue: id.context)) { core, call in
            call.negotiation.abandonOffer()
            core.answered(.update, status, nil, in: &call)
        }
    }
}

extension Message {
    /// Where responses to this request go that came by `flow`.
    func responseFlow(on flow: Flow) -> Flow { via.first.map { flow.responseFlow(for: $0) } ?? flow }
}

extension Digit {
    /// The key in the body of an INFO; nil where there is none.
    init?(infoBody text: String, contentType: String) {
        let type = contentType.prefix { $0 != ";" }.filter { !$0.isWhitespace }.lowercased()
        let key: Substring
        switch type {
        case "application/dtmf-relay":
            let lines = text.split(whereSeparator: \.isNewline)
            guard let signal = lines.first(where: { $0.lowercased().hasPrefix("signal") }),
                let equals = signal.firstIndex(of: "=")
            else { return nil }
            key = signal[signal.index(after: equals)...]
        case "application/dtmf": key = text[...]
        default: return nil
        }
        let trimmed = key.filter { !$0.isWhitespace }
        if trimmed == "10" { self.init(Character("*")) } else if trimmed == "11" { self.init(Character("#")) } else {
            guard trimmed.count == 1, let character = trimmed.first else { return nil }
            self.init(character)
        }
    }
}
