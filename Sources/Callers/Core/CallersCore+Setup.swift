import Primitives
import SDP
import SIP

/// From the first INVITE to the answer.
extension CallersCore {
    mutating func dial(_ caller: inout Caller, from rtp: Endpoint) {
        guard caller.phase == .opening else { return }
        caller.localRTP = rtp
        guard let offer = try? caller.negotiation.makeOffer(with: LocalMedia(rtp: rtp)) else {
            return end(&caller, .failed(.badAnswer))
        }
        caller.offer = offer.bytes
        caller.phase = .inviting
        schedule(.patience, in: &caller, after: settings.patience)
        var uri = URI(
            user: settings.line, host: settings.target.address.description, port: settings.target.port)
        if settings.transport == .tcp { uri.parameters = [Parameter("transport", "tcp")] }
        invite(uri, in: &caller)
    }

    /// Sends the INVITE to the line itself or, after a redirection, to a Contact: "the same To, From and Call-ID", a
    /// new branch and the next CSeq (RFC 3261 §8.1.3.4).
    private mutating func invite(_ uri: URI, in caller: inout Caller) {
        caller.requestURI = uri
        caller.flow = flow(to: uri, fallback: caller.flow)
        caller.cseq += 1
        caller.hasProvisional = false
        let branch = newBranch()
        let host = settings.target.address.description
        let bytes = MessageWriter.request(
            method: .invite, uri: uri, via: via(caller.flow, branch: branch),
            from: NameAddress(
                uri: URI(user: caller.user, host: settings.local.address.description),
                parameters: [Parameter("tag", caller.localTag)]),
            to: NameAddress(uri: URI(user: settings.line, host: host)), callID: caller.callID, cseq: caller.cseq,
            contact: contact(of: caller), headers: [(.allow, Self.agent.allowValue), (.userAgent, "tandem callers")],
            body: ("application/sdp", caller.offer))
        caller.invite = transactions.request(
            bytes, method: .invite, branch: branch, to: caller.flow, context: UInt64(caller.number), now: now,
            into: &outputs)
        if caller.invite == nil { end(&caller, .failed(.unreachable)) }
    }

    // MARK: Responses

    mutating func receive(_ response: Message, to id: ClientTransactionID) {
        guard id.context != Self.bystander, let status = response.status else { return }
        withCaller(Int(clamping: id.context)) { core, caller in
            switch response.cseq.method {
            case .invite: core.receiveInviteResponse(response, status, to: id, in: &caller)
            case .bye where status >= 200:
                // The call was gone at the other side before we ended it.
                if status == 481, caller.record.ending == .held || caller.record.ending == .planned {
                    caller.record.ending = .dropped("481 to our BYE")
                }
                core.depart(&caller)
            default: break
            }
        }
    }

    private mutating func receiveInviteResponse(
        _ response: Message, _ status: Int, to id: ClientTransactionID, in caller: inout Caller
    ) {
        switch status {
        case ..<200:
            guard id == caller.invite else { return }
            caller.hasProvisional = true
            cancel(.contactPatience, in: &caller)
        case 200...299: answered(response, in: &caller)
        case 300...399 where caller.phase == .inviting:
            guard id == caller.invite else { return }
            caller.targets.add(response.contacts)
            redirect(&caller, or: .status(status))
        default:
            guard id == caller.invite else { return }
            if status == 503 { caller.record.retryAfter = response.first(.retryAfter).flatMap(Self.leadingNumber) }
            // §8.1.3.4 and §21.6: a 6xx speaks for all places.
            redirect(&caller, or: .status(status), isFinal: status >= 600)
        }
    }

    private static func leadingNumber(of text: String) -> Int? { Int(text.prefix { $0.isNumber }) }

    /// Tries the next Contact; without one the call has failed.
    private mutating func redirect(_ caller: inout Caller, or failure: CallerRecord.Failure, isFinal: Bool = false) {
        caller.invite = nil
        cancel(.contactPatience, in: &caller)
        guard caller.phase == .inviting, !isFinal, let next = caller.targets.next() else {
            return end(&caller, .failed(failure))
        }
        caller.record.redirects += 1
        if !caller.targets.isEmpty { schedule(.contactPatience, in: &caller, after: settings.contactPatience) }
        invite(next, in: &caller)
    }

