import Primitives
import SIP

/// Whether this incarnation may still speak, as far as its own loops and the others let it know (TAKEOVER.md, The old
/// owner). Two doubts are kept apart:
///
/// - *Unconfirmed*: a loop stood still so long that others may have fenced this node meanwhile. Nothing leaves, on any
///   socket, until the store, a master or an access node says that the incarnation lives.
/// - *Isolated*: nobody who knows was heard for a second. No audio and no new calls; requests are still answered.
struct Standing: Sendable {
    /// Of a loop: always shorter than the fastest possible fence.
    static let standstill = Duration.milliseconds(400)
    /// After so long without a ping the store is asked, and again each time this has passed: a node that is cut off
    /// from the masters alone learns in this time that it was fenced.
    static let askInterval = Duration.milliseconds(400)
    /// The same for a node that may say nothing until it has an answer.
    static let urgentInterval = Duration.milliseconds(100)
    /// A question without an answer is asked again after this.
    static let answerPatience = Duration.seconds(1)
    /// Questions that wait at once; a store that hangs is not asked for ever.
    static let questionLimit = 8

    private(set) var isUnconfirmed = false
    private(set) var isIsolated = false
    /// Words spoken before this say nothing: the last standstill's end.
    private(set) var since = MonotonicTime.zero
    /// When this incarnation began: what was said before is another's.
    private(set) var began = MonotonicTime.zero
    /// Datagrams that wait may be older than the standstill: pings among them do not count.
    private(set) var isBehind = false
    /// Whether the node was alive at all, so that it has something to miss.
    private var lastWord: MonotonicTime?
    private var lastPing = MonotonicTime.zero
    private var lastAsked = MonotonicTime.zero
    private var round: UInt64 = 0
    /// Answers to earlier questions say nothing of the present.
    private var firstValidRound: UInt64 = 1
    private var answeredRound: UInt64 = 0
    private var unanswered = 0

    /// Whether calls may be taken and audio may leave.
    var isSound: Bool { !isUnconfirmed && !isIsolated }

    /// The first event of the node's life begins the count.
    mutating func begin(at now: MonotonicTime) {
        guard lastWord == nil else { return }
        lastWord = now
        lastPing = now
    }

    // MARK: Doubts

    /// - Parameter hasBacklog: it was the loop that reads datagrams.
    mutating func stoodStill(until end: MonotonicTime, hasBacklog: Bool, now: MonotonicTime) {
        isUnconfirmed = true
        since = max(since, end, now)
        if hasBacklog { isBehind = true }
        // Whatever was asked before the standstill was true before it.
        firstValidRound = round + 1
    }

    /// Whatever is read from now on was sent after the standstill.
    mutating func caughtUp() { isBehind = false }

    /// This incarnation is over and the next one has begun, with nothing to be in doubt about.
    mutating func renew(now: MonotonicTime) {
        isUnconfirmed = false
        isIsolated = false
        since = max(since, now)
        began = now
        firstValidRound = round + 1
        lastWord = now
    }

    // MARK: Words

    /// A ping of a master or access.
    ///
    /// - Parameter confirms: it names this incarnation as the living one.
    /// - Returns: whether it ended a doubt.
    mutating func heardPing(confirms: Bool, now: MonotonicTime) -> Bool {
        guard !isBehind else { return false }
        lastPing = max(lastPing, now)
        if confirms { return confirm(now) }
        if !isIsolated { lastWord = max(lastWord ?? now, now) }
        return false
    }

    /// A call from access, which holds the table: it lets calls go on, but a table may be old, so it confirms nothing.
    mutating func heardAccess(now: MonotonicTime) {
        guard !isBehind, !isUnconfirmed else { return }
        lastWord = max(lastWord ?? now, now)
        isIsolated = false
    }

    /// The store's answer to a question of that round.
    ///
    /// - Parameters:
    ///   - isThere: it answered at all.
    ///   - confirms: it holds this incarnation for living.
    mutating func answered(_ round: UInt64, isThere: Bool, confirms: Bool, now: MonotonicTime) -> Bool {
        unanswered = max(0, unanswered - 1)
        answeredRound = max(answeredRound, round)
        guard isThere, isValid(round) else { return false }
        if confirms { return confirm(now) }
        let wasIsolated = isIsolated
        isIsolated = false
        lastWord = max(lastWord ?? now, now)
        return wasIsolated
    }

    /// The question was asked after the last standstill, and by this incarnation.
    func isValid(_ round: UInt64) -> Bool { round >= firstValidRound }

    private mutating func confirm(_ now: MonotonicTime) -> Bool {
        let wasInDoubt = !isSound
        lastWord = max(lastWord ?? now, now)
        isUnconfirmed = false
        isIsolated = false
        return wasInDoubt
    }

    // MARK: Time

    /// When `fire` has work. Nil before the node's first event, and when neither limit is watched.
    func nextDeadline(isolation: Duration?) -> MonotonicTime? {
        guard let lastWord else { return nil }
        guard let isolation else { return isUnconfirmed ? nextQuestion : nil }
        return isIsolated ? nextQuestion : min(nextQuestion, lastWord + isolation)
    }

    private var nextQuestion: MonotonicTime {
        if unanswered > 0, answeredRound < round { return lastAsked + Self.answerPatience }
        if isUnconfirmed { return lastAsked + Self.urgentInterval }
        return max(lastPing, lastAsked) + Self.askInterval
    }

    /// Nobody was heard for too long. True when that is news.
    mutating func judge(isolation: Duration?, now: MonotonicTime) -> Bool {
        guard let isolation, let lastWord, !isIsolated, now >= lastWord + isolation else { return false }
        isIsolated = true
        return true
    }

    /// The number of a question that is due; nil when none is.
    mutating func questionDue(now: MonotonicTime) -> UInt64? {
        guard now >= nextQuestion else { return nil }
        return question(now: now)
    }

    mutating func question(now: MonotonicTime) -> UInt64? {
        lastAsked = now
        guard unanswered < Self.questionLimit else { return nil }
        unanswered += 1
        round += 1
        return round
    }
}

/// Messages for connections that wait until the node is confirmed. What goes by UDP does not wait: its transaction says
/// it again. Nobody repeats anything on a connection, so there it would be lost.
struct HeldMessages: Sendable {
    static let limit = 256
    /// About when a repetition would have come; what is older is stale and is dropped.
    static let patience = Duration.seconds(4)

    private var waiting: [(bytes: [UInt8], flow: Flow, since: MonotonicTime)] = []

    mutating func hold(_ bytes: [UInt8], _ flow: Flow, now: MonotonicTime) {
        guard waiting.count < Self.limit else { return }
        waiting.append((bytes, flow, now))
    }

    mutating func takeAll(now: MonotonicTime) -> [(bytes: [UInt8], flow: Flow)] {
        defer { waiting = [] }
        return waiting.filter { now - $0.since <= Self.patience }.map { ($0.bytes, $0.flow) }
    }

    mutating func drop() { waiting = [] }
    var isEmpty: Bool { waiting.isEmpty }
}
