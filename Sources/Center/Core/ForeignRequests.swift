import Primitives
import Routing
import SIP
import Session

/// Names a request of a call that this node does not hold, while it is dealt with.
public struct ForeignID: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// Requests inside dialogs that this node does not hold, while it finds out who does (TAKEOVER.md, Signalling: requests
/// of the caller in the gap).
///
/// Such requests are cheap to make up, and each costs a question to the store. So only those are looked up whose To tag
/// a center can have made; a source outside the trusted ones may ask for few a second, all of those together for a share
/// that leaves the store its work, and access nodes and other centers have a share of their own, so that a flood from
/// outside does not close the way for callers whose center died. How many wait at once is limited too. Beyond each limit
/// the answer is 503 with Retry-After, at no cost but its own.
struct ForeignRequests: Sendable {
    struct Entry: Sendable {
        let request: Message
        /// Nil for an ACK, which nobody answers.
        let transaction: ServerTransactionID?
        let flow: Flow
        let dialog: DialogID
        let since: MonotonicTime
        /// Another center passed it on already: it is not passed on twice.
        let wasPassedOn: Bool
        var session: SessionID?
        var isAsking = false
        var marksEnd = false
        /// The mark is in the store: for the phone the call is over, whoever owns it.
        var isMarked = false
        var passedOn: ClientTransactionID?
        /// To whom.
        var holder: PeerList.Peer?
    }

    /// Requests that wait or are passed on at once.
    static let limit = 512
    /// How long a request waits for its call's next owner.
    static let patience = Duration.seconds(1)
    /// Between two looks for it.
    static let interval = Duration.milliseconds(200)
    /// How long a center that is in the leader's list no more may take to answer a BYE before it is taken for dead.
    static let formerPeerPatience = Duration.milliseconds(400)
    /// Look-ups for one source that is not trusted.
    static let perSource = RateLimit(perSecond: 5, burst: 10)
    /// Look-ups for all of those.
    static let strangers = RateLimit(perSecond: 50, burst: 100)
    /// Look-ups for access nodes and other centers: two thousand callers who all send something at once are served in
    /// five seconds.
    static let trusted = RateLimit(perSecond: 400, burst: 500)

    private var entries: [ForeignID: Entry] = [:]
    private var passed: [ClientTransactionID: ForeignID] = [:]
    private var last: UInt64 = 0
    private var sources = SourceRateLimiter(Self.perSource, sourceLimit: 1024)
    private var strangersBucket = TokenBucket(Self.strangers)
    private var trustedBucket = TokenBucket(Self.trusted)

    var count: Int { entries.count }

    /// Whether one more may be looked up for that source.
    mutating func admit(_ source: IPAddress, isTrusted: Bool, now: MonotonicTime) -> Admission {
        guard entries.count < Self.limit else { return .limited(retryAfter_s: 1) }
        if isTrusted { return trustedBucket.admit(now: now) }
        let ofSource = sources.admit(source, now: now)
        guard ofSource == .admitted else { return ofSource }
        return strangersBucket.admit(now: now)
    }

    mutating func insert(_ entry: Entry) -> ForeignID {
        last += 1
        let id = ForeignID(rawValue: last)
        entries[id] = entry
        return id
    }

    subscript(id: ForeignID) -> Entry? {
        get { entries[id] }
        set {
            if let old = entries[id]?.passedOn, old != newValue?.passedOn { passed[old] = nil }
            if let new = newValue?.passedOn { passed[new] = id }
            entries[id] = newValue
        }
    }

    func passedOn(as id: ClientTransactionID) -> ForeignID? { passed[id] }

    /// Those that wait for a call of that dialog, in the order in which they came.
    func waiting(for dialog: DialogID) -> [ForeignID] {
        entries.filter { $0.value.dialog == dialog && $0.value.passedOn == nil }.keys
            .sorted { $0.rawValue < $1.rawValue }
    }

    mutating func removeAll() {
        entries = [:]
        passed = [:]
    }
}
