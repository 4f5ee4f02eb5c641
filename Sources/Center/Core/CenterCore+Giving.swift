import Primitives
import Routing
import SIP
import Session
import Store

/// A draining center gives its calls to peers; each goes on here until it goes on there (TAKEOVER.md, Order of a
/// takeover: "the owner hands over with its help").
extension CenterCore {
    private var givesCalls: Bool {
        guard !isFenced, calls.count > 0 else { return false }
        guard administrative == .draining || isShuttingDown && settings.handsOverAtEnd else { return false }
        return peers.peers.contains { $0.node != settings.identity.name }
    }

    /// Looks through all calls, and begins as many handovers as may be on their way at once.
    mutating func give() {
        guard givesCalls else { return }
        toGive = calls.handles.reversed()
        giveMore()
        guard !looksForGiving else { return }
        looksForGiving = true
        timers.schedule(.giving, at: now.monotonic + Handover.interval)
    }

    /// One is on its way no more.
    mutating func giveMore() {
        guard givesCalls else { return }
        while giving.count < Handover.limit, let handle = toGive.popLast() {
            withCall(handle) { $0.beginHandover(of: &$1) }
        }
    }

    /// Not while anything is half done between the caller, this center and the bank: that call's turn comes later.
    private mutating func beginHandover(of call: inout Call) {
        guard call.phase == .established, call.row == .open, call.handover == nil, call.takeover == nil,
            call.reinvite == nil, call.unsentInvite == nil, call.acceptance == nil, call.asked.isEmpty,
            call.staysUntil <= now.monotonic,
            let peer = nextPeer(for: call),
            let identity = NodeIdentity(name: peer.node, incarnation: peer.incarnation)
        else { return }
        call.handover = Handover(peer: peer, right: Ownership(node: identity, epoch: call.ownership.epoch + 1))
        giving.insert(call.handle)
        actions.append(.store(.checkpoint(write(call)), .handover(call.handle, .saving)))
        schedule(.handover, in: &call, after: Handover.patience)
    }

    /// The session's own peer first; one that would not have it is asked again after all others.
    private func nextPeer(for call: Call) -> PeerList.Peer? {
        let own = settings.identity.name
        let others = peers.peers.filter { $0.node != own }
        if let first = peers.owner(of: call.session.description, excluding: own),
            !call.refusedBy.contains(first.node)
        {
            return first
        }
        return others.first { !call.refusedBy.contains($0.node) }
    }

    /// The store's word about one step. A late one says nothing any more: the next step's word comes after it.
    mutating func handoverStored(_ call: inout Call, _ step: Handover.Step, _ reply: StoreReply) {
        guard let handover = call.handover, handover.step == step else { return }
        switch (step, reply) {
        // The caller went on meanwhile, and the peer would go back: that call's turn comes later.
        case (.saving, .done) where call.isDirty, (.saving, .superseded) where call.isDirty: endHandover(of: &call)
        case (.saving, .done), (.saving, .superseded): claimForPeer(&call)
        case (.saving, .unavailable), (.saving, .refused):
            call.isDirty = true
            endHandover(of: &call)
        case (.claiming, .claimed): offer(&call)
        // The peer is dead to the others since: the row is still under this node's right.
        case (.claiming, .fenced): keep(&call, call.ownership)
        // It may have been done or not: as with a peer that does not answer.
        case (.claiming, .unavailable): takeBack(&call)
        case (.reclaiming, .claimed(let stored)): keep(&call, stored.ownership)
        case (.reclaiming, .unavailable): schedule(.handover, in: &call, after: Handover.interval)
        // The claim for the peer was never done: the row is still under the old right, or somebody else's.
        case (.reclaiming, .notOwner) where handover.offer == nil: keep(&call, call.ownership)
        case (.offering, _): break
        default: dropWithoutOwnership(&call)
        }
    }

    private mutating func claimForPeer(_ call: inout Call) {
        guard let right = call.handover?.right else { return }
        call.handover?.step = .claiming
        actions.append(
            .store(
                .claim(call.session, from: call.ownership, by: right.node, ground: .handover),
                .handover(call.handle, .claiming)))
        schedule(.handover, in: &call, after: Handover.patience)
    }

