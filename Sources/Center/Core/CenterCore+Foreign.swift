import Primitives
import Routing
import SIP
import Session
import Store

/// Requests inside dialogs of calls that this node does not hold: its call went to another center, or came from one that
/// died and nobody has taken it over yet.
///
/// Who holds the call is in the store, by Call-ID and both tags. A live center gets the request passed on, its responses
/// go back. While the owner is dead a BYE is answered 200 and noted durably, so that the next owner ends the session with
/// its record; everything else waits up to a second for the next owner, then gets 503 with Retry-After. Without a row
/// there is no such call: 481, or 200 to a BYE where the center that its tag names lives no longer.
extension CenterCore {
    private static var retryAfter: [(HeaderName, String)] { [(.retryAfter, "1")] }

    mutating func findHolder(
        of request: Message, _ id: ServerTransactionID, _ flow: Flow, _ dialog: DialogID
    ) {
        guard NodeTag(dialog.localTag) != nil else { return reject(request, id, flow, 481, .noDialog) }
        if case .limited(let wait) = foreign.admit(flow.remote.address, isTrusted: trusts(flow), now: now.monotonic) {
            return reject(request, id, flow, 503, .takeover, headers: [(.retryAfter, String(wait))])
        }
        if request.method == .invite { respond(to: id, of: request, flow, 100) }
        take(request, id, flow, dialog)
    }

    /// The ACK of a 2xx that another center sent is passed on too; where nobody holds the call it is dropped, and the
    /// next owner's 2xx gets its own.
    mutating func findHolder(of ack: Message, _ flow: Flow, _ dialog: DialogID) {
        guard NodeTag(dialog.localTag) != nil,
            foreign.admit(flow.remote.address, isTrusted: trusts(flow), now: now.monotonic) == .admitted
        else { return }
        take(ack, nil, flow, dialog)
    }

    /// Whether a request inside a dialog came by another center, which had the call before.
    func wasPassedOn(_ request: Message, _ flow: Flow) -> Bool {
        trusts(flow) && request.first(.tandemSession) != nil
    }

    private mutating func take(_ request: Message, _ id: ServerTransactionID?, _ flow: Flow, _ dialog: DialogID) {
        let entry = ForeignRequests.Entry(
            request: request, transaction: id, flow: flow, dialog: dialog, since: now.monotonic,
            wasPassedOn: wasPassedOn(request, flow))
        let foreignID = foreign.insert(entry)
        ask(foreignID)
        timers.schedule(.foreign(foreignID), at: now.monotonic + ForeignRequests.interval)
    }

    private mutating func ask(_ id: ForeignID) {
        guard let entry = foreign[id], !entry.isAsking else { return }
        foreign[id]?.isAsking = true
        actions.append(.store(.sessionsByCallID(entry.dialog.callID), .foreign(id)))
    }

    // MARK: Answers of the store

    mutating func foreignLookedUp(_ id: ForeignID, _ reply: StoreReply) {
        guard var entry = foreign[id] else { return }
        entry.isAsking = false
        foreign[id] = entry
        if entry.marksEnd { return endMarked(id, entry, reply) }
        guard entry.passedOn == nil else { return }
        if deliverIfHeld(id, entry) { return }
        guard case .sessions(let sessions) = reply else {
            if entry.isMarked { conclude(id, entry, 200, nil) }
            return
        }
        guard let session = sessions.first(where: { $0.checkpoint.holds(entry.dialog) }) else {
            return entry.isMarked || hasEnded(entry)
                ? conclude(id, entry, 200, nil) : conclude(id, entry, 481, .noDialog)
        }
        foreign[id]?.session = session.checkpoint.session
        decide(id, session)
    }

    /// A BYE in a dialog of a center that lives no longer, as far as this one knows. Its call was either taken over and
    /// has ended since, most likely because the phone, which had hung up, answered the next owner's re-INVITE with 481;
    /// or it died with its center. Over it is either way, so the caller who hung up in the gap is told 200. RFC 3261
    /// §15.1.2 has 481 here as a SHOULD.
    private func hasEnded(_ entry: ForeignRequests.Entry) -> Bool {
        guard entry.request.method == .bye, let tag = NodeTag(entry.dialog.localTag) else { return false }
        let isOurs = tag.node == settings.identity.name && tag.incarnation == settings.identity.incarnation
        return !isOurs && peers.peer(named: tag.node)?.incarnation != tag.incarnation
    }

