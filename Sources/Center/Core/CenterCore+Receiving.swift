import Primitives
import Routing
import SIP
import Session
import Store

/// Calls that a draining peer gives to this center.
extension CenterCore {
    /// An OPTIONS with a call in it.
    mutating func receiveHandover(_ request: Message, _ value: String, _ id: ServerTransactionID, _ flow: Flow) {
        guard let notice = HandoverNotice(headerValue: value),
            let sender = request.first(.tandemNode).flatMap({ NodeNotice(headerValue: $0) }),
            let former = NodeIdentity(name: sender.node, incarnation: sender.incarnation ?? "")
        else { return reject(request, id, flow, 400, .malformed) }
        // Found without its help meanwhile.
        if calls.find(notice.session) != nil { return respond(to: id, of: request, flow, 200) }
        guard state == .up, !givesWay, calls.count + incoming.count < settings.callLimit,
            incoming[notice.session] == nil
        else { return reject(request, id, flow, 503, .capacity, headers: [(.retryAfter, "1")]) }
        incoming[notice.session] = IncomingHandover(
            request: request, transaction: id, flow: flow, epoch: notice.epoch, former: former, since: now.monotonic)
        actions.append(.store(.session(notice.session), .incoming(notice.session)))
    }

    /// The row must be this node's, at the epoch that the peer named.
    mutating func incomingFound(_ session: SessionID, _ reply: StoreReply) {
        guard let given = incoming[session] else { return }
        guard case .sessions(let list) = reply, let stored = list.first,
            stored.ownership == Ownership(node: settings.identity, epoch: given.epoch)
        else { return answerHandover(of: session, 503) }
        takeOver(ClaimedSession(stored: stored, former: given.former, ground: .handover, since: given.since))
        // It had ended, or waits for its menu; else its audio has started.
        if calls.find(session) != nil {
            timers.schedule(.incoming(session), at: now.monotonic + Handover.answerDelay)
        } else if !isWaitingForMenu(session) {
            answerHandover(of: session, 200)
        }
    }

    private func isWaitingForMenu(_ session: SessionID) -> Bool {
        waitingForMenu.values.contains { $0.contains { $0.stored.checkpoint.session == session } }
    }

    /// The peer may let go of the call, or must keep it. Said once.
    mutating func answerHandover(of session: SessionID, _ status: Int) {
        guard let given = incoming.removeValue(forKey: session) else { return }
        respond(
            to: given.transaction, of: given.request, given.flow, status,
            headers: status == 503 ? [(.retryAfter, "1")] : [])
    }

    /// What a call of a peer does not become here stays there.
    mutating func refuseHandover(of call: inout Call) {
        answerHandover(of: call.session, 503)
        dismantle(&call)
    }
}
