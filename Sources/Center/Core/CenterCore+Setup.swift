import Menu
import Primitives
import Routing
import SDP
import SIP
import Session

/// From INVITE to 200.
extension CenterCore {
    /// A new INVITE: what is wrong with it is answered at once, else the call begins with a look for ports.
    mutating func beginCall(_ invite: Message, _ id: ServerTransactionID, _ flow: Flow) {
        guard state == .up else {
            return reject(invite, id, flow, 503, .draining, headers: [(.retryAfter, "10")])
        }
        guard !givesWay else {
            return reject(invite, id, flow, 503, .takeover, headers: [(.retryAfter, "1")])
        }
        if trusts(flow), invite.first(.tandemSession) != nil { heardAccess() }
        guard standing.isSound else {
            return reject(invite, id, flow, 503, .standing, headers: [(.retryAfter, "1")])
        }
        guard let number = invite.requestURI?.calledNumber, let line = settings.lines[number] else {
            return reject(invite, id, flow, 404, .unknownLine)
        }
        guard calls.count < settings.callLimit else {
            return reject(invite, id, flow, 503, .capacity, headers: [(.retryAfter, "5")])
        }
        if case .limited(let wait) = admitSetUp() {
            return reject(invite, id, flow, 503, .setupRate, headers: [(.retryAfter, String(wait))])
        }
        guard !rejectSessionTimer(of: invite, id, flow) else { return }
        let localTag = "\(settings.identity).\(random.hex(16))"
        guard let dialog = Dialog(asServerOf: invite, localTag: localTag) else {
            return reject(invite, id, flow, 400, .malformed, reason: "Missing Contact")
        }
        let session = sessionID(of: invite, from: flow)

        // The 100 leaves before the store is touched: access takes silence for death (TAKEOVER.md, Signalling).
        respond(to: id, of: invite, flow, 100)
        let invitedAt = now
        let ownership = Ownership(node: settings.identity)
        let record = CallRecord(
            id: session, line: number, from: Self.caller(of: invite), centers: [settings.identity.name],
            started: now.wall)
        let origin = Origin(sessionID: random.next() >> 2, address: mediaAddressForOrigin(flow))
        let capabilities = MediaCapabilities(ptimeMs: settings.ptimeMs)
        let signalledFrom = callerAddress(in: invite, from: flow)
        let handle = calls.insert { handle in
            Call(
                handle: handle, session: session, ownership: ownership, line: line, localTag: localTag,
                invitedAt: invitedAt.monotonic, dialog: dialog, flow: flow,
                signalledFrom: signalledFrom, invite: Call.OpenInvite(request: invite, transaction: id, flow: flow),
                inviteCSeq: invite.cseq.number,
                negotiation: OfferAnswer(origin: origin, capabilities: capabilities),
                record: record)
        }
        ringing[id] = handle
        withCall(handle) { core, call in
            core.note(.sip, "INVITE from \(flow.remote)", in: &call)
            core.actions.append(.media(handle, .open))
        }
    }

    /// A session's id comes from access; a caller who dials the center directly gets one here (TAKEOVER.md, Identity).
    private mutating func sessionID(of invite: Message, from flow: Flow) -> SessionID {
        if trusts(flow), let text = invite.first(.tandemSession), let id = SessionID(text) { return id }
        return SessionID(using: &random)
    }

    /// Whether Tandem's own headers are believed from there.
    func trusts(_ flow: Flow) -> Bool { settings.trusted.contains { $0.contains(flow.remote.address) } }

    /// The address that the caller signals from, where nodes of this system stand between: the first on the way back that
    /// is none of theirs. Each of them wrote into the Via below its own where it had the request from (RFC 3261 §18.2.1);
    /// what strangers wrote farther down is not looked at. Nil where nobody stands between.
    func callerAddress(in request: Message, from flow: Flow) -> IPAddress? {
        var address = flow.remote.address
        for via in request.via.dropFirst() {
            guard settings.trusted.contains(where: { $0.contains(address) }),
                let below = IPAddress(via.received ?? via.host)
            else { break }
            address = below
        }
        return address == flow.remote.address ? nil : address
    }

    /// The calling party for the record. It is outside data: of absurd ones the head must do.
    private static func caller(of invite: Message) -> String {
        let name = invite.from.uri.user ?? invite.from.uri.host
        return (name.utf8.count <= 128 ? name : String(name.prefix(32))).visible
    }

    private func mediaAddressForOrigin(_ flow: Flow) -> IPAddress {
        IPAddress(contact(for: flow).host) ?? (flow.remote.address.isV6 ? .v6(0, 1) : .v4(0x7F00_0001))
    }

    /// Ports are there: agree on media, then save before answering.
    mutating func mediaOpened(_ call: inout Call, _ endpoint: Endpoint) {
        if call.takeover?.step == .openingMedia { return resumeMedia(&call, endpoint) }
        guard call.phase == .openingMedia, let invite = call.invite?.request else { return }
        call.localRTP = endpoint
        do throws(NegotiationRefusal) {
            try describe(&call, for: invite)
        } catch {
            return refuse(&call, error.status, .media, headers: [warning(of: error)])
        }
        call.phase = .storing
        open(&call)
        schedule(.checkpointPatience, in: &call, after: settings.checkpointPatience)
    }

