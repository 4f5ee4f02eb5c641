import Primitives

/// What another center needs to go on with one SIP dialog (RFC 3261 §12), as the wire wrote it: header values are kept
/// as text, so that nothing is lost between two versions of the program.
public struct DialogCheckpoint: Hashable, Sendable, Codable {
    /// Whose phone is at the other end.
    public enum Leg: String, Sendable, Codable { case caller, agent }
    /// Which end of the INVITE we were: the route set is built by role (RFC 3261 §12.1.1 and §12.1.2).
    public enum Role: String, Sendable, Codable { case server, client }
    public enum State: String, Sendable, Codable { case early, confirmed }

    public var leg: Leg
    public var role: Role
    public var state: State
    public var callID: String
    /// `name.incarnation.random` of the center that made the dialog; takeovers do not change it.
    public var localTag: String
    public var remoteTag: String
    public var localURI: String
    public var remoteURI: String
    public var localCSeq: UInt32
    /// CSeq number of the last INVITE of our own, committed before it left: whoever goes on with the call acknowledges
    /// that one first. Nil when there was none.
    public var localInviteCSeq: UInt32?
    /// Nil until the other end has sent a request.
    public var remoteCSeq: UInt32?
    /// In the order in which Route headers are written; empty means straight to the remote target.
    public var routeSet: [String]
    public var remoteTarget: String
    /// Where the other end was last heard from, `udp 192.0.2.1:5060`, for replies and for callers behind NAT.
    public var flow: String
    /// The address that the other end signals from, where `flow` leads to a proxy of this system; its media may come from
    /// there. Nil where it is that of `flow`, and in checkpoints of releases that did not say.
    public var signalledFrom: String?
    /// The other end lists UPDATE in its Allow. Nil in checkpoints of releases that did not say.
    public var allowsUPDATE: Bool?
    /// RFC 3261 §12: a dialog over TLS that began with a SIPS URI stays secure.
    public var secure: Bool
    /// The INVITE that made the dialog or changed it last.
    public var invite: InviteCheckpoint
    public var localSDP: String
    public var remoteSDP: String
    public var timer: SessionTimerCheckpoint?
    /// We want to hang up as soon as the ACK of our 200 has come (RFC 3261 §15). Nil in all other calls.
    public var ending: EndingCheckpoint?

    public init(
        leg: Leg, role: Role, state: State, callID: String, localTag: String, remoteTag: String, localURI: String,
        remoteURI: String, localCSeq: UInt32, localInviteCSeq: UInt32? = nil, remoteCSeq: UInt32?, routeSet: [String],
        remoteTarget: String, flow: String, signalledFrom: String? = nil, allowsUPDATE: Bool? = nil,
        secure: Bool = false,
        invite: InviteCheckpoint, localSDP: String, remoteSDP: String, timer: SessionTimerCheckpoint? = nil,
        ending: EndingCheckpoint? = nil
    ) {
        self.leg = leg
        self.role = role
        self.state = state
        self.callID = callID
        self.localTag = localTag
        self.remoteTag = remoteTag
        self.localURI = localURI
        self.remoteURI = remoteURI
        self.localCSeq = localCSeq
        self.localInviteCSeq = localInviteCSeq
        self.remoteCSeq = remoteCSeq
        self.routeSet = routeSet
        self.remoteTarget = remoteTarget
        self.flow = flow
        self.signalledFrom = signalledFrom
        self.allowsUPDATE = allowsUPDATE
        self.secure = secure
        self.invite = invite
        self.localSDP = localSDP
        self.remoteSDP = remoteSDP
        self.timer = timer
        self.ending = ending
    }
}

/// Enough of an INVITE transaction to send its 200 or its ACK again from another node.
public struct InviteCheckpoint: Hashable, Sendable, Codable {
    /// Who sent it: the dialog's other end (`server`) or we (`client`).
    public var role: DialogCheckpoint.Role
    public var cseq: UInt32
    /// Our 200 was acknowledged, or we acknowledged theirs.
    public var acknowledged: Bool
    /// Via and Record-Route values of the received INVITE, topmost first; empty for our own.
    public var vias: [String]
    public var recordRoutes: [String]
    /// Our 200 carried an offer: its answer comes in the ACK (RFC 3261 §13.2.1).
    public var awaitsAnswer: Bool?

    public init(
        role: DialogCheckpoint.Role, cseq: UInt32, acknowledged: Bool, vias: [String] = [],
        recordRoutes: [String] = [], awaitsAnswer: Bool? = nil
    ) {
        self.role = role
        self.cseq = cseq
        self.acknowledged = acknowledged
        self.vias = vias
        self.recordRoutes = recordRoutes
        self.awaitsAnswer = awaitsAnswer
    }
}

/// How a call is to be recorded that ends with the ACK of its 200.
public struct EndingCheckpoint: Hashable, Sendable, Codable {
    public var kind: EndKind
    public var detail: String

    public init(kind: EndKind, detail: String) {
        self.kind = kind
        self.detail = detail
    }
}

/// The session timer of RFC 4028, as absolute time so that it survives a change of owner.
public struct SessionTimerCheckpoint: Hashable, Sendable, Codable {
    public enum Refresher: String, Sendable, Codable { case local, remote }

    /// Session-Expires, seconds.
    public var interval: Int
    public var refresher: Refresher
    /// When the session expires unless it is refreshed.
    public var deadline: WallTime

    public init(interval: Int, refresher: Refresher, deadline: WallTime) {
        self.interval = interval
        self.refresher = refresher
        self.deadline = deadline
    }

    private enum CodingKeys: String, CodingKey {
        case interval = "interval_s"
        case refresher, deadline
    }
}
