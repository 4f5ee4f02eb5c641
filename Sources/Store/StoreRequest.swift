import Banking
import Primitives
import Routing
import Session

/// A write to a session under its owner's right. It counts only if owner, incarnation and epoch are still the row's
/// and the incarnation is not fenced.
public struct SessionWrite: Sendable, Hashable {
    public var ownership: Ownership
    public var checkpoint: Checkpoint

    public init(_ checkpoint: Checkpoint, under ownership: Ownership) {
        self.ownership = ownership
        self.checkpoint = checkpoint
    }

    public var session: SessionID { checkpoint.session }
}

/// The right of a leader to write: refused once another epoch of the lease has begun.
public struct LeaderTerm: Sendable, Hashable, Codable {
    public var lease: String
    public var holder: NodeIdentity
    public var epoch: Int64

    public init(lease: String, holder: NodeIdentity, epoch: Int64) {
        self.lease = lease
        self.holder = holder
        self.epoch = epoch
    }
}

/// Why a session may change its owner.
public enum ClaimGround: Sendable, Hashable {
    /// The owner's incarnation is fenced.
    case fenced
    /// The owner lives and hands over (draining).
    case handover
}

/// What a bank request is made under. Money moves only if the session row still belongs to the writer; the checkpoint
/// ("executed") is written in the same transaction.
public struct BankRequest: Sendable, Equatable {
    public var request: LedgerRequest
    /// Nil for tools and tests, which act outside any session.
    public var write: SessionWrite?

    public init(_ request: LedgerRequest, under write: SessionWrite? = nil) {
        self.request = request
        self.write = write
    }
}

/// Everything that is asked of a store, as values. Replies by case are named at each.
public enum StoreRequest: Sendable, Equatable {
    // MARK: Nodes

    /// `.done`, or `.fenced` if this incarnation is dead already. An earlier incarnation of the name is fenced.
    case register(NodeRegistration)
    /// `.done`, `.fenced`, or `.notFound` if never registered. Not awaited: batched.
    case heartbeat(NodeIdentity)
    /// `.done`, also when it was fenced before; `.staleLeader` under an old term.
    case fence(NodeIdentity, under: LeaderTerm?)
    /// `.nodes`, by name.
    case nodes
    /// `.done` or `.staleLeader`; kept by name over restarts and audited.
    case administer(node: String, AdministrativeState, by: String, under: LeaderTerm?)
    /// `.administrativeChanges`, newest first.
    case administrativeChanges(limit: Int)
    /// `.administrativeChanges`: the newest of each node, by name, also of nodes that never register. Without a limit:
    /// there are no more of them than nodes had names.
    case standingOrders
    /// `.lease`: of the asker if it was free, expired or theirs, else of the one who holds it.
    case acquireLease(name: String, holder: NodeIdentity, duration: Duration)
    /// `.done`; a lease of somebody else is left alone.
    case releaseLease(LeaderTerm)

    // MARK: Sessions

    /// The first checkpoint. `.done`, also when repeated by the same owner; `.notOwner` if it is somebody else's;
    /// `.fenced`; `.alreadyEnded`.
    case open(SessionWrite)
    /// `.done`, `.notOwner`, or `.superseded` when a later one of the same session overtook it in the queue.
    case checkpoint(SessionWrite)
    /// Writes the CDR and removes the session in one transaction. `.done`; `.notOwner`; `.alreadyEnded` if there is a
    /// CDR. A session that was never stored is ended all the same, so that each call has its CDR.
    case end(CallRecord, under: Ownership)
    /// `.claimed`, also when repeated by the same claimer; `.notOwner` if the row is not `from`'s any more, `.notFenced`
    /// without ground, `.fenced` if the claimer is, `.alreadyEnded`, `.notFound`.
    case claim(SessionID, from: Ownership, by: NodeIdentity, ground: ClaimGround)
    /// The caller hung up while nobody could tell the owner. `.done`, `.alreadyEnded`, `.notFound`.
    case markCallerEnded(SessionID, at: WallTime)
    /// `.sessions`: none or one.
    case session(SessionID)
    /// `.sessions`: Call-IDs are outside data and may repeat; at most eight.
    case sessionsByCallID(String)
    /// `.sessionHeads` of one owner: pending bank operations first, then the oldest.
    case sessionsOwned(by: NodeIdentity, limit: Int)
    /// `.sessionOwners`: every incarnation that owns sessions, by name. Cheap enough to be asked while calls are being
    /// taken over.
    case sessionOwners(limit: Int)
    /// `.done`. Not awaited: batched.
    case appendTimeline(SessionID, [TimelineEntry])

