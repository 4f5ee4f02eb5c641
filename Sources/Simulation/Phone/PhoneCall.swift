import Primitives
import SIP

/// One call as its phone sees it.
struct PhoneCall: Sendable {
    enum Phase: Sendable { case calling, answered, over }

    /// A request of the phone's until its final response (RFC 3261 §17.1).
    struct Outgoing: Sendable {
        var method: String
        var cseq: Int
        var branch: String
        var bytes: [UInt8]
        var to: Endpoint
        var attempts = 0
        var isProvisional = false
        var isDone = false
    }

    /// The other end of a dialog: a call has one, or more if it was forked.
    struct Peer: Sendable {
        var tag: String
        var target: String
        /// Route header values in the order to write them.
        var routes: [String]
        var nextHop: Endpoint
        var ack: [UInt8]
        /// Number of the INVITE that the ACK is for.
        var ackedCSeq: Int
    }

    let number: Int
    let errand: Errand
    let began: MonotonicTime
    let localTag: String
    let rtp: Endpoint
    var phase = Phase.calling
    var cseq = 1
    var requests: [Outgoing] = []
    var peer: Peer?
    /// Dialogs of other forks, which only get their ACK and BYE.
    var strangers: [Peer] = []
    var answeredAt: MonotonicTime?
    var endedAt: MonotonicTime?
    var isCancelled = false
    /// Where the center's media come from and ours go.
    var remoteRTP: Endpoint? {
        didSet { if let remoteRTP, !sources.contains(remoteRTP) { sources.append(remoteRTP) } }
    }
    /// When the center asked for media to go elsewhere last.
    var movedAt: MonotonicTime?
    /// Every address that was signalled in this call.
    private(set) var sources: [Endpoint] = []
    /// Speaks and was not signalled yet.
    var strangeSource: Endpoint?
    /// The center's description as it came last.
    var remoteDescription: RemoteDescription?
    /// Version of an offer that came at the wrong time.
    var refusedVersion: Int?
    /// CSeq number of the center's last request (RFC 3261 §12.2.2).
    var remoteCSeq = 0
    /// Counts when sound began or ceased.
    var silence = 0
    var offerVersion = 1
    var onHold = false
    /// Responses that were sent, by branch and method, for repetitions of requests.
    var sent: [String: [UInt8]] = [:]
    /// Our 2xx to a re-INVITE of the center until its ACK, by CSeq.
    var unacknowledged: (cseq: Int, bytes: [UInt8], to: Endpoint, attempts: Int)?
    /// What was asked last, and whether a key was pressed since.
    var question: (name: String, at: MonotonicTime, hasReplied: Bool)?

    // Listening
    var hasHeardAnything = false
    var hasHeardGoodbye = false
    var agenda: [Errand.Item] = []
    var pinTries = 0
    var keys: [Character] = []
    var step = 0
    /// Confirmed with 1 and no answer heard yet.
    var pending: Transfer?
    var infoInFlight = false
    var infoSentAt = MonotonicTime.zero
    /// The order that is being read back.
    var reading: (transfer: Transfer, confirms: Bool)?

    var callID: String { "c\(number)@phones" }
    var isAnswered: Bool { phase == .answered }
}

enum PhoneTimer: Sendable {
    /// Sends a request again.
    case again(request: Int)
    /// 64 × T1 are over.
    case limit(request: Int)
    case answerAgain
    case cancel
    case hangUp
    case hold
    case resume
    /// Nothing was heard for too long.
    case impatience(silence: Int)
    /// The address of media that came unannounced should have been signalled.
    case sourceDue(Endpoint)
    /// Presses the next key, unless the caller heard something else since.
    case press(step: Int)
    case begin
}

/// What a phone wants done.
enum PhoneOutput {
    case send([UInt8], Endpoint)
    case press(Character, from: Endpoint, to: Endpoint)
    case schedule(PhoneTimer, call: Int, Duration)
    case told(PhoneNews, call: Int)
}

/// What a caller noticed, for whoever judges.
enum PhoneNews {
    case answered(after: Duration)
    case refused(status: Int, after: Duration, saysWhen: Bool)
    /// No final response in 64 × T1.
    case unanswered(method: String, began: MonotonicTime)
    /// No ACK for the answer to a re-INVITE.
    case unacknowledged
    case hungUpOn
    case over
    case confirmed(Transfer)
    case toldDone(Transfer)
    /// Was told that nothing was moved.
    case toldNot(Transfer)
    case toldUnknown(Transfer)
    case wrongAudio(String)
    case wrongLanguage(String)
    /// Other keys than were pressed.
    case wrongReadBack(String)
    /// A read-back of an order that was settled, or never given.
    case oldReadBack
    /// From an address that was not signalled.
    case strangeSource(Endpoint, String)
    case unexpected(String)
    /// The center broke a rule of RFC 3261 or RFC 3264 that the caller's phone relies on.
    case brokenRule(String)
    /// A request of the center with a number below the last one's.
    case outOfOrder(String)
    /// The version of a description is not the one after the last that was seen.
    case version(String, isForward: Bool)
}
