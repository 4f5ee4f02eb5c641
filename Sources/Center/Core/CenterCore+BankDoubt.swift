import Banking
import Primitives
import Session
import Store

/// An operation whose outcome is unknown is asked for by its id, also after its call is over: the timeline says what
/// became of it, and a caller who is still there can be told.
extension CenterCore {
    /// The bank's answer was `unknown`.
    mutating func doubt(_ id: OperationID, _ name: String, in call: Call) {
        guard doubts[id] == nil else { return }
        if let oldest = doubts.surplus { conclude(oldest, "unknown, given up: too many such") }
        doubts[id] = BankDoubts.Doubt(session: call.session, call: call.handle, name: name, since: now.monotonic)
        actions.append(.note(.doubtBegan(call.session)))
        timers.schedule(.bankDoubt(id), at: now.monotonic + BankDoubts.firstDelay)
    }

    mutating func askOfDoubt(_ id: OperationID) {
        guard let doubt = doubts[id] else { return }
        guard now.monotonic - doubt.since < BankDoubts.longest else {
            return conclude(id, "unknown, the store was away for too long")
        }
        actions.append(.store(.bankResult(id), .bankDoubt(id)))
    }

    mutating func doubtAnswered(_ id: OperationID, _ reply: StoreReply) {
        guard var doubt = doubts[id] else { return }
        if case .bankResult(let outcome) = reply {
            if let outcome { return resolve(id, doubt, outcome) }
            doubt.absences += 1
            // Absent may mean not yet: a COMMIT can be on its way when its connection is lost.
            if doubt.absences >= BankDoubts.absenceLimit { return resolve(id, doubt, nil) }
        }
        doubt.delay = min(doubt.delay * 2, BankDoubts.longestDelay)
        doubts[id] = doubt
        timers.schedule(.bankDoubt(id), at: now.monotonic + doubt.delay)
    }

    private mutating func resolve(_ id: OperationID, _ doubt: BankDoubts.Doubt, _ outcome: BankOutcome?) {
        conclude(id, outcome.map { "resolved, \($0.detailedName)" } ?? "resolved, it never ran")
        withCall(doubt.call) { core, call in
            guard call.session == doubt.session else { return }
            core.bankResolved(id, outcome, in: &call)
        }
    }

    /// What is known now counts for the next owner too. Nil: the operation never ran.
    private mutating func bankResolved(_ id: OperationID, _ outcome: BankOutcome?, in call: inout Call) {
        guard call.operationPhase?.id == id.description, call.operationPhase?.phase == .submitted else { return }
        call.operationPhase?.phase = outcome == nil ? .offered : .executed
        call.isDirty = true
    }

    private mutating func conclude(_ id: OperationID, _ what: String) {
        guard let doubt = doubts[id] else { return }
        doubts[id] = nil
        let entry = TimelineEntry(at: now.wall, kind: .bank, detail: "\(doubt.name) \(id): \(what)")
        actions.append(.store(.appendTimeline(doubt.session, [entry]), .nothing))
        actions.append(.note(.doubtEnded(doubt.session, what)))
    }
}
