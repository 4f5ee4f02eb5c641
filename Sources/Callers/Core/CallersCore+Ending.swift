import Primitives
import SIP

/// The plan of an answered call, and how calls end.
extension CallersCore {
    mutating func fired(_ timer: Caller.Timer, in caller: inout Caller) {
        switch timer {
        case .hold: hangUp(&caller, .held)
        case .patience: giveUp(&caller, .failed(.timeout))
        case .contactPatience: contactIsSilent(&caller)
        case .farewell: depart(&caller)
        case .plan: drive(.fired, in: &caller)
        case .acceptance: step(.fired(.repetition), in: &caller)
        case .acceptanceLimit: step(.fired(.patience), in: &caller)
        }
    }

    mutating func drive(_ event: PlanRun.Event, in caller: inout Caller) {
        guard caller.phase == .talking else { return }
        for action in caller.plan.handle(event) {
            switch action {
            case .press(let digits): actions.append(.media(caller.number, .press(digits)))
            case .awaitPause: actions.append(.media(caller.number, .awaitPause))
            case .schedule(let delay): schedule(.plan, in: &caller, after: delay)
            case .cancel: cancel(.plan, in: &caller)
            case .hangUp: hangUp(&caller, .planned)
            }
        }
    }

    // MARK: Ends

    private mutating func hangUp(_ caller: inout Caller, _ ending: CallerRecord.Ending) {
        guard caller.phase == .talking else { return }
        caller.record.ending = ending
        sayBye(&caller)
    }

    /// BYE in the call's dialog; audio ends with it.
    mutating func sayBye(_ caller: inout Caller) {
        guard caller.phase == .talking || caller.phase == .inviting else { return }
        closeMedia(of: &caller)
        cancelAllTimers(of: &caller)
        caller.phase = .ending
        caller.record.endedAt = now
        let branch = newBranch()
        guard let bye = caller.dialog?.request(.bye, via: via(caller.flow, branch: branch)) else {
            return depart(&caller)
        }
        let next = flow(to: bye.nextHop, fallback: caller.flow)
        let sent = transactions.request(
            bye.bytes, method: .bye, branch: branch, to: next, context: UInt64(caller.number), now: now, into: &outputs)
        guard sent != nil else { return depart(&caller) }
        schedule(.farewell, in: &caller, after: settings.farewell)
    }

    mutating func hungUpOn(by bye: Message, in caller: inout Caller) {
        if caller.phase == .talking {
            end(&caller, ending(by: bye, in: caller))
        } else {
            depart(&caller)
        }
    }

    /// Whose end it is. A machine that ends a call because it must says why (RFC 3326); a menu that comes to its end
    /// has nothing to explain, and may do so once the caller has done all that it wanted.
    private func ending(by bye: Message, in caller: Caller) -> CallerRecord.Ending {
        if caller.plan.expectsEnd { return .expected }
        guard let reason = bye.first(.reason) else { return caller.plan.isDone ? .menu : .dropped("BYE") }
        return .dropped(reason)
    }

    /// The user wants it all to end now.
    mutating func interrupt(_ caller: inout Caller) {
        switch caller.phase {
        case .opening: end(&caller, .interrupted)
        case .inviting: giveUp(&caller, .interrupted)
        case .talking: hangUp(&caller, .interrupted)
        case .cancelling, .ending, .over: break
        }
    }

    /// The call is over, without further words.
    mutating func end(_ caller: inout Caller, _ ending: CallerRecord.Ending) {
        guard caller.phase != .over else { return }
        // Who gave up, or was ended by the user, keeps that as the reason whatever was answered later.
        caller.record.ending = caller.record.ending ?? ending
        depart(&caller)
    }

    /// Nothing more is waited for, save for the report of the media.
    mutating func depart(_ caller: inout Caller) {
        guard caller.phase != .over else { return }
        closeMedia(of: &caller)
        cancelAllTimers(of: &caller)
        caller.phase = .over
        caller.record.endedAt = caller.record.endedAt ?? now
        conclude(&caller)
    }

    private mutating func closeMedia(of caller: inout Caller) {
        guard caller.localRTP != nil else { return }
        caller.localRTP = nil
        actions.append(.media(caller.number, .close(at: now)))
    }

    /// Lets go of what only a live call needs; its ACK stays, for copies of the 200.
    mutating func conclude(_ caller: inout Caller) {
        guard caller.isFinished else { return }
        caller.offer = []
        caller.acceptance = nil
    }
}
