import Primitives
import SDP
import SIP
import Session
import Store

/// Requests that a center sends inside its dialogs, and their answers.
extension CenterCore {
    /// Sends a request inside the dialog, but for INVITE; its answer comes to `receive(_:to:)` with the call's handle.
    mutating func send(
        _ method: Method, headers: [(HeaderName, String)] = [], body: MessageWriter.Body? = nil, in call: inout Call
    ) {
        let way = way(to: call.dialog.routeSet.first?.uri ?? call.dialog.remoteTarget, from: call.flow)
        let branch = newBranch()
        guard
            let request = call.dialog.request(
                method, via: via(for: way, branch: branch), contact: contactAddress(for: way), headers: headers,
                body: body)
        else { return }
        let id = begin(request.bytes, method, branch: branch, to: way, context: call.handle.rawValue)
        guard let id else {
            // The table is full: once is better than never.
            actions.append(.note(.requestWithoutTransaction))
            return actions.append(.send(request.bytes, way))
        }
        switch method {
        case .bye: parting.insert(.init(dialog: call.dialog, flow: way), as: id)
        case .update: call.update = id
        default: break
        }
    }

    /// Where a request goes whose next hop is that URI: by the connection that the caller holds open while there is
    /// one; else to the URI's address (RFC 3263 §4 without DNS: names are not resolved here), by the transport that it
    /// names; else where the caller signals from.
    func way(to hop: URI, from flow: Flow) -> Flow {
        if flow.transport.isReliable, flow.connection != 0 { return flow }
        var way = flow
        switch hop.parameters[parameter: "transport"]?.value?.lowercased() {
        case "tcp": if contact(for: flow).hasTCP || flow.transport == .tcp { way.transport = .tcp }
        case nil, "udp": way.transport = .udp
        default: break
        }
        let host = hop.parameters[parameter: "maddr"]?.value ?? hop.host
        if let address = IPAddress(host) { way.remote = Endpoint(address, port: hop.port ?? 5060) }
        return way
    }

    /// A re-INVITE with our description as it stands: for phones that know no UPDATE (RFC 4028 §7.4).
    mutating func reinvite(headers: [(HeaderName, String)], in call: inout Call) {
        let before = call.negotiation
        guard let rtp = call.localRTP, call.acceptance == nil, call.reinvite == nil, call.unsentInvite == nil,
            let offer = try? call.negotiation.makeOffer(with: LocalMedia(rtp: rtp))
        else { return }
        prepareInvite(offer, restoring: before, headers: headers, in: &call)
        saveBeforeInvite(&call, patience: settings.checkpointPatience)
    }

    // MARK: Our own INVITEs

    /// Writes and numbers a re-INVITE; `saveBeforeInvite` lets it go.
    mutating func prepareInvite(
        _ offer: SessionDescription, restoring negotiation: OfferAnswer, headers: [(HeaderName, String)],
        in call: inout Call
    ) {
        let way = way(to: call.dialog.routeSet.first?.uri ?? call.dialog.remoteTarget, from: call.flow)
        let branch = newBranch()
        let request = call.dialog.request(
            .invite, via: via(for: way, branch: branch), contact: contactAddress(for: way), headers: headers,
            body: ("application/sdp", Array(offer.description.utf8)))
        guard let request else { return call.negotiation = negotiation }
        call.unsentInvite = Call.UnsentInvite(
            bytes: request.bytes, branch: branch, way: way, negotiation: negotiation)
    }

    /// TAKEOVER.md, Checkpoints: the checkpoint is committed "before any INVITE of ours inside a dialog leaves". With the
    /// store away it leaves all the same.
    mutating func saveBeforeInvite(_ call: inout Call, patience: Duration) {
        guard call.row == .open else {
            call.isDirty = true
            goOn(&call)
            return launchInvite(&call)
        }
        call.isDirty = false
        actions.append(.store(.checkpoint(write(call)), .inviting(call.handle)))
        schedule(.invitePatience, in: &call, after: patience)
    }

    mutating func savedBeforeInvite(_ call: inout Call, _ reply: StoreReply) {
        switch reply {
        case .notOwner, .fenced: return dropWithoutOwnership(&call)
        // A later one is on its way, which says the same of the INVITE; it is that one's commit that counts.
        case .superseded: return actions.append(.store(.checkpoint(write(call)), .inviting(call.handle)))
        case .unavailable:
            actions.append(.note(.unprotected(call.session)))
            saveLater(&call)
        default: break
        }
        goOn(&call)
        launchInvite(&call)
    }

    /// It was waited for long enough, too.
    mutating func launchInvite(_ call: inout Call) {
        cancel(.invitePatience, in: &call)
        guard !call.isOver, let invite = call.unsentInvite.take() else { return }
        call.reinvite = begin(
            invite.bytes, .invite, branch: invite.branch, to: invite.way, context: call.handle.rawValue)
        guard call.reinvite == nil else { return }
        // The table is full: once is better than never.
        actions.append(.note(.requestWithoutTransaction))
        actions.append(.send(invite.bytes, invite.way))
    }

