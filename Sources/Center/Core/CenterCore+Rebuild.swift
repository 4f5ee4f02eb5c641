import Foundation
import Media
import Menu
import Primitives
import SDP
import SIP
import Session
import Store

/// A claimed session becomes a call again.
extension CenterCore {
    /// Menu versions that live calls began with elsewhere, kept in memory at most.
    private static var menuLimit: Int { 32 }

    /// The session is this node's: who hung up meanwhile gets a record, everybody else a call.
    mutating func takeOver(_ claimed: ClaimedSession) {
        let stored = claimed.stored
        // A claim of the incarnation before this one: its sessions go to others.
        guard stored.ownership.node == settings.identity else { return }
        if isHere(claimed) { return }
        if let ended = stored.callerEnded {
            return close(claimed, .caller, at: ended, "the caller hung up while no center had the call")
        }
        guard let menu = stored.checkpoint.menu, !hasMenu(menu.hash) else {
            return rebuildInTurn(claimed)
        }
        waitingForMenu[menu.hash, default: []].append(claimed)
        if waitingForMenu[menu.hash]?.count == 1 {
            actions.append(.store(.menu(hash: menu.hash), .menu(hash: menu.hash)))
        }
    }

    /// Claimed twice: it goes on under the later right.
    private mutating func isHere(_ claimed: ClaimedSession) -> Bool {
        let stored = claimed.stored
        guard let handle = calls.find(stored.checkpoint.session) else { return false }
        withCall(handle) { _, call in
            if call.ownership.epoch < stored.ownership.epoch { call.ownership = stored.ownership }
        }
        return true
    }

    /// Now, or in one of the next rounds. A peer that gives a call waits for it, and gives few at once.
    private mutating func rebuildInTurn(_ claimed: ClaimedSession) {
        if claimed.ground == .handover || rebuilds.admits() { rebuild(claimed) } else { rebuilds.append(claimed) }
    }

    mutating func rebuildWaiting() {
        while let claimed = rebuilds.next() {
            rebuild(claimed)
            performOutputs()
        }
    }

    /// A session without a call: one record, and what is known of its end.
    private mutating func close(_ claimed: ClaimedSession, _ kind: EndKind, at time: WallTime, _ detail: String) {
        let record = taken(claimed.stored.checkpoint.record)
        actions.append(
            .store(
                .appendTimeline(
                    record.id,
                    [
                        TimelineEntry(at: now.wall, kind: .takeover, detail: "from \(claimed.former)"),
                        TimelineEntry(at: now.wall, kind: .end, detail: "\(kind.rawValue): \(detail)"),
                    ]), .nothing))
        actions.append(.note(.ended(kind)))
        write(record.closed(kind, at: time), under: claimed.stored.ownership)
    }

    private func taken(_ record: CallRecord) -> CallRecord {
        var record = record
        record.takeovers += 1
        record.centers.append(settings.identity.name)
        return record
    }

    // MARK: Menus

    private func hasMenu(_ hash: String) -> Bool { menu(hash) != nil }

    private func menu(_ hash: String) -> MenuDefinition? {
        if let kept = formerMenus.first(where: { $0.hash == hash }) { return kept }
        for case .menu(let definition) in settings.lines.values where definition.hash == hash { return definition }
        return nil
    }

    /// The menu's text as the store has it. Without it the line's own menu serves, as far as it has the state.
    mutating func loaded(_ hash: String, _ reply: StoreReply) {
        if case .menu(let content) = reply,
            let source = try? JSONDecoder().decode(MenuSource.self, from: Data(content)), source.hash == hash,
            let definition = try? MenuDefinition(source)
        {
            keep(definition)
        }
        for claimed in waitingForMenu.removeValue(forKey: hash) ?? [] {
            rebuildInTurn(claimed)
            let session = claimed.stored.checkpoint.session
            guard incoming[session] != nil else { continue }
            if calls.find(session) != nil {
                timers.schedule(.incoming(session), at: now.monotonic + Handover.answerDelay)
            } else {
                // It ended as soon as it was here.
                answerHandover(of: session, 200)
            }
        }
    }

