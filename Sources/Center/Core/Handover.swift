import Menu
import Primitives
import Routing
import SIP
import Session

/// The value of a `Tandem-Handover` header, in the OPTIONS by which a draining center gives a call to a peer:
/// `UUID;epoch=N`. The session's row is the peer's already, at that epoch.
struct HandoverNotice: Hashable, Sendable {
    var session: SessionID
    var epoch: Int64

    init(session: SessionID, epoch: Int64) {
        self.session = session
        self.epoch = epoch
    }

    /// Nil for anything else.
    init?(headerValue: String) {
        guard headerValue.utf8.count <= 80 else { return nil }
        let parts = headerValue.split(separator: ";", omittingEmptySubsequences: false)
        guard parts.count == 2, let session = SessionID(String(parts[0])), parts[1].hasPrefix("epoch="),
            let epoch = Int64(parts[1].dropFirst(6)), epoch > 0
        else { return nil }
        self.init(session: session, epoch: epoch)
    }

    var headerValue: String { "\(session);epoch=\(epoch)" }
}

public enum HandoverStep: Equatable, Sendable {
    /// The last checkpoint is on its way to the store.
    case saving
    /// The row becomes the peer's.
    case claiming
    /// The peer was asked.
    case offering
    /// The peer would not, or did not answer: the row comes back.
    case reclaiming
}

/// How far a call is on its way to a peer. It goes on here until the peer says that the caller hears it.
struct Handover: Sendable {
    typealias Step = HandoverStep

    var peer: PeerList.Peer
    /// Under which the peer has the row, from `claiming` on.
    var right: Ownership
    var step = Step.saving
    /// The OPTIONS that offers it.
    var offer: ClientTransactionID?
    /// The peer may have told the caller already.
    var isDoubtful = false

    /// Pressed since the row is the peer's: heard here after all when the peer would not have the call. They may be a
    /// PIN's, print as dots and are in no checkpoint.
    private(set) var keys: [KeypadDigit] = []

    mutating func keep(_ key: KeypadDigit) {
        if keys.count < Self.keyLimit { keys.append(key) }
    }

    /// The row is not this node's, or may not be.
    var isGiven: Bool { step != .saving }

    /// After all peers refused.
    static let pause = Duration.seconds(1)
    /// Keys that a person presses in the moments of a handover, by far.
    static let keyLimit = 32
    /// Calls on their way at once.
    static let limit = 32
    /// For the peer: it answers when its audio has started, at the latest after 150 ms.
    static let patience = Duration.seconds(2)
    /// Between two looks for calls that can be given, and two tries to get one back.
    static let interval = Duration.milliseconds(250)
    /// A peer answers when its re-INVITE is answered, or so long after its audio started.
    static let answerDelay = Duration.milliseconds(150)
}

/// A call that a peer gives, until it knows that it may let go.
struct IncomingHandover: Sendable {
    var request: Message
    var transaction: ServerTransactionID
    var flow: Flow
    var epoch: Int64
    var former: NodeIdentity
    var since: MonotonicTime
}
