/// What always holds, by the names of the design; a run stops at the first that does not.
public enum Invariant: String, Sendable, Hashable, CaseIterable {
    /// A session has at most one owner per session epoch; an old owner's writes are refused.
    case oneOwner = "I1"
    /// A center that stood still for so long that it may be fenced says nothing until its incarnation is confirmed.
    case silentInDoubt = "I1-doubt"
    /// An operation id moves money at most once; the sum over all accounts never changes.
    case moneyOnce = "I2"
    /// What the caller was told is in the ledger, and what the caller was told did not happen is not.
    case toldTruth = "I3"
    /// An answered call ends only by caller, menu or a limit; the death of its center, of a second one after it, or of
    /// the leading master with it, is heard for `gapLimit` at most. What the living have no room for ends as lost, the
    /// youngest first, with an alarm.
    case callsLast = "I4"
    /// After a takeover the caller is where they were.
    case samePlace = "I4-place"
    /// One record for each session.
    case oneRecord = "I5"
    /// No PIN in anything that is stored, told or traced.
    case noSecrets = "I6"
    /// No request is left without an answer, and what is refused for want of room says when to come again.
    case answers = "I8"
    /// What cannot be parsed is answered if it can be, counted, and changes nothing.
    case strangeBytes = "I9"
    /// Any one center may die: new calls are answered by another within `Simulation.newCallLimit`.
    case newCalls = "I10"
    /// What is sent to a caller's phone keeps to RFC 3261 and RFC 3264.
    case rules
    /// A caller hears what the call is about, from where it was signalled, and nobody else's call.
    case rightAudio = "audio"
    /// The scenario itself went wrong: a node asked for something that it cannot ask for.
    case contract
}

/// An invariant that did not hold.
public struct Violation: Error, Sendable, Equatable {
    public var invariant: Invariant
    /// What was seen, one line.
    public var detail: String
    /// Since the beginning of the run.
    public var at: Duration
    /// The number of the call concerned; nil for what concerns no single call.
    public var call: Int?
}

/// A bug put in on purpose: a run with it must fail, or the simulation proves nothing.
public enum Fault: String, Sendable, Hashable, CaseIterable {
    /// The store takes writes of fenced nodes.
    case staleWrites = "stale-writes"
    /// The store runs each transfer twice.
    case doublePost = "double-post"
    /// A transfer is said to be done that was never run.
    case falseDone = "false-done"
    /// A center ends calls without reason.
    case dropCalls = "drop-calls"
    /// A center forgets the records of some calls.
    case forgetCDR = "forget-cdr"
    /// A center writes the digits that a caller presses into the timeline.
    case leakPIN = "leak-pin"
    /// Access swallows final answers to some callers.
    case swallowAnswers = "swallow-answers"
    /// Access tries one center only.
    case noFailover = "no-failover"
    /// A center speaks to the wrong caller.
    case crossedLines = "crossed-lines"
    /// The store gives sessions away whose owner is not fenced.
    case noFencing = "no-fencing"
    /// The store gives a session to everybody who claims it.
    case doubleClaim = "double-claim"
    /// Each try of a transfer has an operation id of its own.
    case freshOperationID = "fresh-operation-id"
    /// The leader tells no center whose calls are to be taken over.
    case silentLeader = "silent-leader"
    /// Calls are taken over as they were when they began.
    case staleCheckpoint = "stale-checkpoint"
    /// A re-INVITE describes something new under the old version.
    case staleOrigin = "stale-origin"
    /// The store lets nobody lead but the first master.
    case idleStandby = "idle-standby"
    /// The store lets nobody take over a session that was taken over before.
    case oneTakeover = "one-takeover"
    /// The store lists the sessions of a dead center as if the youngest were the oldest.
    case youngestFirst = "youngest-first"
    /// Refusals do not say when to come again.
    case noRetryAfter = "no-retry-after"
    /// A center that stood still is not told so.
    case unawareOwner = "unaware-owner"
    /// Nobody answers what cannot be parsed.
    case muteToGarbage = "mute-to-garbage"

    /// What must be found broken.
    public var breaks: Invariant {
        switch self {
        case .staleWrites, .noFencing, .doubleClaim: .oneOwner
        case .doublePost, .freshOperationID: .moneyOnce
        case .falseDone: .toldTruth
        case .unawareOwner: .silentInDoubt
        case .dropCalls, .silentLeader, .idleStandby, .oneTakeover, .youngestFirst: .callsLast
        case .staleCheckpoint: .samePlace
        case .staleOrigin: .rules
        case .forgetCDR: .oneRecord
        case .leakPIN: .noSecrets
        case .swallowAnswers, .noRetryAfter: .answers
        case .muteToGarbage: .strangeBytes
        case .noFailover: .newCalls
        case .crossedLines: .rightAudio
        }
    }

    /// Shows only where there is no room for all.
    var needsNarrowCenters: Bool { self == .youngestFirst || self == .noRetryAfter }
}
