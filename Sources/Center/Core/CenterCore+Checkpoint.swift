import Foundation
import Menu
import Primitives
import SDP
import SIP
import Session
import Store

extension CenterCore {
    /// What another center would need to go on with the call now.
    func checkpoint(of call: Call) -> Checkpoint {
        Checkpoint(
            dialogs: [call.dialogCheckpoint(now: now)], media: call.mediaCheckpoint(now: now).map { [$0] } ?? [],
            menu: call.menu.map { MenuCheckpoint($0.snapshot(), lastingUntil: now.wall + settings.longestCall) },
            record: call.record)
    }

    func write(_ call: Call) -> SessionWrite { SessionWrite(checkpoint(of: call), under: call.ownership) }

    /// Hands in what changed, unawaited; a call that the store never took is opened instead.
    mutating func saveIfDirty(_ call: inout Call) {
        if !call.timeline.isEmpty {
            actions.append(.store(.appendTimeline(call.session, call.timeline), .nothing))
            call.timeline.removeAll(keepingCapacity: true)
        }
        guard call.isDirty, call.isAnswered else { return }
        call.isDirty = false
        if call.isStored {
            actions.append(.store(.checkpoint(write(call)), .checkpoint(call.handle)))
        } else {
            actions.append(.store(.open(write(call)), .opening(call.handle)))
        }
    }

    mutating func note(_ kind: TimelineEntry.Kind, _ detail: String, in call: inout Call) {
        call.timeline.append(TimelineEntry(at: now.wall, kind: kind, detail: detail))
    }

    mutating func stored(_ purpose: StorePurpose, _ reply: StoreReply) {
        switch purpose {
        case .nothing: break
        case .opening(let handle): withCall(handle) { $0.opened(&$1, reply) }
        case .checkpoint(let handle):
            if reply == .notOwner || reply == .fenced { withCall(handle) { $0.dropWithoutOwnership(&$1) } }
        case .ending(let session): ended(session, reply)
        }
    }

    private mutating func opened(_ call: inout Call, _ reply: StoreReply) {
        switch reply {
        case .done:
            call.isStored = true
            if call.phase == .storing { answer(&call) }
        case .notOwner, .fenced, .alreadyEnded:
            // Another node has this very session, or this node is dead to the others.
            dropWithoutOwnership(&call)
        default:
            // The store is away: the call goes on unprotected (TAKEOVER.md, Checkpoints), and is opened later.
            call.isDirty = true
            if call.phase == .storing {
                actions.append(.note(.unprotected(call.session)))
                answer(&call)
            }
        }
    }

    // MARK: Records

    private static var unwrittenLimit: Int { 100_000 }
    private static var retryInterval: Duration { .seconds(1) }

    private mutating func ended(_ session: SessionID, _ reply: StoreReply) {
        switch reply {
        case .unavailable:
            guard !retriesUnwritten else { return }
            retriesUnwritten = true
            timers.schedule(.unwrittenRecords, at: now.monotonic + Self.retryInterval)
        default: unwritten.removeAll { $0.record.id == session }
        }
    }

    mutating func handInUnwritten() {
        retriesUnwritten = false
        for entry in unwritten {
            actions.append(.store(.end(entry.record, under: entry.ownership), .ending(entry.record.id)))
        }
    }

    mutating func write(_ record: CallRecord, under ownership: Ownership) {
        if unwritten.count >= Self.unwrittenLimit { unwritten.removeFirst() }
        unwritten.append(UnwrittenRecord(record: record, ownership: ownership))
        actions.append(.store(.end(record, under: ownership), .ending(record.id)))
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