    private mutating func offer(_ call: inout Call) {
        guard let handover = call.handover else { return }
        call.handover?.step = .offering
        let way = Flow(transport: .udp, remote: handover.peer.sip, listener: listener(for: handover.peer.sip))
        let branch = newBranch()
        let contact = contact(for: way)
        let notice = HandoverNotice(session: call.session, epoch: handover.right.epoch)
        let own = NodeNotice(node: settings.identity.name, incarnation: settings.identity.incarnation)
        let request = MessageWriter.request(
            method: .options,
            uri: URI(host: handover.peer.sip.address.description, port: handover.peer.sip.port),
            via: via(for: way, branch: branch),
            from: NameAddress(
                uri: URI(user: settings.identity.name, host: contact.host, port: contact.port),
                parameters: [Parameter("tag", "\(settings.identity).\(random.hex(16))")]),
            to: NameAddress(uri: URI(host: handover.peer.sip.address.description, port: handover.peer.sip.port)),
            callID: "\(random.hex(16))@\(settings.identity.name)", cseq: 1,
            headers: [(.tandemNode, own.headerValue), (.tandemHandover, notice.headerValue)])
        call.handover?.offer = transactions.request(
            request, method: .options, branch: branch, to: way, context: call.handle.rawValue, now: now.monotonic,
            into: &outputs)
        schedule(.handover, in: &call, after: Handover.patience)
        if call.handover?.offer == nil { takeBack(&call) }
    }

    private func listener(for remote: Endpoint) -> UInt16 {
        let index = settings.contacts.firstIndex { IPAddress($0.host)?.isV6 == remote.address.isV6 }
        return UInt16(clamping: index ?? 0)
    }

    /// None will come. A peer that died may have told the caller before.
    mutating func offerUnanswered(_ id: ClientTransactionID, in call: inout Call) {
        guard call.handover?.offer == id, call.handover?.step == .offering else { return }
        call.handover?.isDoubtful = true
        takeBack(&call)
    }

    /// The peer's answer.
    mutating func offerAnswered(_ status: Int, _ id: ClientTransactionID, in call: inout Call) {
        guard call.handover?.offer == id, call.handover?.step == .offering else { return }
        guard (200...299).contains(status) else {
            call.handover?.isDoubtful = status == 408
            return takeBack(&call)
        }
        note(.takeover, "to \(call.handover?.peer.node ?? "a peer")", in: &call)
        handInTimeline(of: &call)
        actions.append(.note(.handedOver(call.session)))
        dismantle(&call)
    }

    /// The row comes back, and the call stays for now.
    private mutating func takeBack(_ call: inout Call) {
        guard let handover = call.handover else { return }
        // What the peer still says to it, or that it says nothing, is nobody's business any more.
        if let offer = handover.offer { transactions.abandon(offer, now: now.monotonic, into: &outputs) }
        call.handover?.step = .reclaiming
        actions.append(
            .store(
                .claim(call.session, from: handover.right, by: settings.identity, ground: .handover),
                .handover(call.handle, .reclaiming)))
        schedule(.handover, in: &call, after: Handover.patience)
    }

    private mutating func keep(_ call: inout Call, _ ownership: Ownership) {
        guard let handover = call.handover else { return }
        call.ownership = ownership
        call.refusedBy.insert(handover.peer.node)
        if nextPeer(for: call) == nil {
            call.refusedBy = []
            call.staysUntil = now.monotonic + Handover.pause
        }
        call.isDirty = true
        endHandover(of: &call)
        defer { for key in handover.keys where !call.isOver { drive(.digit(key), in: &call) } }
        guard handover.isDoubtful else { return }
        // The peer's INVITE may have moved the caller's audio, under numbers that this node never saw.
        call.dialog.skipCSeq(by: 2 * Takeover.cseqSkip)
        call.negotiation.skipVersions(by: Takeover.versionSkip)
        call.takeover = Takeover(
            former: handover.right.node, ground: .handover, since: now.monotonic, formerInvite: nil, snapshot: nil,
            step: .resumed)
        inviteAgain(&call)
    }

    /// Before the row is the peer's it costs nothing.
    mutating func endHandover(of call: inout Call) {
        cancel(.handover, in: &call)
        giving.remove(call.handle)
        call.handover = nil
    }

    /// An answer of the store or the peer is lost.
    mutating func handoverOverdue(_ call: inout Call) {
        switch call.handover?.step {
        case .saving:
            call.isDirty = true
            endHandover(of: &call)
        case .claiming, .reclaiming: takeBack(&call)
        case .offering:
            call.handover?.isDoubtful = true
            takeBack(&call)
        case nil: break
        }
    }
}