    private mutating func decide(_ id: ForeignID, _ session: StoredSession) {
        guard let entry = foreign[id] else { return }
        let owner = session.ownership.node
        // Ours, but not in the table yet: it is being rebuilt.
        guard owner != settings.identity else { return }
        if !session.ownerFenced, !entry.wasPassedOn || !entry.isMarked, let peer = holder(owner, of: entry) {
            guard !entry.wasPassedOn else { return }
            return passOn(id, entry, to: peer, session.checkpoint.session)
        }
        switch entry.request.method {
        case .bye where entry.isMarked: conclude(id, entry, 200, nil)
        case .bye: markEnd(id, session.checkpoint.session)
        // Nobody to pass it on to; who repeats the 2xx gets another.
        case .ack: foreign[id] = nil
        default: break
        }
    }

    /// Where the owner can be asked; nil for one that is dead, as far as one can tell.
    private func holder(_ owner: NodeIdentity, of entry: ForeignRequests.Entry) -> PeerList.Peer? {
        if let peer = peers.peer(named: owner.name), peer.incarnation == owner.incarnation { return peer }
        // One that drains takes nothing over, so it is no peer, but it has its calls yet. Where the tag names it, access
        // would have sent the request there if it lived.
        let tag = NodeTag(entry.dialog.localTag)
        guard !entry.isMarked, !entry.wasPassedOn, tag?.node != owner.name || tag?.incarnation != owner.incarnation
        else { return nil }
        return formerPeers.find(owner, now: now.monotonic)
    }

    /// The phone hung up and there is no owner to tell.
    private mutating func markEnd(_ id: ForeignID, _ session: SessionID) {
        foreign[id]?.marksEnd = true
        foreign[id]?.isAsking = true
        actions.append(.store(.markCallerEnded(session, at: now.wall), .foreign(id)))
    }

    private mutating func endMarked(_ id: ForeignID, _ entry: ForeignRequests.Entry, _ reply: StoreReply) {
        switch reply {
        // The call may have its end already; for the phone it is over all the same.
        case .alreadyEnded, .notFound: conclude(id, entry, 200, nil)
        case .done:
            // A claim of a moment before did not see the mark: whoever owns the call now gets the BYE itself.
            foreign[id]?.marksEnd = false
            foreign[id]?.isMarked = true
            ask(id)
        default: break
        }
    }

    // MARK: Waiting

    mutating func lookAgain(_ id: ForeignID) {
        guard let entry = foreign[id] else { return }
        if entry.passedOn == nil, !entry.marksEnd, deliverIfHeld(id, entry) { return }
        let waited = now.monotonic - entry.since
        guard waited < ForeignRequests.patience else { return giveUp(id, entry) }
        if let passedOn = entry.passedOn {
            markAfterSilence(id, entry, passedOn, after: waited)
        } else {
            if let session = entry.session, entry.marksEnd {
                if !entry.isAsking { markEnd(id, session) }
            } else {
                ask(id)
            }
        }
        timers.schedule(
            .foreign(id), at: now.monotonic + min(ForeignRequests.interval, ForeignRequests.patience - waited))
    }

    /// A former peer that says nothing to a BYE may be dead.
    private mutating func markAfterSilence(
        _ id: ForeignID, _ entry: ForeignRequests.Entry, _ passedOn: ClientTransactionID, after waited: Duration
    ) {
        guard entry.request.method == .bye, let session = entry.session, let holder = entry.holder,
            !peers.peers.contains(holder), waited >= ForeignRequests.formerPeerPatience
        else { return }
        transactions.abandon(passedOn, now: now.monotonic, into: &outputs)
        foreign[id]?.passedOn = nil
        formerPeers.forget(holder)
        markEnd(id, session)
    }

    private mutating func giveUp(_ id: ForeignID, _ entry: ForeignRequests.Entry) {
        if let passedOn = entry.passedOn {
            // An INVITE has its own time: its 2xx must not come to nobody.
            guard entry.request.method != .invite else { return }
            transactions.abandon(passedOn, now: now.monotonic, into: &outputs)
        }
        // Whoever hung up is gone, whether the store took note or not: the next owner finds out by its re-INVITE.
        if entry.request.method == .bye, entry.session != nil { return conclude(id, entry, 200, nil) }
        conclude(id, entry, 503, .takeover, headers: Self.retryAfter)
    }

    /// A call came here: requests that waited for it are its own now.
    mutating func deliverWaiting(to dialog: DialogID) {
        for id in foreign.waiting(for: dialog) {
            if let entry = foreign[id], !entry.marksEnd { _ = deliverIfHeld(id, entry) }
        }
    }

