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
        case .longestCall: hangUp(&call, .limit, "the longest time a call may last is over")
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
                actions.append(.note(.retransmissionGaveUp))
                hangUp(&call, .lost, "no ACK")
            }
        }
    }

    mutating func perform(_ steps: [ReliableProvisional.Action], in call: inout Call) {
        for step in steps {
            switch step {
            case .repeatResponse:
                if let bytes = call.provisionalResponse, let invite = call.invite {
                    actions.append(.send(bytes, invite.responseFlow(on: call.flow)))
                }
            case .schedule(.repetition, let delay): schedule(.provisional, in: &call, after: delay)
            case .schedule(.patience, let delay): schedule(.provisionalLimit, in: &call, after: delay)
            case .cancel(.repetition): cancel(.provisional, in: &call)
            case .cancel(.patience): cancel(.provisionalLimit, in: &call)
            case .giveUp:
                // RFC 3262 §3: no PRACK for 64*T1: "SHOULD reject the original request with a 5xx".
                refuse(&call, 504, .extensions)
            }
        }
    }

    // MARK: Ends

    /// We end the call: BYE, or a refusal while it is not answered.
    mutating func hangUp(_ call: inout Call, _ kind: EndKind, _ detail: String) {
        guard !call.isOver else { return }
        if call.isAnswered {
            send(.bye, headers: kind == .menu ? [] : [(.reason, "SIP;cause=480;text=\"\(detail)\"")], in: &call)
        } else if let id = call.inviteTransaction, let invite = call.invite {
            respond(to: id, of: invite, call.flow, 480, toTag: call.localTag)
            ringing[id] = nil
        }
        end(&call, kind, detail)
    }

    /// The call is over: media and timers end, the record is written, the handle names nothing any more.
    mutating func end(_ call: inout Call, _ kind: EndKind, _ detail: String) {
        guard !call.isOver else { return }
        note(.end, "\(kind.rawValue): \(detail)", in: &call)
        actions.append(.store(.appendTimeline(call.session, call.timeline), .nothing))
        call.timeline = []
        actions.append(.note(.ended(kind)))
        dismantle(&call)
        write(call.record.closed(kind, at: now.wall), under: call.ownership)
    }

    /// The session is another node's, or this one is dead to the others: it goes on there, so no BYE and no record
    /// (DESIGN.md, Death of a center, 5).
    mutating func dropWithoutOwnership(_ call: inout Call) {
        actions.append(.note(.lostOwnership(call.session)))
        dismantle(&call)
    }

    mutating func dismantle(_ call: inout Call) {
        guard !call.isOver else { return }
        actions.append(.media(call.handle, .close))
        for token in call.timers.values { timers.cancel(token) }
        call.timers = [:]
        if let id = call.inviteTransaction { ringing[id] = nil }
        call.menu = nil
        call.isOver = true
    }

    // MARK: Session timers (RFC 4028)

    /// Takes what a request of the caller says of the session timer; its 2xx carries `timerHeaders`. A phone that
    /// knows no session timers gets none: the longest time of a call still holds.
    mutating func refreshSession(by request: Message, in call: inout Call) {
        if request.values(of: .allow).isEmpty == false {
            call.allowsUPDATE = request.tokens(of: .allow).contains("UPDATE")
        }
        let wantsTimer =
            request.first(.sessionExpires) != nil || request.has(optionTag: "timer", in: .supported)
        guard wantsTimer, case .agreed(let expires, let headers) = settings.sessionTimer.answer(request) else {
            call.timerHeaders = []
            return drive(.stopped, in: &call)
        }
        call.timerHeaders = headers.map { ($0.name, $0.value) }
        drive(.agreed(seconds: expires.seconds, weRefresh: expires.refresher == .uas), in: &call)
    }

    mutating func drive(_ event: SessionTimer.Event, in call: inout Call) {
        for action in call.sessionTimer.handle(event) {
            switch action {
            case .schedule(.refresh, let delay): schedule(.sessionRefresh, in: &call, after: delay)
            case .schedule(.expiry, let delay):
                call.sessionDeadline = now.monotonic + delay
                schedule(.sessionExpiry, in: &call, after: delay)
            case .cancel(.refresh): cancel(.sessionRefresh, in: &call)
            case .cancel(.expiry): cancel(.sessionExpiry, in: &call)
            case .refresh: refreshDue(&call)
            case .expire: hangUp(&call, .lost, "the session expired without a refresh")
            }
        }
    }

    private mutating func refreshDue(_ call: inout Call) {
        guard let interval = call.sessionTimer.interval else { return }
        let headers =
            [(HeaderName.supported, Self.supported)]
            + settings.sessionTimer.requestHeaders(current: SessionExpires(seconds: interval, refresher: .uac))
        if call.allowsUPDATE { send(.update, headers: headers, in: &call) } else { reinvite(headers: headers, in: &call) }
    }

    /// A final response to a request of ours, or that none will come.
    mutating func answered(_ method: Method, _ status: Int, _ response: Message?, in call: inout Call) {
        guard method == .update || method == .invite else { return }
        switch status {
        case 200...299:
            if let interval = call.sessionTimer.interval {
                let agreed = response.flatMap { settings.sessionTimer.agreed(by: $0) }
                drive(
                    .agreed(seconds: agreed?.seconds ?? interval, weRefresh: agreed?.refresher != .uas), in: &call)
            }
        case 481: end(&call, .caller, "the caller's phone knows no such call")
        case 408: hangUp(&call, .lost, "the caller's phone does not answer")
        default: break
        }
    }
}

