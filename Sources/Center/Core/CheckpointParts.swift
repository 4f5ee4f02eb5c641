import Primitives
import SDP
import SIP
import Session

/// The parts of a call's checkpoint, in the words of the wire.
extension Call {
    func dialogCheckpoint(now: Moment) -> DialogCheckpoint {
        let answered = invite?.request ?? unacknowledged
        return DialogCheckpoint(
            leg: .caller, role: .server, state: isAnswered ? .confirmed : .early, callID: dialog.id.callID,
            localTag: localTag, remoteTag: dialog.id.remoteTag, localURI: dialog.local.description,
            remoteURI: dialog.remote.description, localCSeq: dialog.localCSeq, localInviteCSeq: dialog.localInviteCSeq,
            remoteCSeq: dialog.remoteCSeq,
            routeSet: dialog.routeSet.map(\.description), remoteTarget: dialog.remoteTarget.description,
            flow: RebuiltDialog.text(of: flow), signalledFrom: signalledFrom?.description,
            allowsUPDATE: allowsUPDATE, secure: dialog.isSecure,
            invite: InviteCheckpoint(
                role: .server, cseq: inviteCSeq, acknowledged: phase == .established && acceptance == nil,
                vias: answered?.values(of: .via) ?? [],
                recordRoutes: answered?.values(of: .recordRoute) ?? [],
                awaitsAnswer: negotiation.pendingOffer != nil && unsentInvite == nil && reinvite == nil ? true : nil),
            localSDP: localSDP, remoteSDP: remoteSDP, timer: timerCheckpoint(now: now),
            ending: endingAtACK.map { EndingCheckpoint(kind: $0.kind, detail: $0.detail) })
    }

    private func timerCheckpoint(now: Moment) -> SessionTimerCheckpoint? {
        guard let interval = sessionTimer.interval else { return nil }
        return SessionTimerCheckpoint(
            interval: interval, refresher: sessionTimer.isRefresher ? .local : .remote,
            deadline: sessionDeadline.map { now.wall(at: $0) } ?? now.wall)
    }

    func mediaCheckpoint(now: Moment) -> MediaCheckpoint? {
        negotiation.agreement.map { agreement in
            MediaCheckpoint(
                leg: .caller, codec: agreement.codec.rawValue, payloadType: agreement.payloadType,
                telephoneEventType: agreement.telephoneEventPayloadType, packetTime: agreement.ptimeMs,
                direction: .init(rawValue: agreement.direction.rawValue) ?? .sendrecv,
                signalledAddress: agreement.remoteRTP.description, latchedAddress: latched?.description,
                origin: negotiation.origin.description, originVersion: negotiation.origin.version)
        }
    }
}
