import Banking
import Primitives
import Routing
import Session

/// A registered incarnation.
package struct StoredNode: Hashable, Sendable {
    package var registration: NodeRegistration
    /// When its process registered first.
    package var registered: WallTime
    package var lastHeartbeat: WallTime

    package init(registration: NodeRegistration, registered: WallTime, lastHeartbeat: WallTime) {
        self.registration = registration
        self.registered = registered
        self.lastHeartbeat = lastHeartbeat
    }
}

/// An incarnation that owns sessions, as they and the fences say.
package struct StoredOwner: Hashable, Sendable {
    package var identity: NodeIdentity
    package var sessions: Int
    /// The time in its fence; nil while it has none.
    package var fencedAt: WallTime?

    package init(identity: NodeIdentity, sessions: Int, fencedAt: WallTime?) {
        self.identity = identity
        self.sessions = sessions
        self.fencedAt = fencedAt
    }
}

/// A lease as it is kept: whoever reads it decides by the clock of the boot it was written in.
package struct StoredLease: Hashable, Sendable {
    package var term: LeaderTerm
    package var bootID: String
    package var expires: MonotonicTime

    package init(term: LeaderTerm, bootID: String, expires: MonotonicTime) {
        self.term = term
        self.bootID = bootID
        self.expires = expires
    }

    func holds(at now: StoreTime) -> Bool { bootID == now.bootID && expires > now.sinceBoot }
}

/// The reads and writes that `RequestRunner` composes requests from. Engines differ only in these; what a request
/// means is written once. A thrown error undoes the whole request.
package protocol StoreTables: LedgerTables {
    // MARK: Nodes
    mutating func node(named name: String) throws -> StoredNode?
    mutating func put(_ node: StoredNode) throws
    /// False if this incarnation is not the registered one.
    mutating func setHeartbeat(of identity: NodeIdentity, at time: WallTime) throws -> Bool
    mutating func allNodes() throws -> [StoredNode]
    mutating func isFenced(_ identity: NodeIdentity) throws -> Bool
    /// `time` is when the incarnation was heard last, as far as that is known: its row goes when the next one registers.
    mutating func fence(_ identity: NodeIdentity, at time: WallTime) throws
    mutating func administrativeStates() throws -> [String: AdministrativeState]
    mutating func insert(_ change: AdministrativeChange) throws
    mutating func administrativeChanges(limit: Int) throws -> [AdministrativeChange]
    /// The newest change of each node, by name. Cheap, however many came before.
    mutating func standingOrders() throws -> [AdministrativeChange]
    mutating func lease(named name: String) throws -> StoredLease?
    mutating func put(_ lease: StoredLease) throws

    // MARK: Sessions
    mutating func ownership(of session: SessionID) throws -> Ownership?
    mutating func session(_ id: SessionID) throws -> StoredSession?
    mutating func sessions(callID: String, limit: Int) throws -> [StoredSession]
    mutating func sessionHeads(ownedBy node: NodeIdentity, limit: Int) throws -> [SessionHead]
    /// By name and incarnation.
    mutating func sessionOwners(limit: Int) throws -> [StoredOwner]
    mutating func insert(_ write: SessionWrite) throws
    /// One conditional write: false unless owner, incarnation and epoch match and the incarnation is not fenced.
    mutating func update(_ write: SessionWrite) throws -> Bool
    mutating func setOwner(of session: SessionID, to ownership: Ownership) throws
    /// Keeps the first mark. False if there is no such session.
    mutating func setCallerEnded(_ session: SessionID, at time: WallTime) throws -> Bool
    mutating func removeSession(_ id: SessionID) throws
    mutating func liveCall(_ id: SessionID) throws -> LiveCall?
    mutating func liveCalls(limit: Int) throws -> [LiveCall]
    mutating func append(_ entries: [TimelineEntry], to session: SessionID, limit: Int) throws
    mutating func timeline(of session: SessionID) throws -> [TimelineEntry]

    // MARK: Ended calls
    mutating func hasRecord(_ id: SessionID) throws -> Bool
    mutating func insert(_ record: CallRecord, lastSeenAs call: LiveCall) throws
    mutating func endedCall(_ id: SessionID) throws -> LiveCall?
    /// Newest first; nil if `before` is not there.
    mutating func records(limit: Int, before: SessionID?) throws -> [CallRecord]?

    // MARK: Bank, for tools
    mutating func accountRows(includingBank: Bool) throws -> [AccountRow]
    mutating func transferRows(limit: Int) throws -> [TransferRow]
    mutating func attempts(limit: Int) throws -> [BankAttempt]
    mutating func auditReport() throws -> AuditReport

    // MARK: The rest
    mutating func value(of key: StoreKey) throws -> String?
    mutating func setValue(_ value: String, of key: StoreKey) throws
    mutating func menu(hash: String) throws -> [UInt8]?
    mutating func putMenu(_ content: [UInt8], hash: String, at time: WallTime) throws
    /// `menusBefore` is for menus, which must also be of no session's.
    /// `attemptLimit` is for attempts at the bank, `limit` for the rest.
    mutating func prune(before time: WallTime, menusBefore: WallTime, limit: Int, attemptLimit: Int) throws
}

/// Single values that a store keeps.
package enum StoreKey: String, Sendable {
    case storeID = "store-id"
    case pinKeyID = "pin-key-id"
    /// When a node last tried whether the store is back.
    case lastProbe = "last-probe"
}

/// The schema that this program writes, the same on every engine. A minor step only adds, so that programs of an older
/// release go on working on the same store; a store of a newer major is refused.
///
/// | | |
/// |---|---|
/// | 1.0 | as first released |
/// | 1.1 | a node says on which machine and in which boot it runs |
package enum StoreSchema {
    package static let major = 1
    package static let minor = 1
}
