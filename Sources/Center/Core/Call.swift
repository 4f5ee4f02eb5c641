import Menu
import Primitives
import SDP
import SIP
import Session

/// One caller's call at this center, from INVITE to CDR.
struct Call: Sendable {
    enum Phase: Equatable, Sendable {
        /// The media plane looks for ports.
        case openingMedia
        /// The first checkpoint is on its way to the store.
        case storing
        /// A provisional response that the caller wants reliably waits for its PRACK (RFC 3262).
        case awaitingPRACK
        /// The 200 has left and its ACK has not come.
        case answered
        case established
    }

    let handle: CallHandle
    let session: SessionID
    let ownership: Ownership
    let line: Line
    let localTag: String
    /// When the INVITE came, for the set-up time.
    let invitedAt: MonotonicTime

    var phase = Phase.openingMedia
    /// Gone from the table once this is set.
    var isOver = false
    var dialog: Dialog
    /// Where the caller's requests come from and ours go when the route set is empty and the transport is a connection.
    var flow: Flow
    /// The INVITE until its transaction is over: responses are made from it.
    var invite: Message?
    var inviteTransaction: ServerTransactionID?
    /// Our 2xx, repeated until its ACK comes (RFC 3261 §13.3.1.4), and which INVITE it answers.
    var acceptance: Acceptance?
    var provisional: ReliableProvisional?
    var provisionalResponse: [UInt8]?
    var sessionTimer = SessionTimer()
    /// When the session expires unless it is refreshed.
    var sessionDeadline: MonotonicTime?
    /// What the next 2xx says of the session timer.
    var timerHeaders: [(HeaderName, String)] = []
    /// The other side lists UPDATE in Allow: then that is how the session is refreshed.
    var allowsUPDATE = false

    var negotiation: OfferAnswer
    var localRTP: Endpoint?
    var latched: Endpoint?
    /// The caller's descriptions as they came and ours as they went, for the checkpoint.
    var remoteSDP = ""
    var localSDP = ""

    var menu: MenuMachine?
    /// Tells one playing from the next; the media plane echoes it.
    var playback: (id: UInt64, prompt: PromptID)?
    var nextPlayback: UInt64 = 0
    var record: CallRecord
    var timeline: [TimelineEntry] = []
    var timers: [CallTimer: TimerToken] = [:]
    /// The row exists, as far as this node knows.
    var isStored = false
    /// A checkpoint differs from what the store has.
    var isDirty = false

    struct Acceptance: Sendable {
        var machine: AcceptedInvite
        var response: [UInt8]
        var responseFlow: Flow
        var cseq: UInt32
        /// The 2xx carried an offer: its answer comes in the ACK (RFC 3261 §13.2.1).
        var awaitsAnswer: Bool
    }

    var isAnswered: Bool { phase == .answered || phase == .established }
}

enum CallTimer: Hashable, Sendable {
    case menu(MenuTimer)
    /// The 200 waits no longer for the store.
    case checkpointPatience
    /// The 2xx is sent again.
    case acceptance
    case acceptanceLimit
    case provisional
    case provisionalLimit
    case sessionRefresh
    case sessionExpiry
    case longestCall
}

/// What a timer of a center is for.
enum CenterTimer: Sendable {
    case call(CallHandle, CallTimer)
    /// Records that the store would not take are handed in again.
    case unwrittenRecords
}
