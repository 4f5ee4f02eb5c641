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
            menu: call.menu.map { MenuCheckpoint($0.snapshot(), lastingUntil: now.wall + settings.longestCall) },
            record: call.record)
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
        guard call.isDirty, call.isAnswered, call.timers[.save] == nil else { return }
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
        call.timeline.append(TimelineEntry(at: now.wall, kind: kind, detail: detail))
    }

    mutating func stored(_ purpose: StorePurpose, _ reply: StoreReply) {
        if reply == .fenced, isOwnWrite(purpose) { findFenced() }
        switch purpose {
        case .nothing: break
        case .opening(let handle): withCall(handle) { $0.opened(&$1, reply) }
        case .checkpoint(let handle): withCall(handle) { $0.saved(&$1, reply) }
        case .ending(let session): ended(session, reply)
        }
    }

    /// A call of the present incarnation; a late answer about one of the last says nothing of this.
    private func isOwnWrite(_ purpose: StorePurpose) -> Bool {
        switch purpose {
        case .opening(let handle), .checkpoint(let handle): calls.owner(of: handle) == settings.identity
        case .nothing, .ending: false
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

    private mutating func saveLater(_ call: inout Call) {
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
    /// - Parameter lastingUntil: when the login lapses: with the longest call.
    init(_ snapshot: MenuSnapshot, lastingUntil expiry: WallTime) {
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
            login: snapshot.customer.map { LoginCheckpoint(customer: $0, expires: expiry) }, retries: retries,
            pendingOperation: snapshot.pendingOperation.map { PendingOperation(id: $0.id, phase: .offered) },
            machine: (try? JSONEncoder().encode(snapshot)).map { String(decoding: $0, as: UTF8.self) })
    }
}
