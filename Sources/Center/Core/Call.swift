import Banking
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
    var ownership: Ownership
    let line: Line
    let localTag: String
    /// When the INVITE came, for the set-up time.
    let invitedAt: MonotonicTime

    var phase = Phase.openingMedia
    /// Gone from the table once this is set.
    var isOver = false
    var dialog: Dialog
    /// Where the caller signals from: of the INVITE, and of the last target refresh or the last request by a connection.
    /// Our requests go there when the dialog says no address that is one.
    var flow: Flow
    /// The address that the caller signals from, past the nodes of this system; its audio may come from there. Nil where
    /// that is `flow`'s.
    var signalledFrom: IPAddress?
    /// An INVITE or re-INVITE with the way it came, until its ACK: responses are made from it.
    var invite: OpenInvite?
    /// The INVITE of a former owner's 2xx that has no ACK yet, as far as its checkpoint tells: another owner may have to
    /// answer it once more.
    var unacknowledged: Message?
    /// CSeq number of the caller's last INVITE.
    var inviteCSeq: UInt32
    /// Our 2xx, repeated until its ACK comes (RFC 3261 §13.3.1.4), and which INVITE it answers.
    var acceptance: Acceptance?
    /// A re-INVITE of ours without a final response.
    var reinvite: ClientTransactionID?
    /// An UPDATE of ours without a final response.
    var update: ClientTransactionID?
    /// A re-INVITE of ours that leaves when the store has its number.
    var unsentInvite: UnsentInvite?
    var provisional: ReliableProvisional?
    var provisionalResponse: [UInt8]?
    var sessionTimer = SessionTimer()
    /// When the session expires unless it is refreshed.
    var sessionDeadline: MonotonicTime?
    /// What the next 2xx says of the session timer.
    var timerHeaders: [(HeaderName, String)] = []
    /// The other side lists UPDATE in Allow: then that is how the session is refreshed.
    var allowsUPDATE = false
    /// Set when we want to hang up before the ACK has come: done with it (RFC 3261 §15).
    var endingAtACK: (kind: EndKind, detail: String)?

    var negotiation: OfferAnswer
    var localRTP: Endpoint?
    var latched: Endpoint?
    /// Audio or digits of the caller have come to this node.
    var hearsAudio = false
    /// No audio came for a while, though it should.
    var isSilent = false
    /// The caller's descriptions as they came and ours as they went, for the checkpoint.
    var remoteSDP = ""
    var localSDP = ""

    var menu: MenuMachine?
    /// Tells one playing from the next; the media plane echoes it.
    var playback: (id: UInt64, prompt: PromptID)?
    var nextPlayback: UInt64 = 0
    /// What the bank was asked and has not answered; the menu may wait for one of them no longer.
    var asked: [OperationCall: AskedOperation] = [:]
    /// How far the bank operation is whose id was fixed last, by what this node knows.
    var operationPhase: (id: String, phase: PendingOperation.Phase)?
    /// The operation of a former owner that the bank is asked about.
    var doubt: (call: OperationCall, id: OperationID)?
    var record: CallRecord
    /// Entries that the store was not handed yet.
    var timeline: [TimelineEntry] = []
    var timers: [CallTimer: TimerToken] = [:]
    var row = Row.none
    /// What another center would need differs from what the store was handed last.
    var isDirty = false
    /// Another center had the call before, and its caller is not settled here yet.
    var takeover: Takeover?
    /// On its way to a peer.
    var handover: Handover?
    /// Peers that would not have it.
    var refusedBy: Set<String> = []
    /// All of them: no handover before this time.
    var staysUntil = MonotonicTime.zero

    /// The session's row in the store, as far as this node knows.
    enum Row: Equatable, Sendable {
        /// The store was never asked: the call needs no record.
        case none
        /// Asked for; there may be a row.
        case opening
        /// The store was away; asked again later. There may be a row: an answer may have been lost.
        case refused
        case open
    }

    struct AskedOperation: Sendable {
        var name: String
        /// Under which the bank keeps the result; nil for operations that may be repeated at will.
        var id: OperationID?
    }

    struct OpenInvite: Sendable {
        var request: Message
        var transaction: ServerTransactionID
        var flow: Flow
    }

    /// Written and numbered, not sent. Whoever goes on with the call must know its number (TAKEOVER.md, Checkpoints).
    struct UnsentInvite: Sendable {
        var bytes: [UInt8]
        var branch: String
        var way: Flow
        /// As it was before the offer, should it never leave.
        var negotiation: OfferAnswer
    }

    struct Acceptance: Sendable {
        var machine: AcceptedInvite
        var response: [UInt8]
        var responseFlow: Flow
        var cseq: UInt32
        /// The 2xx carried an offer: its answer comes in the ACK (RFC 3261 §13.2.1).
        var awaitsAnswer: Bool
        /// A request came inside the dialog meanwhile, whose tag the caller has from it.
        var isHeard = false
    }

    var isAnswered: Bool { phase == .answered || phase == .established }
    /// Money moves only under a row.
    var isStored: Bool { row == .open }
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
    /// Our re-INVITE waits no longer for the store.
    case invitePatience
    /// The next step of a takeover.
    case takeover
    /// The store or a peer does not answer in a handover.
    case handover
    /// The bank is asked again what became of an operation.
    case doubt
    /// The store was away: what it lacks is handed in again.
    case save
}

/// What a timer of a center is for.
enum CenterTimer: Sendable {
    case call(CallHandle, CallTimer)
    /// Records that the store would not take are handed in again.
    case unwrittenRecords
    /// What nobody took of a dead incarnation's sessions is anybody's.
    case takeover(NodeIdentity)
    /// A look for calls that can be given to peers.
    case giving
    /// A call that a peer gave is heard here: it may let go.
    case incoming(SessionID)
    /// A request of somebody else's call waits for its holder.
    case foreign(ForeignID)
    /// The bank is asked what became of an operation.
    case bankDoubt(OperationID)
}
