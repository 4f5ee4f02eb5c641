import Primitives
import Routing
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
        if case .reject(let rejection) = Self.agent.check(request) {
            return reject(
                request, id, flow, rejection.status, RejectionReason(status: rejection.status),
                headers: rejection.headers)
        }
        guard !request.hasForeignBody else {
            return reject(request, id, flow, 415, .body, headers: [(.accept, "application/sdp")])
        }
        if let dialog = DialogID(ofReceived: request) {
            if let handle = calls.find(dialog) {
                return withCall(handle) { $0.receiveInDialog(request, id, flow, in: &$1) }
            }
            // Both sides hung up at once: to the caller's phone that is an ordinary end.
            if request.method == .bye, parting.holds(dialog, now: now.monotonic) {
                return respond(to: id, of: request, flow, 200)
            }
            return findHolder(of: request, id, flow, dialog)
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
        if trusts(flow) {
            if let value = request.first(.tandemHandover) { return receiveHandover(request, value, id, flow) }
            hear(request, by: flow)
            heed(request)
        }
        let notice = NodeNotice(node: settings.identity.name, incarnation: settings.identity.incarnation)
        let headers: [(HeaderName, String)] =
            Self.agent.capabilities + [
                (.tandemLoad, "calls=\(calls.count);limit=\(settings.callLimit);state=\(state.rawValue)"),
                (.tandemNode, notice.headerValue),
            ]
        // Not taking calls is no reason not to say that one lives: any final response does (TAKEOVER.md, Detection).
        respond(to: id, of: request, flow, state == .up ? 200 : 503, headers: headers)
    }

    mutating func receiveCANCEL(
        _ cancel: Message, _ id: ServerTransactionID, invite: ServerTransactionID?, _ flow: Flow
    ) {
        guard let invite else { return reject(cancel, id, flow, 481, .noDialog) }
        // §9.2: once there is a final response, CANCEL "has no effect on the processing of the original request".
        guard let handle = ringing[invite] else { return respond(to: id, of: cancel, flow, 200) }
        withCall(handle) { core, call in
            // "The To tag of the response to the CANCEL and the To tag in the response to the original request SHOULD
            // be the same."
            core.respond(to: id, of: cancel, flow, 200, toTag: call.localTag)
            guard !call.isAnswered else { return }
            core.refuseOpenInvite(&call)
            core.note(.sip, "CANCEL", in: &call)
            core.end(&call, .caller, "cancelled before the answer")
        }
    }

    mutating func receiveACK(_ ack: Message, _ flow: Flow) {
        guard let dialog = DialogID(ofReceived: ack) else { return }
        guard let handle = calls.find(dialog) else { return findHolder(of: ack, flow, dialog) }
        withCall(handle) { core, call in
            guard let acceptance = call.acceptance, acceptance.cseq == ack.cseq.number else { return }
            core.settleAcceptance(&call)
            guard !call.isOver else { return }
            if acceptance.awaitsAnswer { core.takeAnswer(of: ack, in: &call) }
            if !call.isOver { core.inviteAgain(&call) }
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
            // Of a re-INVITE: "the session description … remains unchanged" (§14.1).
            guard call.negotiation.agreement == nil else { return }
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
        actions.append(.send(bytes, request.responseFlow(on: flow)))
    }

    /// What could not be parsed but can be answered.
    public mutating func refuse(_ error: SIPParseError, on flow: Flow, into actions: inout [CenterAction]) {
        guard error.problem != .keepAlive else { return }
        actions.append(.note(.rejected(reason: .malformed)))
        let toTag = "\(settings.identity).\(random.hex(16))"
        guard let bytes = MessageWriter.response(to: error, toTag: toTag, source: flow.remote) else { return }
        let way = error.responseFlow(on: flow)
        // Not while it may be another's place to speak (TAKEOVER.md, The old owner).
        guard standing.isUnconfirmed else { return actions.append(.send(bytes, way)) }
        if way.transport.isReliable { held.hold(bytes, way, now: now.monotonic) }
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
        var tail = SeededRandom(seed: hash)
        return "\(settings.identity).\(tail.hex(16))"
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

    /// Where responses to this request go that came by `flow`.
    func responseFlow(on flow: Flow) -> Flow { via.first.map { flow.responseFlow(for: $0) } ?? flow }

    /// It carries an offer or an answer. Other bodies got here only because they may be passed over.
    var hasDescription: Bool {
        !body.isEmpty && mediaType == "application/sdp"
    }

    /// A digit where a description belongs.
    fileprivate var hasForeignBody: Bool {
        guard method != .info, !body.isEmpty else { return false }
        return ["application/dtmf-relay", "application/dtmf"].contains(mediaType)
    }

    private var mediaType: String {
        (first(.contentType) ?? "").prefix { $0 != ";" }.filter { !$0.isWhitespace }.lowercased()
    }
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