    mutating func mediaRefused(_ call: inout Call) {
        if call.takeover?.step == .openingMedia { return mediaMissing(&call) }
        guard call.phase == .openingMedia else { return }
        refuse(&call, 503, .noPorts, headers: [(.retryAfter, "5")])
    }

    /// RFC 3261 §21.4.26: 488 comes with "a Warning header field explaining why the offer was rejected".
    func warning(of refusal: NegotiationRefusal) -> (HeaderName, String) {
        (.warning, "\(refusal.warningCode) \(settings.identity.name) \"\(refusal.words)\"")
    }

    /// Answers the caller's offer, or makes one where the INVITE has none (RFC 3264 §4).
    private func describe(_ call: inout Call, for invite: Message) throws(NegotiationRefusal) {
        guard let rtp = call.localRTP else { throw .address }
        let local = LocalMedia(rtp: rtp)
        guard invite.hasDescription else {
            call.localSDP = try call.negotiation.makeOffer(with: local).description
            return
        }
        let answer = try call.negotiation.answer(offer(of: invite), with: local)
        call.remoteSDP = invite.bodyText
        call.localSDP = answer.description.description
    }

    /// The description in a message's body.
    func offer(of message: Message) throws(NegotiationRefusal) -> SessionDescription {
        do {
            return try SessionDescription(parsing: message.bytes[message.body])
        } catch {
            throw .noAudio
        }
    }

    /// Sends the 200, or first a 180 that the caller wants to acknowledge (RFC 3262 §3).
    mutating func answer(_ call: inout Call) {
        cancel(.checkpointPatience, in: &call)
        guard let invite = call.invite, call.phase == .storing else { return }
        if invite.request.has(optionTag: "100rel", in: .require), call.provisional == nil {
            return ringReliably(&call, invite)
        }
        accept(&call, invite)
    }

    mutating func accept(_ call: inout Call, _ invite: Call.OpenInvite) {
        call.phase = .answered
        call.record.answered = now.wall
        refreshSession(by: invite.request, in: &call)
        sendAcceptance(&call, of: invite)
        ringing[invite.transaction] = nil
        actions.append(.note(.answered(after: now.monotonic - call.invitedAt)))
        note(.sip, "200 to \(invite.flow.remote)", in: &call)
        schedule(.longestCall, in: &call, after: settings.longestCall)
        // With our offer out, media start when the answer has come.
        if call.negotiation.pendingOffer == nil { startMedia(&call) }
        call.isDirty = true
    }

    /// A 2xx to an INVITE or re-INVITE, repeated until its ACK. It carries our description, unless a reliable
    /// provisional response and its PRACK have been offer and answer already.
    mutating func sendAcceptance(_ call: inout Call, of invite: Call.OpenInvite) {
        let isSettled = call.provisional != nil && !invite.request.hasDescription
        let bytes = MessageWriter.response(
            to: invite.request, status: 200, toTag: call.localTag, source: invite.flow.remote,
            contact: contactAddress(for: invite.flow),
            headers: [(.allow, Self.allow), (.supported, Self.supported)] + call.timerHeaders,
            body: isSettled ? nil : ("application/sdp", Array(call.localSDP.utf8)))
        call.acceptance = Call.Acceptance(
            machine: AcceptedInvite(), response: bytes, responseFlow: invite.request.responseFlow(on: invite.flow),
            cseq: invite.request.cseq.number, awaitsAnswer: call.negotiation.pendingOffer != nil)
        call.provisional = nil
        call.provisionalResponse = nil
        transactions.respond(
            to: invite.transaction, status: 200, bytes: bytes, now: now.monotonic, into: &outputs)
        step(.sent, in: &call)
    }

    /// What the call hears first: the menu, an echo or music.
    mutating func startMedia(_ call: inout Call) {
        applyAgreement(&call)
        switch call.line {
        case .echo: actions.append(.media(call.handle, .echo))
        case .music: actions.append(.media(call.handle, .music))
        case .menu(let definition):
            guard call.menu == nil else { return }
            call.menu = MenuMachine(definition, random: SeededRandom(seed: random.next()))
            drive(.entered, in: &call)
        }
    }

    mutating func applyAgreement(_ call: inout Call) {
        guard let agreement = call.negotiation.agreement else { return }
        actions.append(.media(call.handle, .apply(agreement, signalledFrom: call.mediaMayComeFrom, former: nil)))
    }

    /// The call ends before it was answered. One that has a session gets its record.
    mutating func refuse(
        _ call: inout Call, _ status: Int, _ reason: RejectionReason, headers: [(HeaderName, String)] = [],
        endingAs kind: EndKind = .limit
    ) {
        if let invite = call.invite {
            actions.append(.note(.rejected(reason: reason)))
            respond(
                to: invite.transaction, of: invite.request, invite.flow, status, toTag: call.localTag, headers: headers)
        }
        end(&call, kind, "refused with \(status)")
    }
}

extension Call {
    /// Besides the address in its description, the caller's audio may come from where its signalling does (RFC 4961).
    var mediaMayComeFrom: IPAddress { signalledFrom ?? flow.remote.address }
}
