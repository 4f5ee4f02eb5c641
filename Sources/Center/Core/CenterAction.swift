import Banking
import Media
import Menu
import Primitives
import SDP
import SIP
import Session
import Store

/// What a center's core wants done, in order.
public enum CenterAction: Sendable {
    case send([UInt8], Flow)
    case media(CallHandle, MediaCommand)
    /// Answered by `CenterEvent.stored` with the same purpose, unless that is `.nothing`.
    case store(StoreRequest, StorePurpose)
    /// Answered by `CenterEvent.bank`.
    case bank(CallHandle, OperationCall, BankOperation, under: SessionWrite)
    /// The others hold this incarnation for dead. Answered by `CenterEvent.fenced` with the next one.
    case renewIdentity(dead: NodeIdentity)
    /// Nothing leaves the media plane until it is said otherwise. Of two standstills the later counts: what is said as
    /// of a time before the media loop's own is void.
    case mute(Bool, asOf: MonotonicTime)
    case note(CenterNote)
}

/// What a call wants of the media plane.
public enum MediaCommand: Sendable {
    /// Take a port pair; answered by `CenterEvent.mediaOpened` or `.mediaRefused`.
    case open
    /// Send and receive as agreed; the first agreement starts the stream. `former` is where audio went at another
    /// center, until the source shows itself.
    case apply(MediaAgreement, signalledFrom: IPAddress, former: Endpoint?)
    /// Speak these clips; answered by `.finishedPlaying` unless stopped.
    case play(PlaybackID, [PlaylistItem])
    case stopPlaying
    case music
    case echo
    case close
}

/// Why the store was asked.
public enum StorePurpose: Hashable, Sendable {
    case nothing
    /// The first checkpoint of a call.
    case opening(CallHandle)
    case checkpoint(CallHandle)
    /// The record of a call that is over.
    case ending(SessionID)
    /// The checkpoint that an INVITE of ours, or a caller who came from another center, waits for.
    case inviting(CallHandle)
    /// What a dead incarnation owns.
    case heads(of: NodeIdentity)
    case claim(SessionID, dead: NodeIdentity)
    /// Rows that are this node's without a call: a peer died while it gave them.
    case strays
    case menu(hash: String)
    /// A step of a call's way to a peer.
    case handover(CallHandle, HandoverStep)
    /// The row of a call that a peer gives.
    case incoming(SessionID)
    /// What became of a bank operation.
    case outcome(CallHandle, OperationCall)
    /// Which checkpoint formats the living read.
    case formats
    /// Whether this incarnation lives; the number of the question.
    case standing(UInt64)
    /// Whose call a request is in that this node does not hold.
    case foreign(ForeignID)
    /// What became of an operation whose outcome was unknown.
    case bankDoubt(OperationID)
}

/// For metrics and the log; nothing is decided by it.
public enum CenterNote: Hashable, Sendable {
    case rejected(reason: RejectionReason)
    case answered(after: Duration)
    case ended(EndKind)
    /// A call was answered before its first checkpoint was in the store.
    case unprotected(SessionID)
    /// Another node owns the session, or this one is fenced.
    case lostOwnership(SessionID)
    /// A 2xx was repeated for 64 times T1, and no ACK came.
    case retransmissionGaveUp(SessionID)
    /// A request of ours was sent once, without a transaction: there are too many.
    case requestWithoutTransaction
    /// The store was away for so long that the oldest of too many waiting records was given up.
    case recordGivenUp(SessionID)
    case menuAnomaly(String)
    /// A call of another center goes on here; the time since the fence, or since the handover began.
    case tookOver(SessionID, after: Duration)
    /// A call of this node goes on at a peer.
    case handedOver(SessionID)
    /// Its record says `lost`, or it is left to others.
    case takeoverFailed(SessionID, reason: String)
    /// A loop did not run for so long that the node may have been fenced.
    case stoodStill(Duration)
    /// Neither store, master nor access was heard: no audio, no new calls.
    case isolated
    /// A doubt is over: the incarnation lives.
    case confirmed
    /// A request of another center's call went on to that center.
    case passedOn(Method)
    /// The bank did not say whether it executed an operation.
    case doubtBegan(SessionID)
    /// An operation that was unknown is known, or was given up.
    case doubtEnded(SessionID, String)
}

/// Labels of `tandem_sip_rejected_total`.
public enum RejectionReason: String, Hashable, Sendable, CaseIterable {
    case malformed, unknownLine = "unknown-line", capacity, setupRate = "setup-rate", draining, media
    case noPorts = "no-ports", takeover, extensions, method, noDialog = "no-dialog", loop, body, unacknowledged,
        ownership, standing
}
