import Banking
import Primitives
import Session

/// What a store answers; see `StoreRequest` for which case answers what.
public enum StoreReply: Sendable, Equatable {
    case done
    /// The write matched no row: this node does not own the session any more. Drop it, without BYE.
    case notOwner
    /// The incarnation that asks is marked dead.
    case fenced
    case notFenced
    case staleLeader
    /// A later checkpoint of the session took its place before it was written.
    case superseded
    case alreadyEnded
    case notFound
    case wrongKey(expected: String)
    /// The store cannot be used now. For money: nothing was done.
    case unavailable(StoreTrouble)
    /// The request itself cannot be kept (over a limit, or a checkpoint that cannot be encoded).
    case refused(String)

    case claimed(StoredSession)
    case sessions([StoredSession])
    case sessionHeads([SessionHead])
    case sessionOwners([SessionOwner])
    case nodes([NodeRow])
    case administrativeChanges([AdministrativeChange])
    case lease(Lease)
    case bank(BankOutcome)
    case bankResult(BankOutcome?)
    case menu([UInt8])
    case identity(StoreIdentity)
    case liveCalls([LiveCall])
    case call(CallDetail)
    case callRecords([CallRecord])
    case accounts([AccountRow])
    case transfers([TransferRow])
    case attempts([BankAttempt])
    case audit(AuditReport)
}

/// A session as the store keeps it.
public struct StoredSession: Sendable, Equatable {
    public var ownership: Ownership
    public var checkpoint: Checkpoint
    /// The caller hung up while no owner could be told; the next owner ends the session as `caller`.
    public var callerEnded: WallTime?
    /// The owner's incarnation is dead.
    public var ownerFenced: Bool

    public init(ownership: Ownership, checkpoint: Checkpoint, callerEnded: WallTime?, ownerFenced: Bool) {
        self.ownership = ownership
        self.checkpoint = checkpoint
        self.callerEnded = callerEnded
        self.ownerFenced = ownerFenced
    }
}

/// Enough of a session to decide who claims it.
public struct SessionHead: Sendable, Hashable {
    public var id: SessionID
    public var ownership: Ownership
    public var started: WallTime
    /// A bank operation has its id and no result yet.
    public var hasPendingOperation: Bool

    public init(id: SessionID, ownership: Ownership, started: WallTime, hasPendingOperation: Bool) {
        self.id = id
        self.ownership = ownership
        self.started = started
        self.hasPendingOperation = hasPendingOperation
    }
}

/// An incarnation that owns sessions.
public struct SessionOwner: Sendable, Hashable {
    public var identity: NodeIdentity
    /// How many it owns.
    public var sessions: Int
    public var isFenced: Bool
    /// Its last heartbeat; nil if it never had one.
    public var lastHeard: WallTime?

    public init(identity: NodeIdentity, sessions: Int, isFenced: Bool, lastHeard: WallTime?) {
        self.identity = identity
        self.sessions = sessions
        self.isFenced = isFenced
        self.lastHeard = lastHeard
    }
}

/// A lease as it stands.
public struct Lease: Sendable, Hashable {
    public var term: LeaderTerm
    /// How long it lasts yet.
    public var remaining: Duration

    public init(term: LeaderTerm, remaining: Duration) {
        self.term = term
        self.remaining = remaining
    }
}

/// Which store this is.
public struct StoreIdentity: Sendable, Hashable {
    /// Drawn when the store was made: route tables of another store do not compare.
    public var id: String
    public var schemaMajor: Int
    public var schemaMinor: Int
    public var pinKeyID: String?

    public init(id: String, schemaMajor: Int, schemaMinor: Int, pinKeyID: String?) {
        self.id = id
        self.schemaMajor = schemaMajor
        self.schemaMinor = schemaMinor
        self.pinKeyID = pinKeyID
    }
}
