import Menu
import Primitives
import SDP
import SIP
import Session
import Store

/// What a call that came here from another center does until its caller is settled: audio at once, the checkpoint under
/// the new right, then ACK, re-INVITE and the menu (TAKEOVER.md, Signalling of the new owner).
extension CenterCore {
    mutating func openMedia(_ call: inout Call) {
        call.takeover?.mediaTries += 1
        actions.append(.media(call.handle, .open))
    }

    /// Ports are there: audio goes where it went before, whether or not the phone knows of us already.
    mutating func resumeMedia(_ call: inout Call, _ endpoint: Endpoint) {
        call.localRTP = endpoint
        call.takeover?.step = .storing
        if let agreement = call.negotiation.agreement {
            actions.append(
                .media(
                    call.handle,
                    .apply(agreement, signalledFrom: call.mediaMayComeFrom, former: call.latched)))
        }
        if let takeover = call.takeover {
            actions.append(.note(.tookOver(call.session, after: now.monotonic - takeover.since)))
        }
        if call.acceptance == nil { prepareMove(&call) }
        saveBeforeInvite(&call, patience: Takeover.storePatience)
    }

    /// There are none now: a call that ends gives some back.
    mutating func mediaMissing(_ call: inout Call) {
        guard let takeover = call.takeover else { return }
        if takeover.ground == .handover { return refuseHandover(of: &call) }
        guard takeover.mediaTries < Takeover.mediaTryLimit else {
            return hangUp(&call, .lost, "no ports for its audio")
        }
        schedule(.takeover, in: &call, after: Takeover.mediaRetry)
    }

    /// The store has the call under this node's right: the caller may hear of it.
    mutating func goOn(_ call: inout Call) {
        guard let takeover = call.takeover, takeover.step == .storing else { return }
        call.takeover?.step = .resumed
        resuming.remove(call.handle)
        if let number = takeover.formerInvite { acknowledgeFormer(number, in: call) }
        if call.acceptance != nil {
            // The phone may have it; if not, this is its answer.
            if let acceptance = call.acceptance { actions.append(.send(acceptance.response, acceptance.responseFlow)) }
            step(.sent, in: &call)
            schedule(.takeover, in: &call, after: Takeover.ackPatience)
        }
        // What ends with its ACK has no menu any more.
        if call.negotiation.agreement != nil, call.endingAtACK == nil { resumeMenu(&call) }
        settleIfDone(&call)
    }

    /// Harmless where the former owner sent it already.
    private mutating func acknowledgeFormer(_ number: UInt32, in call: Call) {
        let way = way(to: call.dialog.routeSet.first?.uri ?? call.dialog.remoteTarget, from: call.flow)
        let ack = call.dialog.acknowledgement(ofInvite: number, via: via(for: way, branch: newBranch()))
        sendACK(ack.bytes, by: way)
    }

    private mutating func resumeMenu(_ call: inout Call) {
        guard case .menu(let definition) = call.line, let snapshot = call.takeover?.snapshot else {
            return startMedia(&call)
        }
        call.menu = MenuMachine(definition, random: SeededRandom(seed: random.next()))
        drive(.resumed(snapshot), in: &call)
    }

    /// Nothing is left to be done about the takeover.
    mutating func settleIfDone(_ call: inout Call) {
        guard let takeover = call.takeover, takeover.step == .resumed, !takeover.needsInvite else { return }
        cancel(.takeover, in: &call)
        call.takeover = nil
        answerHandover(of: call.session, 200)
    }

    /// The caller's own re-INVITE or UPDATE was answered with our address: that says it all (TAKEOVER.md, Signalling).
    mutating func movedByCaller(_ call: inout Call) {
        guard call.takeover != nil else { return }
        call.takeover?.needsInvite = false
        settleIfDone(&call)
    }

    // MARK: The re-INVITE

    /// The former owner's 200 has its ACK, or it was waited for long enough, or the last try was put off.
    mutating func inviteAgain(_ call: inout Call) {
        guard let takeover = call.takeover, takeover.needsInvite else { return }
        switch takeover.step {
        case .openingMedia: openMedia(&call)
        case .storing: break
        case .resumed:
            // An INVITE of either side is open: its end comes back here.
            guard call.reinvite == nil, call.unsentInvite == nil else { return }
            prepareMove(&call)
            if call.unsentInvite == nil {
                schedule(.takeover, in: &call, after: Takeover.ackPatience)
            } else {
                saveBeforeInvite(&call, patience: settings.checkpointPatience)
            }
        }
    }

    /// An offer with our address; nothing while another offer is open.
    private mutating func prepareMove(_ call: inout Call) {
        guard let rtp = call.localRTP else { return }
        let before = call.negotiation
        guard let offer = try? call.negotiation.makeMove(to: rtp) else { return }
        var headers: [(HeaderName, String)] = [(.allow, Self.allow), (.supported, Self.supported)]
        if let interval = call.sessionTimer.interval {
            let refresher = call.sessionTimer.isRefresher ? SessionExpires.Refresher.uac : .uas
            headers += settings.sessionTimer.requestHeaders(
                current: SessionExpires(seconds: interval, refresher: refresher))
        }
        call.takeover?.invites += 1
        prepareInvite(offer, restoring: before, headers: headers, in: &call)
    }

    /// A final response to it, or that none will come.
    mutating func moveAnswered(_ status: Int, _ response: Message?, in call: inout Call) {
        guard let takeover = call.takeover else { return }
        let retryAfter = response?.first(.retryAfter).flatMap { Int($0.prefix { $0.isNumber }) }
        let verdict = ReinviteVerdict.of(
            status, retryAfter: retryAfter, attempts: takeover.invites,
            glare: SessionChanges.retryDelay(ownsCallID: false, using: &random))
        switch verdict {
        case .settled:
            // Who answers inside the dialog has our 200.
            if call.acceptance != nil { settleAcceptance(&call) }
            guard !call.isOver else { return }
            call.takeover?.needsInvite = false
            settleIfDone(&call)
            if call.sessionTimer.interval != nil { refreshAnswered(.invite, status, response, in: &call) }
        case .kept:
            note(.takeover, "the caller's phone keeps sending where it sent before: \(status)", in: &call)
            call.takeover?.needsInvite = false
            settleIfDone(&call)
        case .again(let delay): schedule(.takeover, in: &call, after: delay)
        case .over where response == nil && stillSpeaks(call):
            // The phone has moved, or it would not be heard here: its answer was lost, as when access was restarted.
            note(.takeover, "the caller's phone did not answer, but its audio comes", in: &call)
            call.takeover?.needsInvite = false
            settleIfDone(&call)
        case .over(let kind):
            if status == 481 {
                endUnknown(&call)
            } else {
                hangUp(&call, kind, "the caller's phone was not reached: \(status)", awaitsACK: false)
            }
        }
    }

    /// The ACK need not be waited for any more.
    mutating func settleAcceptance(_ call: inout Call) {
        step(.acknowledged, in: &call)
        call.acceptance = nil
        call.invite = nil
        call.unacknowledged = nil
        call.phase = .established
        call.isDirty = true
        if let ending = call.endingAtACK { hangUp(&call, ending.kind, ending.detail) }
    }
}
