import Primitives
import Routing
import Session
import Store

/// A node that a master watches.
public struct WatchedNode: Hashable, Sendable {
    public var name: String
    public var role: NodeRole
    /// The first is pinged; all of a center's go into route tables.
    public var sip: [Endpoint]
    /// Share of new calls of a center.
    public var weight: Int

    public init(name: String, role: NodeRole, sip: [Endpoint], weight: Int = 100) {
        self.name = name
        self.role = role
        self.sip = sip
        self.weight = weight
    }
}

/// What a master is told at its start.
public struct MasterSettings: Sendable {
    public var identity: NodeIdentity
    /// All nodes; an entry with the master's own name is passed over.
    public var nodes: [WatchedNode]
    public var detection = DetectionTimings()
    public var lease = LeaderLease.Timings()
    /// Order of the Contacts in a 302.
    public var routing = RoutingPlan()
    /// In the Retry-After of a 503.
    public var retryAfter: Duration = .seconds(5)
    /// How often a table goes out for loads alone.
    public var loadInterval: Duration = .seconds(1)

    public init(identity: NodeIdentity, nodes: [WatchedNode]) {
        self.identity = identity
        self.nodes = nodes
    }
}

/// What happens to a master.
public enum MasterEvent: Sendable {
    /// Any final response to a ping. Provisional ones are not told.
    case pong(node: String, token: UInt32, status: Int, incarnation: String?, load: NodeLoad?)
    /// ICMP on the connected socket of a node's pings.
    case refused(node: String)
    /// An access node began to suspect a center.
    case reported(node: String, by: String)
    /// Another master sees the node dead.
    case witnessed(node: String, by: String)
    /// The shell's loop did not run when it should have.
    case starved
    /// Somebody holds the store's lock for longer than any write may.
    case storeLocked
    /// A process that may have held it is gone.
    case powerCut(NodeIdentity)
    /// The store's own id, once it is known.
    case storeIdentified(String)
    case leaseReply(number: UInt64, LeaderLease.Reply)
    /// The outcome of a fence that was asked for, or a fence that another master made.
    case fenceSettled(NodeIdentity, FenceOutcome)
    /// Incarnations that the store holds for dead, whoever fenced them.
    case fencedInStore([NodeIdentity])
    /// Who owns sessions; nil when the store could not be asked.
    case sessionsCounted(number: UInt64, [SessionOwner]?)
    /// What was left of an incarnation's sessions was closed, so many of them as lost.
    case closed(NodeIdentity, lost: Int)
    /// An operator's order that reached this master.
    case ordered(node: String, AdministrativeState, by: String)
    /// The orders as the store has them; nodes without one are enabled.
    case administrativeStates([String: StandingOrder])
}

/// What operators want of a node, and who said so, where that is known.
public struct StandingOrder: Equatable, Sendable {
    public var state: AdministrativeState
    public var by: String?

    public init(_ state: AdministrativeState, by: String? = nil) {
        self.state = state
        self.by = by
    }
}

/// What became of a fence.
public enum FenceOutcome: Equatable, Sendable {
    case fenced
    /// The store did not do it: away, or this master leads no more.
    case failed(reason: String)
}

/// A ping to send: an OPTIONS whose headers tell the node what this master holds true.
public struct PingOrder: Equatable, Sendable {
    public var node: String
    public var token: UInt32
    public var to: Endpoint
    /// The incarnation that counts as live, for a node that wants to know whether it still is.
    public var live: String?
    /// The incarnation that is dead for good: a node that still is it must come back as a new one.
    public var fenced: String?
    /// What the operator wants of the node.
    public var want: AdministrativeState?
    /// The epoch under which this master leads; nil when it does not, or the store is silent to it.
    public var leader: UInt64?
    /// For centers, from a leader: who lives and takes over.
    public var peers: PeerList?
    /// For centers, from a leader: whose sessions are to be taken over.
    public var takeovers: [TakeoverNotice] = []
}

/// Why sessions of a dead incarnation are closed instead of being taken over.
public enum LossReason: Equatable, Sendable {
    /// The owner was not heard for too long.
    case ownerLongSilent(since: WallTime?)
    /// Centers lived, and none of them took any more.
    case nobodyTook
    case centersFull
    /// A master claimed them to close them, and could not finish.
    case claimedToClose
}

/// How a takeover went.
public struct TakeoverOutcome: Equatable, Sendable {
    /// Sessions that others own now, or that ended meanwhile.
    public var taken: Int
    public var lost: Int
    /// From the fence until the dead incarnation owned nothing any more.
    public var took: Duration
}

/// What a master does.
public enum MasterAction: Equatable, Sendable {
    case sendPing(PingOrder)
    /// Publish this table to the access nodes.
    case tableChanged(RouteTable)
    case nodeChanged(node: String, role: NodeRole, state: NodeState, reason: String)
    /// Mark the incarnation dead in the store, under the leader's epoch; the outcome comes back as an event.
    case fence(NodeIdentity, epoch: UInt64)
    /// Most nodes fell silent at once: ask whoever else watches what looks dead from there; answered by `.witnessed`.
    case askWitnesses
    /// End the process of this incarnation, if it runs on this machine: it is judged dead, does not answer, and may be
    /// what holds the store's lock (fencing by power switch).
    case cutPower(NodeIdentity)
    /// Ask the store who owns sessions; answered with the same number.
    case countSessions(number: UInt64)
    /// The dead incarnation owns so many sessions, which others are told to take over.
    case takeoverBegan(NodeIdentity, sessions: Int)
    case takeoverEnded(NodeIdentity, TakeoverOutcome)
    /// Close what the incarnation still owns as lost; answered by `.closed`.
    case closeLost(NodeIdentity, LossReason)
    case askLease(number: UInt64)
    case standingChanged(LeaderLease.Standing)
    /// Keep an operator's order in the store, under the leader's epoch.
    case recordOrder(node: String, AdministrativeState, by: String, epoch: UInt64)
    /// The order cannot be carried out here.
    case refuseOrder(node: String, AdministrativeState, OrderRefusal)
    case audit(AuditRecord)
}

public enum OrderRefusal: Equatable, Sendable {
    case unknownNode
    /// Masters serve no calls: there is nothing to drain or to disable.
    case servesNoCalls
    /// Pass it on to the leader, if one is known.
    case notLeading(leader: NodeIdentity?)
}

/// Something that is worth asking about later.
public struct AuditRecord: Equatable, Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        case order, fenced, fenceFailed = "fence-failed", verdictHeld = "verdict-held", leadership
    }
    public var kind: Kind
    public var node: String
    public var by: String
    public var detail: String

    public init(_ kind: Kind, node: String, by: String, detail: String) {
        self.kind = kind
        self.node = node
        self.by = by
        self.detail = detail
    }
}

/// The answer to an INVITE at a master.
public enum Redirect: Equatable, Sendable {
    public struct Target: Equatable, Sendable {
        public var name: String
        public var sip: Endpoint
    }
    /// 302 with these Contacts, best first; q-values fall in this order (RFC 3261 §20.10).
    case contacts([Target])
    /// 503 with Retry-After.
    case unavailable(retryAfter_s: Int)
}