    mutating func requestFailed(_ id: ClientTransactionID, _ failure: CallerRecord.Failure) {
        guard id.context != Self.bystander else { return }
        withCaller(Int(clamping: id.context)) { core, caller in
            if id == caller.invite {
                core.redirect(&caller, or: failure)
            } else if caller.phase == .ending {
                core.depart(&caller)
            }
        }
    }

    // MARK: Patience

    /// Nothing at all came from this Contact: the next one.
    mutating func contactIsSilent(_ caller: inout Caller) {
        guard caller.phase == .inviting, let id = caller.invite else { return }
        transactions.abandon(id, now: now, into: &outputs)
        redirect(&caller, or: .timeout)
    }

    /// RFC 3261 §9.1: a CANCEL needs a provisional response first; without one nobody may be there at all, and the
    /// transaction layer cancels as soon as somebody shows.
    mutating func giveUp(_ caller: inout Caller, _ ending: CallerRecord.Ending) {
        guard caller.phase == .inviting, let id = caller.invite else { return }
        caller.record.ending = ending
        guard caller.hasProvisional else {
            transactions.abandon(id, now: now, into: &outputs)
            return end(&caller, ending)
        }
        caller.phase = .cancelling
        cancelAllTimers(of: &caller)
        transactions.cancel(id, now: now, into: &outputs)
        schedule(.farewell, in: &caller, after: settings.farewell)
    }

    // MARK: The answer

    private mutating func answered(_ response: Message, in caller: inout Caller) {
        if let dialog = caller.dialog, response.to.tag == dialog.id.remoteTag {
            // §13.2.2.4: "the ACK … MUST be passed to the client transport every time a retransmission of the 2xx
            // final response … arrives."
            if let ack = caller.ack { actions.append(.send(ack.bytes, ack.flow)) }
            return
        }
        guard caller.phase == .inviting else {
            // From another branch of a fork, or it crossed our CANCEL.
            refuseAnswer(response)
            if caller.phase == .cancelling { end(&caller, caller.record.ending ?? .failed(.timeout)) }
            return
        }
        cancelAllTimers(of: &caller)
        guard let dialog = Dialog(asClientOf: response) else { return end(&caller, .failed(.badAnswer)) }
        let request = dialog.acknowledgement(
            ofInvite: response.cseq.number, via: via(caller.flow, branch: newBranch()))
        let ack = (bytes: request.bytes, flow: flow(to: request.nextHop, fallback: caller.flow))
        caller.flow = ack.flow
        caller.dialog = dialog
        caller.ack = ack
        actions.append(.send(ack.bytes, ack.flow))
        guard let description = response.description, let agreement = try? caller.negotiation.accept(description) else {
            caller.record.ending = .failed(.badAnswer)
            return sayBye(&caller)
        }
        caller.phase = .talking
        caller.remoteRTP = agreement.remoteRTP
        caller.record.answeredAt = now
        caller.isHeardOf = false
        caller.record.lacksTelephoneEvents = agreement.telephoneEventPayloadType == nil
        actions.append(.media(caller.number, .talk(agreement, at: now)))
        schedule(.hold, in: &caller, after: settings.hold)
        drive(.answered, in: &caller)
    }

    /// Acknowledges a 2xx that nobody wants any more, and ends its dialog at once (§13.2.2.4).
    mutating func refuseAnswer(_ response: Message) {
        guard response.cseq.method == .invite, var dialog = Dialog(asClientOf: response) else { return }
        let fallback = Flow(transport: settings.transport, remote: settings.target)
        let ack = dialog.acknowledgement(ofInvite: response.cseq.number, via: via(fallback, branch: newBranch()))
        let flow = flow(to: ack.nextHop, fallback: fallback)
        actions.append(.send(ack.bytes, flow))
        let branch = newBranch()
        guard let bye = dialog.request(.bye, via: via(flow, branch: branch)) else { return }
        _ = transactions.request(
            bye.bytes, method: .bye, branch: branch, to: flow, context: Self.bystander, now: now, into: &outputs)
    }

    /// A copy of a 200 whose transaction has ended still wants its ACK.
    mutating func acknowledgeAgain(_ response: Message) {
        guard let status = response.status, (200...299).contains(status), response.cseq.method == .invite,
            let number = number(ofCallID: response.callID)
        else { return }
        withCaller(number) { core, caller in
            if response.to.tag == caller.dialog?.id.remoteTag, let ack = caller.ack {
                core.actions.append(.send(ack.bytes, ack.flow))
            }
        }
    }
}