    /// A menu that calls may still be in, here or at a center that may die.
    mutating func keep(_ definition: MenuDefinition) {
        formerMenus.removeAll { $0.hash == definition.hash }
        if formerMenus.count >= Self.menuLimit { formerMenus.removeFirst() }
        formerMenus.append(definition)
    }

    // MARK: The call

    private mutating func rebuild(_ claimed: ClaimedSession) {
        // It waited for its menu or its turn; another incarnation may have begun meanwhile.
        guard claimed.stored.ownership.node == settings.identity, !isHere(claimed) else { return }
        do throws(RebuildFailure) {
            try begin(claimed)
        } catch {
            let session = claimed.stored.checkpoint.session
            actions.append(.note(.takeoverFailed(session, reason: error.description)))
            // The peer has the call yet.
            if claimed.ground == .handover { return answerHandover(of: session, 503) }
            close(claimed, .lost, at: now.wall, error.description)
        }
    }

    private mutating func begin(_ claimed: ClaimedSession) throws(RebuildFailure) {
        let checkpoint = claimed.stored.checkpoint
        guard let saved = checkpoint.dialogs.first(where: { $0.leg == .caller }) else {
            throw RebuildFailure("no dialog with the caller")
        }
        var rebuilt = try RebuiltDialog(saved, contacts: settings.contacts)
        var negotiation = try self.negotiation(of: checkpoint, saved)
        let (line, snapshot) = try menu(of: checkpoint)
        var dialog = rebuilt.dialog
        // Owners that died before they wrote anything may have used their numbers all the same.
        let unwritten = max(1, claimed.stored.ownership.epoch - 1 - Int64(checkpoint.record.takeovers))
        dialog.skipCSeq(by: Takeover.cseqSkip * UInt32(min(unwritten, 1_000)))
        negotiation.skipVersions(by: Takeover.versionSkip * UInt64(min(unwritten - 1, 1_000)))
        let takeover = Takeover(
            former: claimed.former, ground: claimed.ground, since: claimed.since,
            formerInvite: saved.localInviteCSeq, snapshot: snapshot)
        let invitedAt = now.monotonic
        let record = taken(checkpoint.record)
        let handle = calls.insert { handle in
            Call(
                handle: handle, session: checkpoint.session, ownership: claimed.stored.ownership, line: line,
                localTag: saved.localTag, invitedAt: invitedAt, phase: .established, dialog: dialog,
                flow: rebuilt.flow, signalledFrom: saved.signalledFrom.flatMap { IPAddress($0) },
                inviteCSeq: saved.invite.cseq, allowsUPDATE: saved.allowsUPDATE ?? false,
                negotiation: negotiation,
                latched: checkpoint.media.first { $0.leg == .caller }?.latchedAddress.flatMap { Endpoint($0) },
                remoteSDP: saved.remoteSDP, localSDP: saved.localSDP, record: record, row: .open, takeover: takeover)
        }
        resuming.insert(handle)
        withCall(handle) { core, call in
            if let pending = checkpoint.menu?.pendingOperation { call.operationPhase = (pending.id, pending.phase) }
            core.note(.takeover, "from \(claimed.former), \(claimed.ground.rawValue)", in: &call)
            core.resumeTimers(of: &call, saved)
            guard !call.isOver else { return }
            if !saved.invite.acknowledged || saved.state == .early { core.reaccept(&call, saved, &rebuilt) }
            core.openMedia(&call)
        }
        deliverWaiting(to: dialog.id)
    }

    private func negotiation(
        of checkpoint: Checkpoint, _ saved: DialogCheckpoint
    ) throws(RebuildFailure) -> OfferAnswer {
        do {
            let remote = saved.remoteSDP.isEmpty ? nil : try SessionDescription(parsing: Array(saved.remoteSDP.utf8))
            var negotiation = try OfferAnswer(
                resuming: try SessionDescription(parsing: Array(saved.localSDP.utf8)), remote: remote,
                version: checkpoint.media.first { $0.leg == .caller }?.originVersion ?? 0,
                capabilities: MediaCapabilities(ptimeMs: settings.ptimeMs))
            if saved.invite.awaitsAnswer == true, !saved.invite.acknowledged { negotiation.reopenOffer() }
            return negotiation
        } catch {
            throw RebuildFailure("the media cannot be agreed again: \(error)")
        }
    }