    private mutating func deliverIfHeld(_ id: ForeignID, _ entry: ForeignRequests.Entry) -> Bool {
        guard let handle = calls.find(entry.dialog) else { return false }
        foreign[id] = nil
        guard let transaction = entry.transaction else {
            receiveACK(entry.request, entry.flow)
            return true
        }
        withCall(handle) { $0.receiveInDialog(entry.request, transaction, entry.flow, in: &$1) }
        return true
    }

    private mutating func conclude(
        _ id: ForeignID, _ entry: ForeignRequests.Entry, _ status: Int, _ reason: RejectionReason?,
        headers: [(HeaderName, String)] = []
    ) {
        foreign[id] = nil
        guard let transaction = entry.transaction else { return }
        if let reason { actions.append(.note(.rejected(reason: reason))) }
        respond(
            to: transaction, of: entry.request, entry.flow, status, toTag: entry.dialog.localTag, headers: headers)
    }

    // MARK: Passing on

    /// By a transaction of our own, so that loss is made good on this hop too; without any state of the call.
    private mutating func passOn(
        _ id: ForeignID, _ entry: ForeignRequests.Entry, to peer: PeerList.Peer, _ session: SessionID
    ) {
        guard entry.request.maxForwards != 0 else { return conclude(id, entry, 483, .loop) }
        let way = way(to: peer.sip, preferring: entry.flow.listener)
        let branch = newBranch()
        // Marked, so that it is not passed on again: two centers with different news would play ball.
        let edit = ForwardingEdit(
            via: via(for: way, branch: branch), source: entry.flow.remote,
            removed: trusts(entry.flow) ? [] : ForwardingEdit.untrusted,
            headers: [(.tandemSession, session.description)])
        let bytes = edit.apply(to: entry.request)
        actions.append(.note(.passedOn(entry.request.method)))
        guard entry.transaction != nil else {
            foreign[id] = nil
            return actions.append(.send(bytes, way))
        }
        let client = transactions.request(
            bytes, method: entry.request.method, branch: branch, to: way, isProxied: true, context: .max,
            now: now.monotonic, into: &outputs)
        guard let client else { return conclude(id, entry, 503, .capacity, headers: Self.retryAfter) }
        foreign[id]?.passedOn = client
        foreign[id]?.holder = peer
    }

    /// By the listener of the peer's address family, the one that the request came by if it fits.
    private func way(to peer: Endpoint, preferring listener: UInt16) -> Flow {
        func fits(_ index: Int) -> Bool {
            guard settings.contacts.indices.contains(index) else { return false }
            return IPAddress(settings.contacts[index].host).map { $0.isV6 == peer.address.isV6 } ?? true
        }
        let chosen = fits(Int(listener)) ? Int(listener) : settings.contacts.indices.first(where: fits) ?? 0
        return Flow(transport: .udp, remote: peer, listener: UInt16(clamping: chosen))
    }

    /// A response to a request that was passed on. True when it was one.
    mutating func passBack(_ response: Message, of client: ClientTransactionID) -> Bool {
        guard let id = foreign.passedOn(as: client), let entry = foreign[id] else { return false }
        // RFC 3261 §16.7: 100 is for this hop alone.
        guard let status = response.status, status > 100, let transaction = entry.transaction,
            let bytes = ForwardingEdit.response(response)
        else { return true }
        transactions.respond(to: transaction, status: status, bytes: bytes, now: now.monotonic, into: &outputs)
        // Of an INVITE each copy of the 2xx goes back, until its transaction ends.
        if status >= 200, !(entry.request.method == .invite && status < 300) { foreign[id] = nil }
        return true
    }

    /// No answer came from the center that it was passed on to, or nobody is there. True when it was such a request.
    mutating func passingFailed(_ client: ClientTransactionID, _ status: Int) -> Bool {
        guard let id = foreign.passedOn(as: client), var entry = foreign[id] else { return false }
        if status == 503, now.monotonic - entry.since < ForeignRequests.patience {
            // That center died: its next owner may show in the time that is left.
            entry.passedOn = nil
            if let holder = entry.holder { formerPeers.forget(holder) }
            foreign[id] = entry
        } else {
            conclude(id, entry, status == 503 ? 503 : 408, .takeover, headers: Self.retryAfter)
        }
        return true
    }

    /// A transaction of ours ended.
    mutating func passingEnded(_ client: ClientTransactionID) {
        if let id = foreign.passedOn(as: client) { foreign[id] = nil }
    }
}

extension Checkpoint {
    /// The caller's dialog is that one.
    fileprivate func holds(_ dialog: DialogID) -> Bool {
        dialogs.contains {
            $0.callID == dialog.callID && $0.localTag == dialog.localTag && $0.remoteTag == dialog.remoteTag
        }
    }
}