    /// A re-INVITE that has not left makes room for the caller's. What is returned brings it back where the caller's
    /// is refused.
    mutating func withdrawInvite(_ call: inout Call) -> WithdrawnInvite? {
        guard let invite = call.unsentInvite.take() else { return nil }
        defer { call.negotiation = invite.negotiation }
        return WithdrawnInvite(invite: invite, negotiation: call.negotiation)
    }

    /// It leaves as if nothing had come between.
    func restore(_ withdrawn: WithdrawnInvite?, in call: inout Call) {
        guard let withdrawn else { return }
        call.unsentInvite = withdrawn.invite
        call.negotiation = withdrawn.negotiation
    }

    struct WithdrawnInvite {
        fileprivate var invite: Call.UnsentInvite
        /// With the offer that it carries.
        fileprivate var negotiation: OfferAnswer
    }

    // MARK: Answers

    mutating func receive(_ response: Message, to id: ClientTransactionID) {
        if passBack(response, of: id) { return }
        guard let status = response.status, status >= 200 else { return long.heard(id) }
        parting.answered(id)
        long.remove(id)
        let handle = CallHandle(rawValue: id.context)
        guard calls.owner(of: handle) != nil else { return acknowledgeLate(response, status) }
        withCall(handle) { core, call in
            switch response.cseq.method {
            case .invite: core.concludeReinvite(response, status, id, in: &call)
            case .options: return core.offerAnswered(status, id, in: &call)
            case .update: if (200...299).contains(status) { call.dialog.refreshTarget(from: response) }
            default: return
            }
            if response.cseq.method == .invite, call.takeover?.needsInvite == true {
                return core.moveAnswered(status, response, in: &call)
            }
            core.refreshAnswered(response.cseq.method, status, response, in: &call)
        }
        if response.cseq.method == .options { giveMore() }
    }

    /// Our re-INVITE was answered after our BYE: its 2xx wants an ACK all the same.
    private mutating func acknowledgeLate(_ response: Message, _ status: Int) {
        guard response.cseq.method == .invite, (200...299).contains(status),
            let dialog = DialogID(ofResponse: response), let parting = parting.find(dialog)
        else { return }
        acknowledge(response, in: parting.dialog, from: parting.flow)
    }

    /// The ACK of a 2xx is ours to send, again for each copy (§13.2.2.4); other finals are acknowledged below.
    private mutating func acknowledge(_ response: Message, in dialog: Dialog, from flow: Flow) {
        let way = way(to: dialog.routeSet.first?.uri ?? dialog.remoteTarget, from: flow)
        let ack = dialog.acknowledgement(ofInvite: response.cseq.number, via: via(for: way, branch: newBranch()))
        sendACK(ack.bytes, by: way)
    }

    private mutating func concludeReinvite(
        _ response: Message, _ status: Int, _ id: ClientTransactionID, in call: inout Call
    ) {
        let isFirst = call.reinvite == id
        if isFirst { call.reinvite = nil }
        guard (200...299).contains(status) else {
            if isFirst { call.negotiation.abandonOffer() }
            return
        }
        call.dialog.refreshTarget(from: response)
        acknowledge(response, in: call.dialog, from: call.flow)
        guard isFirst, call.negotiation.pendingOffer != nil else { return }
        do throws(NegotiationRefusal) {
            _ = try call.negotiation.accept(offer(of: response))
            call.remoteSDP = response.bodyText
            call.localSDP = call.negotiation.local?.description ?? call.localSDP
            applyAgreement(&call)
        } catch {
            call.negotiation.abandonOffer()
        }
        call.isDirty = true
    }

    /// No answer came, or the way is closed.
    mutating func requestFailed(_ id: ClientTransactionID, status: Int) {
        if passingFailed(id, status) || sayByDatagram(id, after: status) { return }
        if let bye = parting.remove(id) { return sayAgain(bye, after: status) }
        withCall(CallHandle(rawValue: id.context)) { core, call in
            if call.handover?.offer == id { return core.offerUnanswered(id, in: &call) }
            if call.reinvite == id {
                call.reinvite = nil
                call.negotiation.abandonOffer()
                if call.takeover?.needsInvite == true { return core.moveAnswered(status, nil, in: &call) }
                return core.refreshAnswered(.invite, status, nil, in: &call)
            }
            // Of a request that nobody waits for any more nothing follows for the call.
            guard call.update == id else { return }
            call.update = nil
            core.refreshAnswered(.update, status, nil, in: &call)
        }
    }

    /// A BYE whose connection was gone goes once more, by a new one.
    private mutating func sayAgain(_ bye: PartingDialogs.Parting, after status: Int) {
        guard status == 503, bye.flow.connection != 0 else { return }
        var bye = bye
        bye.flow.connection = 0
        bye.flow = way(to: bye.dialog.routeSet.first?.uri ?? bye.dialog.remoteTarget, from: bye.flow)
        let branch = newBranch()
        guard let request = bye.dialog.request(.bye, via: via(for: bye.flow, branch: branch)),
            let id = begin(request.bytes, .bye, branch: branch, to: bye.flow)
        else { return }
        parting.insert(bye, as: id)
    }
}
