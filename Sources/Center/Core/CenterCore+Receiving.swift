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
        guard state == .up, standing.isSound, !givesWay, calls.count + incoming.count < settings.callLimit,
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
        } else if !isBeingRebuilt(session) {
            answerHandover(of: session, 200)
        }
    }

    private func isBeingRebuilt(_ session: SessionID) -> Bool {
        rebuilds.contains(session)
            || waitingForMenu.values.contains { $0.contains { $0.stored.checkpoint.session == session } }
    }

    /// The peer may let go of the call, or must keep it. Said once.
    mutating func answerHandover(of session: SessionID, _ status: Int) {
        guard let given = incoming.removeValue(forKey: session) else { return }
        respond(
            to: given.transaction, of: given.request, given.flow, status,
            headers: status == 503 ? [(.retryAfter, "1")] : [])
    }

    // MARK: A peer that died while it gave

    /// Between two looks for rows that are this node's without its knowing.
    private static var strayInterval: Duration { .seconds(2) }

    /// It made this node the owner and had no time to say so. Nobody else can tell: the dead one owns nothing any more.
    mutating func lookForStrays() {
        guard !isFenced else { return }
        lookedForStrays = now.monotonic
        actions.append(
            .store(
                .sessionsOwned(by: settings.identity, limit: settings.callLimit + TakeoverDesk.listLimit), .strays))
    }

    mutating func lookForStraysNowAndThen() {
        if let last = lookedForStrays, now.monotonic - last < Self.strayInterval { return }
        lookForStrays()
    }

    mutating func adopt(_ reply: StoreReply) {
        guard case .sessionHeads(let heads) = reply, !isFenced else { return }
        for head in heads where head.ownership.node == settings.identity {
            guard calls.find(head.id) == nil, incoming[head.id] == nil, !isBeingRebuilt(head.id),
                !unwritten.contains(head.id), takeovers.claims(head.id, now: now.monotonic)
            else { continue }
            // A claim of one's own row: a new epoch, and the checkpoint with it.
            actions.append(
                .store(
                    .claim(head.id, from: head.ownership, by: settings.identity, ground: .handover),
                    .claim(head.id, dead: settings.identity)))
        }
    }

    /// What a call of a peer does not become here stays there.
    mutating func refuseHandover(of call: inout Call) {
        answerHandover(of: call.session, 503)
        dismantle(&call)
    }
}
