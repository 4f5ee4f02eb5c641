import Foundation
import Menu
import Primitives
import SDP
import SIP
import Session
import Store

extension CenterCore {
    /// Between two tries to hand in what the store did not take.
    private static var retryInterval: Duration { .seconds(1) }

    /// What another center would need to go on with the call now.
    func checkpoint(of call: Call) -> Checkpoint {
        Checkpoint(
            dialogs: [call.dialogCheckpoint(now: now)], media: call.mediaCheckpoint(now: now).map { [$0] } ?? [],
            menu: menuCheckpoint(of: call), record: call.record, version: checkpointVersion)
    }

    /// Nothing of a call outlasts its longest time, so the login does not either.
    private func menuCheckpoint(of call: Call) -> MenuCheckpoint? {
        // A menu that has not gone on yet stands where the former owner left it.
        guard let snapshot = call.menu?.snapshot() ?? call.takeover?.snapshot else { return nil }
        var phase = PendingOperation.Phase.offered
        if let known = call.operationPhase, known.id == snapshot.pendingOperation?.id { phase = known.phase }
        return MenuCheckpoint(
            snapshot, loginExpires: (call.record.answered ?? now.wall) + settings.longestCall, operation: phase)
    }

    func write(_ call: Call) -> SessionWrite { SessionWrite(checkpoint(of: call), under: call.ownership) }

    /// The first checkpoint: from here on the call has a session, and one record.
    mutating func open(_ call: inout Call) {
        call.row = .opening
        call.isDirty = false
        actions.append(.store(.open(write(call)), .opening(call.handle)))
    }

    /// Hands in what changed, unawaited. While the first checkpoint is on its way, or the store is away, it waits: the
    /// last state counts, not each.
    mutating func saveIfDirty(_ call: inout Call) {
        guard call.row != .none else { return }
        handInTimeline(of: &call)
        guard call.isDirty, call.isAnswered, call.timers[.save] == nil, call.handover == nil else { return }
        switch call.row {
        case .none, .opening: break
        case .refused: open(&call)
        case .open:
            call.isDirty = false
            actions.append(.store(.checkpoint(write(call)), .checkpoint(call.handle)))
        }
    }

    mutating func handInTimeline(of call: inout Call) {
        guard !call.timeline.isEmpty else { return }
        actions.append(.store(.appendTimeline(call.session, call.timeline), .nothing))
        call.timeline = []
    }

    mutating func note(_ kind: TimelineEntry.Kind, _ detail: String, in call: inout Call) {
        call.timeline.append(TimelineEntry(at: now.wall, kind: kind, detail: detail.visible))
    }

    mutating func stored(_ purpose: StorePurpose, _ reply: StoreReply) {
        if reply == .fenced, isOwnWrite(purpose) { findFenced() }
        switch purpose {
        case .nothing: break
        case .opening(let handle): withCall(handle) { $0.opened(&$1, reply) }
        case .checkpoint(let handle): withCall(handle) { $0.saved(&$1, reply) }
        case .ending(let session): ended(session, reply)
        case .inviting(let handle): withCall(handle) { $0.savedBeforeInvite(&$1, reply) }
        case .heads(let dead): listed(dead, reply)
        case .claim(let session, let dead): claimed(session, dead, reply)
        case .menu(let hash): loaded(hash, reply)
        case .outcome(let handle, let operation): withCall(handle) { $0.outcomeKnown(operation, reply, in: &$1) }
        case .formats: learnFormats(reply)
        case .strays: adopt(reply)
        case .handover(let handle, let step):
            withCall(handle) { $0.handoverStored(&$1, step, reply) }
            giveMore()
        case .incoming(let session): incomingFound(session, reply)
        case .standing(let round): standingAnswered(round, reply)
        case .foreign(let id): foreignLookedUp(id, reply)
        case .bankDoubt(let id): doubtAnswered(id, reply)
        }
    }

    /// A call of the present incarnation; a late answer about one of the last says nothing of this.
    private func isOwnWrite(_ purpose: StorePurpose) -> Bool {
        switch purpose {
        case .opening(let handle), .checkpoint(let handle), .inviting(let handle):
            calls.owner(of: handle) == settings.identity
        case .standing(let round): standing.isValid(round)
        case .nothing, .ending, .heads, .claim, .menu, .outcome, .formats, .handover, .incoming, .strays, .foreign,
            .bankDoubt:
            false
        }
    }

    private mutating func opened(_ call: inout Call, _ reply: StoreReply) {
        switch reply {
        case .done:
            call.row = .open
            if call.phase == .storing { answer(&call) }
        case .notOwner, .fenced, .alreadyEnded:
            // Another node has this very session, or this node is dead to the others.
            dropWithoutOwnership(&call)
        default:
            // The store is away: the call goes on unprotected (TAKEOVER.md, Checkpoints), and is opened later.
            call.row = .refused
            saveLater(&call)
            if call.phase == .storing {
                actions.append(.note(.unprotected(call.session)))
                answer(&call)
            }
        }
    }

    private mutating func saved(_ call: inout Call, _ reply: StoreReply) {
        switch reply {
        case .notOwner, .fenced: dropWithoutOwnership(&call)
        case .unavailable: saveLater(&call)
        default: break
        }
    }

    mutating func saveLater(_ call: inout Call) {
        call.isDirty = true
        schedule(.save, in: &call, after: Self.retryInterval)
    }

    // MARK: Records

    private mutating func ended(_ session: SessionID, _ reply: StoreReply) {
        if case .unavailable = reply {
            unwritten.refused(session, now: now.monotonic)
        } else {
            unwritten.remove(session)
        }
    }

    mutating func handInUnwritten() {
        retriesUnwritten = false
        for entry in unwritten.takeDue(now: now.monotonic) {
            actions.append(.store(.end(entry.record, under: entry.ownership), .ending(entry.record.id)))
        }
        retryUnwritten()
    }

    private mutating func retryUnwritten() {
        guard !retriesUnwritten, !unwritten.isEmpty else { return }
        retriesUnwritten = true
        timers.schedule(.unwrittenRecords, at: now.monotonic + UnwrittenRecords.interval)
    }

    /// Hands in the record of a call that is over, and sees to it until the store has it.
    mutating func write(_ record: CallRecord, under ownership: Ownership) {
        if let givenUp = unwritten.insert(record, under: ownership, now: now.monotonic) {
            actions.append(.note(.recordGivenUp(givenUp)))
        }
        actions.append(.store(.end(record, under: ownership), .ending(record.id)))
        retryUnwritten()
    }
}

extension MenuCheckpoint {
    init(_ snapshot: MenuSnapshot, loginExpires: WallTime, operation: PendingOperation.Phase) {
        var variables: [String: String] = [:]
        for (name, value) in snapshot.variables {
            switch value {
            case .text(let text): variables[name] = text
            case .integer(let number): variables[name] = String(number)
            case .list: break
            }
        }
        var retries = snapshot.failures
        retries["no-input"] = snapshot.noInputs
        retries["wrong"] = snapshot.wrongs
        self.init(
            menu: snapshot.menu, hash: snapshot.hash, state: snapshot.path ?? snapshot.state, stack: snapshot.callers,
            variables: variables, language: snapshot.language,
            login: snapshot.customer.map { LoginCheckpoint(customer: $0, expires: loginExpires) }, retries: retries,
            pendingOperation: snapshot.pendingOperation.map { PendingOperation(id: $0.id, phase: operation) },
            machine: (try? JSONEncoder().encode(snapshot)).map { String(decoding: $0, as: UTF8.self) })
    }
}
