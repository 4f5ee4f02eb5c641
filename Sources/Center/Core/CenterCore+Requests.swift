import Primitives
import SDP
import SIP
import Session

/// Requests as they come, each to its place.
extension CenterCore {
    static let agent = UserAgentCore(
        allow: [.invite, .ack, .bye, .cancel, .options, .info, .update, .prack], supported: ["100rel", "timer"],
        accept: ["application/sdp", "application/dtmf-relay", "application/dtmf"])
    static let allow = agent.allowValue
    static let supported = agent.supportedValue

    mutating func receive(_ request: Message, _ id: ServerTransactionID, _ flow: Flow) {
        actions.append(.note(.received(request.method)))
        if case .reject(let rejection) = Self.agent.check(request) {
            return reject(
                request, id, flow, rejection.status, RejectionReason(status: rejection.status),
                headers: rejection.headers)
        }
        if let dialog = DialogID(ofReceived: request) {
            guard let handle = calls.find(localTag: dialog.localTag), calls.peek(handle)?.dialog.id == dialog else {
                return reject(request, id, flow, 481, .noDialog)
            }
            return withCall(handle) { $0.receiveInDialog(request, id, flow, in: &$1) }
        }
        switch request.method {
        case .invite:
            guard merged.admit(request, as: id) else { return reject(request, id, flow, 482, .loop) }
            beginCall(request, id, flow)
        case .options: answerOPTIONS(request, id, flow)
        case .bye, .info, .update, .prack: reject(request, id, flow, 481, .noDialog)
        case .ack, .cancel, .register, .subscribe, .notify, .message, .refer, .publish, .other:
            reject(request, id, flow, 405, .method, headers: [(.allow, Self.allow)])
        }
    }

    /// Load and state for the master, capabilities for everybody (RFC 3261 §11.2).
    private mutating func answerOPTIONS(_ request: Message, _ id: ServerTransactionID, _ flow: Flow) {
        let headers: [(HeaderName, String)] = [
            (.allow, Self.allow), (.accept, Self.agent.acceptValue), (.supported, Self.supported),
            (.tandemLoad, "calls=\(calls.count);limit=\(settings.callLimit);state=\(state.rawValue)"),
            (.tandemNode, "\(settings.identity.name);incarnation=\(settings.identity.incarnation)"),
        ]
        // Not taking calls is no reason not to say that one lives: any final response does (TAKEOVER.md, Detection).
        respond(to: id, of: request, flow, state == .up ? 200 : 503, headers: headers)
    }

    mutating func receiveCANCEL(
        _ cancel: Message, _ id: ServerTransactionID, invite: ServerTransactionID?, _ flow: Flow
    ) {
        actions.append(.note(.received(.cancel)))
        guard let invite else { return reject(cancel, id, flow, 481, .noDialog) }
        respond(to: id, of: cancel, flow, 200)
        guard let handle = ringing[invite] else { return }
        withCall(handle) { core, call in
            guard !call.isAnswered, let request = call.invite else { return }
            core.respond(to: invite, of: request, call.flow, 487, toTag: call.localTag)
            core.ringing[invite] = nil
            core.note(.sip, "CANCEL", in: &call)
            core.end(&call, .caller, "cancelled before the answer")
        }
    }

    mutating func receiveACK(_ ack: Message, _ flow: Flow) {
        actions.append(.note(.received(.ack)))
        guard let tag = ack.to.tag, let handle = calls.find(localTag: tag) else { return }
        withCall(handle) { core, call in
            guard call.dialog.id == DialogID(ofReceived: ack), let acceptance = call.acceptance,
                acceptance.cseq == ack.cseq.number
            else { return }
            core.step(.acknowledged, in: &call)
            let awaitsAnswer = acceptance.awaitsAnswer
            call.acceptance = nil
            call.invite = nil
            call.inviteTransaction = nil
            if call.phase == .answered { call.phase = .established }
            call.isDirty = true
            if awaitsAnswer { core.takeAnswer(of: ack, in: &call) }
        }
    }

