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
    case note(CenterNote)
}

/// What a call wants of the media plane.
public enum MediaCommand: Sendable {
    /// Take a port pair; answered by `CenterEvent.mediaOpened` or `.mediaRefused`.
    case open
    /// Send and receive as agreed; the first agreement starts the stream.
    case apply(MediaAgreement, signalledFrom: IPAddress)
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
}

/// For metrics and the log; nothing is decided by it.
public enum CenterNote: Hashable, Sendable {
    case received(Method)
    case rejected(reason: RejectionReason)
    case answered(after: Duration)
    case ended(EndKind)
    /// A call was answered before its first checkpoint was in the store.
    case unprotected(SessionID)
    /// Another node owns the session, or this one is fenced.
    case lostOwnership(SessionID)
    case retransmissionGaveUp
    /// A request of ours was sent once, without a transaction: there are too many.
    case requestWithoutTransaction
    /// The store was away for so long that the oldest of too many waiting records was given up.
    case recordGivenUp(SessionID)
    case menuAnomaly(String)
}

/// Labels of `tandem_sip_rejected_total`.
public enum RejectionReason: String, Hashable, Sendable, CaseIterable {
    case malformed, unknownLine = "unknown-line", capacity, setupRate = "setup-rate", draining, media
    case noPorts = "no-ports", extensions, method, noDialog = "no-dialog", loop, body, unacknowledged, ownership
}
