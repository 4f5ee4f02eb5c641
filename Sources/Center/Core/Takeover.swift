import Menu
import Primitives
import Session

/// How far a call is that another center had before, until its caller is settled here.
struct Takeover: Sendable {
    enum Ground: String, Hashable, Sendable {
        /// The owner's incarnation is fenced.
        case death
        /// The owner lives and gives its calls away.
        case handover
    }

    enum Step: Equatable, Sendable {
        /// The media plane looks for ports.
        case openingMedia
        /// The checkpoint under the new right is on its way to the store; no INVITE leaves before.
        case storing
        /// The menu goes on.
        case resumed
    }

    let former: NodeIdentity
    let ground: Ground
    /// When this center learned that the call would be its own: of the fence, or of the handover.
    let since: MonotonicTime
    /// CSeq number of the former owner's last INVITE, which is acknowledged before one of ours leaves.
    let formerInvite: UInt32?
    /// What the menu goes on from; nil on lines without one, and where it had not begun.
    var snapshot: MenuSnapshot?
    var step = Step.openingMedia
    /// The caller's phone has still to be told where its call is now.
    var needsInvite = true
    /// re-INVITEs sent.
    var invites = 0
    /// Looks for ports.
    var mediaTries = 0

    /// The media plane is asked so often for ports before the call is given up.
    static let mediaTryLimit = 20
    static let mediaRetry = Duration.milliseconds(250)
    /// TAKEOVER.md, Signalling: "the re-INVITE follows the ACK, or 500 ms".
    static let ackPatience = Duration.milliseconds(500)
    /// How long the re-INVITE waits for the store, which took the claim a moment ago.
    static let storePatience = Duration.seconds(1)
    /// Room for the numbers that the former owner used after its last checkpoint.
    static let cseqSkip: UInt32 = 1_000
    /// The same for versions of the `o=` line: an owner that dies raised it a few times at most.
    static let versionSkip: UInt64 = 16
}

/// What follows from the final response to the re-INVITE of a takeover.
enum ReinviteVerdict: Equatable, Sendable {
    /// The caller's phone knows where its call is.
    case settled
    /// It does not want the new offer, but the dialog stays: the call goes on as far as media flow.
    case kept
    case again(after: Duration)
    case over(EndKind)

    /// re-INVITEs for one takeover, at most.
    static let attemptLimit = 8

    /// - Parameters:
    ///   - retryAfter: seconds, as the response says.
    ///   - attempts: so many were sent.
    ///   - glare: how long to wait after a 491 (RFC 3261 §14.1).
    static func of(_ status: Int, retryAfter: Int?, attempts: Int, glare: @autoclosure () -> Duration) -> Self {
        switch status {
        case 200...299: return .settled
        // §12.2.1.2; TAKEOVER.md, Signalling.
        case 481: return .over(.caller)
        case 408: return .over(.lost)
        // RFC 5057 §5.1: what ends the dialog and not only the request.
        case 404, 410, 416, 482...485, 502, 604: return .over(.lost)
        case _ where attempts >= attemptLimit: return .kept
        case 491: return .again(after: glare())
        // Our CANCEL ended it, after timer C: whoever rang may answer the next one.
        case 487: return .again(after: .seconds(1))
        // The connection to the caller is gone at access (RFC 5626 §11.6): it may come back.
        case 430: return .again(after: .seconds(2))
        // An INVITE of ours or theirs is still open (§14.2), or somebody on the way is busy.
        case 500, 503, 504: return .again(after: .seconds(min(max(retryAfter ?? 1, 1), 10)))
        default: return .kept
        }
    }
}
