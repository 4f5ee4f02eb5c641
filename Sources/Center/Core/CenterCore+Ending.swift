import Primitives
import SIP
import Session

/// How calls end.
extension CenterCore {
    mutating func fired(_ timer: CallTimer, in call: inout Call) {
        switch timer {
        case .menu(let timer): drive(.fired(timer), in: &call)
        case .checkpointPatience:
            guard call.phase == .storing else { return }
            actions.append(.note(.unprotected(call.session)))
            answer(&call)
        case .acceptance: step(.fired(.repetition), in: &call)
        case .acceptanceLimit: step(.fired(.patience), in: &call)
        case .provisional: fired(.repetition, in: &call)
        case .provisionalLimit: fired(.patience, in: &call)
        case .sessionRefresh: drive(.fired(.refresh), in: &call)
        case .sessionExpiry: drive(.fired(.expiry), in: &call)
        case .invitePatience:
            goOn(&call)
            launchInvite(&call)
        case .handover: handoverOverdue(&call)
        case .takeover: inviteAgain(&call)
        case .doubt: askAgain(&call)
        case .longestCall: hangUp(&call, .limit, "the longest time a call may last is over")
        // Saved when the work on the call is done, as ever.
        case .save: break
        }
    }

    private mutating func fired(_ timer: ReliableProvisional.Timer, in call: inout Call) {
        var steps: [ReliableProvisional.Action] = []
        call.provisional?.fire(timer, timers: settings.timers, actions: &steps)
        perform(steps, in: &call)
    }

    /// RFC 3261 §13.3.1.4: the 2xx is repeated by its user, not by its transaction.
    mutating func step(_ event: AcceptedInvite.Event, in call: inout Call) {
        let steps = call.acceptance?.machine.handle(event, timers: settings.timers) ?? []
        for step in steps {
            switch step {
            case .repeatResponse:
                if let acceptance = call.acceptance {
                    actions.append(.send(acceptance.response, acceptance.responseFlow))
                }
            case .confirm: break
            case .schedule(.repetition, let delay): schedule(.acceptance, in: &call, after: delay)
            case .schedule(.patience, let delay): schedule(.acceptanceLimit, in: &call, after: delay)
            case .cancel(.repetition): cancel(.acceptance, in: &call)
            case .cancel(.patience): cancel(.acceptanceLimit, in: &call)
            case .giveUp:
                // "If the server retransmits the 2xx response for 64*T1 seconds without receiving an ACK, the dialog is
                // confirmed, but the session SHOULD be terminated. This is accomplished with a BYE."
                actions.append(.note(.retransmissionGaveUp(call.session)))
                if isHeard(call) { return goOnWithoutACK(&call) }
                call.phase = .established
                let ending = call.endingAtACK ?? (.lost, "no ACK")
                hangUp(&call, ending.kind, ending.detail)
            }
        }
    }

    /// The caller has our 2xx, ACK or not: its audio comes, or it asks something inside the dialog. Where the answer to
    /// our offer was to come in the ACK, there is nothing to talk by without it.
    private func isHeard(_ call: Call) -> Bool {
        guard let acceptance = call.acceptance, !acceptance.awaitsAnswer else { return false }
        return call.hearsAudio || acceptance.isHeard
    }

    /// §13.3.1.4 says SHOULD, and there is a reason: a proxy on the way that was restarted between the 2xx and its ACK
    /// has no transaction for the copies and drops them (RFC 6026 §7.2), so the phone never learns that its ACK was
    /// lost, and its user, who hears and is heard, would be cut off after 64*T1.
    private mutating func goOnWithoutACK(_ call: inout Call) {
        note(.sip, "no ACK came, but the caller is heard", in: &call)
        settleAcceptance(&call)
        if !call.isOver { inviteAgain(&call) }
    }

    mutating func perform(_ steps: [ReliableProvisional.Action], in call: inout Call) {
        for step in steps {
            switch step {
            case .repeatResponse:
                if let bytes = call.provisionalResponse, let invite = call.invite {
                    actions.append(.send(bytes, invite.request.responseFlow(on: invite.flow)))
                }
            case .schedule(.repetition, let delay): schedule(.provisional, in: &call, after: delay)
            case .schedule(.patience, let delay): schedule(.provisionalLimit, in: &call, after: delay)
            case .cancel(.repetition): cancel(.provisional, in: &call)
            case .cancel(.patience): cancel(.provisionalLimit, in: &call)
            case .giveUp:
                // RFC 3262 §3: no PRACK for 64*T1: "SHOULD reject the original request with a 5xx".
                refuse(&call, 504, .unacknowledged, endingAs: .lost)
            }
        }
    }

    // MARK: Ends

    /// We end the call: BYE, or a refusal while it is not answered.
    ///
    /// - Parameter awaitsACK: RFC 3261 §15: "the callee's UA … MUST NOT send a BYE on a confirmed dialog until it has
    ///   received an ACK for its 2xx response or until the server transaction times out". False when there is no time.
    mutating func hangUp(_ call: inout Call, _ kind: EndKind, _ detail: String, awaitsACK: Bool = true) {
        guard !call.isOver else { return }
        if call.phase == .answered, awaitsACK {
            call.endingAtACK = call.endingAtACK ?? (kind, detail)
            call.menu = nil
            call.isDirty = true
            return
        }
        if call.isAnswered {
            note(.sip, "BYE to the caller", in: &call)
            send(.bye, headers: kind == .menu ? [] : [(.reason, "SIP;cause=480;text=\"\(detail)\"")], in: &call)
        } else {
            refuseOpenInvite(&call, 480)
        }
        end(&call, kind, detail)
    }

    /// The caller's phone says 481: it hung up. Its BYE may be on its way, to a node that stood still, or be repeated.
    mutating func endUnknown(_ call: inout Call) {
        guard !call.isOver else { return }
        parting.insert(
            gone: call.dialog.id, until: now.monotonic + settings.timers.limit, now: now.monotonic)
        end(&call, .caller, "the caller's phone knows no such call")
    }

    /// The call is over: media and timers end, the record of its session is written, the handle names nothing any more.
    mutating func end(_ call: inout Call, _ kind: EndKind, _ detail: String) {
        guard !call.isOver else { return }
        dismantle(&call)
        // The store was never asked: there was no session yet.
        guard call.row != .none else { return }
        note(.end, "\(kind.rawValue): \(detail)", in: &call)
        handInTimeline(of: &call)
        actions.append(.note(.ended(kind)))
        // A call on its way to a peer ends under the peer's right, which then finds nothing to go on with.
        let given = call.handover.flatMap { $0.isGiven ? $0.right : nil }
        write(call.record.closed(kind, at: now.wall), under: given ?? call.ownership)
    }

    /// The session is another node's, or this one is dead to the others: it goes on there, so no BYE and no record
    /// (TAKEOVER.md, The old owner). An INVITE that is not answered yet may try another center.
    mutating func dropWithoutOwnership(_ call: inout Call) {
        guard !call.isOver else { return }
        actions.append(.note(.lostOwnership(call.session)))
        refuseOpenInvite(&call, 503, headers: [(.retryAfter, "1")])
        dismantle(&call)
    }

    mutating func dismantle(_ call: inout Call) {
        actions.append(.media(call.handle, .close))
        for token in call.timers.values { timers.cancel(token) }
        call.timers = [:]
        if let invite = call.invite { ringing[invite.transaction] = nil }
        resuming.remove(call.handle)
        giving.remove(call.handle)
        call.menu = nil
        call.isOver = true
    }
}