    /// The answer to the offer in our 200 (RFC 3261 §13.2.1); without a good one there is nothing to hear.
    private mutating func takeAnswer(of ack: Message, in call: inout Call) {
        do throws(NegotiationRefusal) {
            _ = try call.negotiation.accept(offer(of: ack))
            call.remoteSDP = ack.bodyText
            if call.menu == nil { startMedia(&call) } else { applyAgreement(&call) }
        } catch {
            call.negotiation.abandonOffer()
            hangUp(&call, .lost, "no usable answer in ACK: \(error)")
        }
    }

    /// The server transactions are at their limit: an answer without one (RFC 3261 §8.2.7).
    mutating func refuseStatelessly(_ request: Message, _ flow: Flow) {
        guard request.method != .ack else { return }
        actions.append(.note(.rejected(reason: .capacity)))
        let bytes = MessageWriter.response(
            to: request, status: 503, toTag: statelessTag(of: request), source: flow.remote,
            headers: [(.retryAfter, "5")])
        guard let via = request.via.first else { return }
        actions.append(.send(bytes, flow.responseFlow(for: via)))
    }

    /// What could not be parsed but can be answered.
    public mutating func refuse(_ error: SIPParseError, on flow: Flow, into actions: inout [CenterAction]) {
        guard error.problem != .keepAlive else { return }
        actions.append(.note(.rejected(reason: .malformed)))
        let toTag = "\(settings.identity).\(random.hex(16))"
        guard let bytes = MessageWriter.response(to: error, toTag: toTag, source: flow.remote) else { return }
        actions.append(.send(bytes, flow))
    }

    // MARK: Responses

    mutating func respond(
        to id: ServerTransactionID, of request: Message, _ flow: Flow, _ status: Int, reason: String? = nil,
        toTag: String? = nil, headers: [(HeaderName, String)] = [], contact: NameAddress? = nil,
        body: MessageWriter.Body? = nil
    ) {
        let bytes = MessageWriter.response(
            to: request, status: status, reason: reason,
            toTag: status == 100 ? nil : toTag ?? statelessTag(of: request), source: flow.remote, contact: contact,
            headers: headers, body: body)
        transactions.respond(to: id, status: status, bytes: bytes, now: now.monotonic, into: &outputs)
    }

    mutating func reject(
        _ request: Message, _ id: ServerTransactionID, _ flow: Flow, _ status: Int, _ reason: RejectionReason,
        reason phrase: String? = nil, headers: [(HeaderName, String)] = []
    ) {
        actions.append(.note(.rejected(reason: reason)))
        respond(to: id, of: request, flow, status, reason: phrase, headers: headers)
    }

    /// A To tag for answers that make no dialog: the same for repeats of a request (RFC 3261 §8.2.7).
    private func statelessTag(of request: Message) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in request.callID.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return "\(settings.identity).\(String(repeating: "0", count: 16 - digits.count))\(digits)"
    }

    func contact(for flow: Flow) -> CenterSettings.Contact {
        let index = Int(flow.listener)
        return settings.contacts.indices.contains(index) ? settings.contacts[index] : settings.contacts[0]
    }

    /// Our own address: in-dialog requests come straight here, or through access by their route set.
    func contactAddress(for flow: Flow) -> NameAddress {
        let contact = contact(for: flow)
        var uri = URI(user: settings.identity.name, host: contact.host, port: contact.port)
        if flow.transport == .tcp { uri.parameters.append(Parameter("transport", "tcp")) }
        return NameAddress(uri: uri)
    }

    func via(for flow: Flow, branch: String) -> Via {
        let contact = contact(for: flow)
        return Via(transport: flow.transport, host: contact.host, port: contact.port, branch: branch, rport: .requested)
    }

    mutating func newBranch() -> String { Via.magicCookie + random.hex(20) }
}

extension Message {
    var bodyText: String { String(decoding: bytes[body], as: UTF8.self) }
}

extension RejectionReason {
    /// Of a refusal by the checks that every user agent makes (RFC 3261 §8.2).
    fileprivate init(status: Int) {
        switch status {
        case 415: self = .body
        case 416, 420: self = .extensions
        default: self = .method
        }
    }
}