    private func menu(of checkpoint: Checkpoint) throws(RebuildFailure) -> (Line, MenuSnapshot?) {
        let line = settings.lines[checkpoint.record.line]
        guard let saved = checkpoint.menu else {
            guard let line else { throw RebuildFailure("line \(checkpoint.record.line) is not served here") }
            return (line, nil)
        }
        var snapshot = MenuSnapshot(saved)
        // A login lasts as long as it says, wherever the call goes on.
        if let login = saved.login, login.expires <= now.wall { snapshot.customer = nil }
        if let definition = menu(saved.hash) { return (.menu(definition), snapshot) }
        if case .menu? = line, let line { return (line, snapshot) }
        throw RebuildFailure("menu \(saved.menu) of this call is nowhere")
    }

    /// The longest time counts from the first answer, and the session expires when it would have at its former owner.
    private mutating func resumeTimers(of call: inout Call, _ saved: DialogCheckpoint) {
        if call.record.answered == nil { call.record.answered = now.wall }
        // Clocks differ between machines: never more than the whole time.
        let age = max(.zero, now.wall - (call.record.answered ?? now.wall))
        guard age < settings.longestCall else {
            return hangUp(&call, .limit, "the longest time a call may last is over")
        }
        schedule(.longestCall, in: &call, after: settings.longestCall - age)
        guard let timer = saved.timer else { return }
        call.sessionTimer = SessionTimer(resuming: timer.interval, weRefresh: timer.refresher == .local)
        let deadline = now.monotonic(at: timer.deadline)
        // The re-INVITE is a refresh, too: it gets the time that a request may take.
        let left = max(min(deadline - now.monotonic, .seconds(timer.interval)), settings.timers.limit)
        call.sessionDeadline = now.monotonic + left
        schedule(.sessionExpiry, in: &call, after: left)
        guard timer.refresher == .local else { return }
        let refresh = left + call.sessionTimer.margin - .seconds(timer.interval) / 2
        schedule(.sessionRefresh, in: &call, after: max(refresh, .seconds(10)))
    }

    /// The former owner's 200 whose ACK it never saw, as its checkpoint has it (TAKEOVER.md, Signalling).
    private mutating func reaccept(_ call: inout Call, _ saved: DialogCheckpoint, _ rebuilt: inout RebuiltDialog) {
        var headers: [(HeaderName, String)] = [(.allow, Self.allow), (.supported, Self.supported)]
        if let timer = saved.timer {
            let refresher = timer.refresher == .local ? SessionExpires.Refresher.uas : .uac
            headers.append((.sessionExpires, SessionExpires(seconds: timer.interval, refresher: refresher).description))
            if refresher == .uac { headers.append((.require, "timer")) }
        }
        let bytes = MessageWriter.response(
            to: rebuilt.invite, status: 200, source: rebuilt.flow.remote, contact: contactAddress(for: rebuilt.flow),
            headers: headers, body: ("application/sdp", Array(saved.localSDP.utf8)))
        call.phase = .answered
        call.unacknowledged = rebuilt.invite
        call.endingAtACK = saved.ending.map { ($0.kind, $0.detail) }
        call.acceptance = Call.Acceptance(
            machine: AcceptedInvite(), response: bytes,
            responseFlow: rebuilt.invite.responseFlow(on: rebuilt.flow), cseq: saved.invite.cseq,
            awaitsAnswer: call.negotiation.pendingOffer != nil)
    }
}

extension MenuSnapshot {
    /// The machine's own snapshot; where another release wrote it in a way that this one cannot read, what the
    /// checkpoint says besides.
    init(_ saved: MenuCheckpoint) {
        if let machine = saved.machine,
            let snapshot = try? JSONDecoder().decode(MenuSnapshot.self, from: Data(machine.utf8))
        {
            self = snapshot
        } else {
            self.init(
                menu: saved.menu, hash: saved.hash, state: saved.state, language: saved.language ?? "",
                customer: saved.login?.customer, variables: saved.variables.mapValues { .text($0) }, path: saved.state)
        }
    }
}