    // MARK: Money

    /// `.bank`, or `.notOwner`.
    case bank(BankRequest)
    /// `.bankResult`.
    case bankResult(OperationID)
    /// `.done`; customers who exist are left as they are. At most `seedLimit` at a time.
    case seed([OpeningCustomer])
    /// `.done` or `.notFound`.
    case setAccountStatus(AccountNumber, Account.Status)
    /// Keeps the first key's id. `.done`, or `.wrongKey(expected:)`.
    case bindPINKey(id: String)

    // MARK: Menus

    /// `.done`. The same hash is the same content.
    case putMenu(hash: String, [UInt8])
    /// `.menu`, or `.notFound`.
    case menu(hash: String)

    // MARK: Queries

    /// `.identity`.
    case identity
    /// `.liveCalls`, oldest first.
    case liveCalls(limit: Int)
    /// `.call`, live or ended; `.notFound`.
    case call(SessionID)
    /// `.callRecords`, newest first; before a CDR, or `.notFound` if there is no such CDR.
    case callRecords(limit: Int, before: SessionID?)
    /// `.accounts`, by number; the bank's own only if asked for.
    case accounts(includingBank: Bool)
    /// `.transfers`, newest first.
    case transfers(limit: Int)
    /// `.attempts`, newest first.
    case attempts(limit: Int)
    /// `.audit`: recomputes every balance from the entries.
    case audit
    /// `.done`, or `.staleLeader` under an old term. Removes CDRs, timelines, attempts and menus from before a time: it
    /// looks at the oldest `limit` of each, and at `attemptsPerRecord` times as many attempts, so that it holds up
    /// nobody for long. A menu stays as long as a session is in it, or a center was heard since that time that may have
    /// put it when it started.
    case prune(before: WallTime, limit: Int, under: LeaderTerm? = nil)

    public static let seedLimit = 100
    /// How many attempts at the bank are pruned for each CDR. A call makes several: pruned one for one with the CDRs,
    /// ever more of them would be left behind.
    public static let attemptsPerRecord = 10
    /// Timeline rows kept of one session; later ones are not.
    public static let timelineLimit = 2000
    /// A menu's content is at most this many bytes.
    public static let menuSizeLimit = 1 << 20
}

/// What the shell does with a request.
package enum RequestClass {
    /// Answered by a reader, beside the writer.
    case query
    /// Awaited: starts a batch at once.
    case urgent
    /// Batched for up to 10 ms; kept in memory while the store is away.
    case deferrable
}

extension StoreRequest {
    package var requestClass: RequestClass {
        switch self {
        case .nodes, .administrativeChanges, .standingOrders, .session, .sessionsByCallID, .sessionsOwned,
            .sessionOwners, .menu, .identity, .liveCalls, .call, .callRecords, .accounts, .transfers, .attempts, .audit:
            .query
        case .register, .fence, .administer, .acquireLease, .releaseLease, .open, .claim, .markCallerEnded, .bank,
            .bankResult, .seed, .setAccountStatus, .bindPINKey, .putMenu, .prune, .end:
            .urgent
        case .heartbeat, .checkpoint, .appendTimeline:
            .deferrable
        }
    }

    /// Must be on the disk, not only in the operating system's hands, before it is answered.
    var needsFullDurability: Bool {
        switch self {
        case .bank(let bank):
            switch bank.request.action {
            case .transfer, .reportCard, .changePIN, .login: true
            case .balance, .statement, .checkPayee: false
            }
        case .seed, .setAccountStatus, .bindPINKey: true
        default: false
        }
    }

    /// The session that it writes to.
    package var writtenSession: SessionID? {
        switch self {
        case .open(let write), .checkpoint(let write): write.session
        case .end(let record, _): record.id
        case .claim(let session, _, _, _), .markCallerEnded(let session, _): session
        case .bank(let bank): bank.write?.session
        default: nil
        }
    }
}
