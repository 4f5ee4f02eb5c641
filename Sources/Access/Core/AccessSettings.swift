import Primitives
import Routing
import SIP
import Session

/// An access node's profile as its core needs it.
public struct AccessSettings: Sendable {
    /// Where the node takes SIP, and how others name that place.
    public struct Listener: Hashable, Sendable {
        /// In Via and Record-Route: a name or an address, IPv6 without brackets.
        public var host: String
        public var port: UInt16
        /// Where it is bound.
        public var local: Endpoint

        public init(host: String, port: UInt16, local: Endpoint) {
            self.host = host
            self.port = port
            self.local = local
        }

        public init(_ local: Endpoint) { self.init(host: local.address.description, port: local.port, local: local) }
    }

    public var identity: NodeIdentity
    /// By `Flow.listener` of datagrams.
    public var udp: [Listener]
    /// By `Flow.listener` of connections; empty where the node speaks no TCP.
    public var tcp: [Listener]
    public var routing: RoutingPlan
    public var passive: PassiveTimings
    /// How long a center may stay silent before the next one is tried.
    public var firstResponse: Duration
    /// Centers tried for one call.
    public var attempts: Int
    /// Timer C is the longest time that a call may ring.
    public var timers: TransactionTimers
    /// Nodes of this system: only their internal headers are believed, and only centers among them reach callers.
    public var trusted: [CIDR]
    /// Who else may send.
    public var sources: SourceRules
    /// New calls from one address.
    public var rate: RateLimit
    public var trackedSources: Int
    /// Server and client transactions together.
    public var transactionLimit: Int
    /// Requests longer than this go to a center by TCP (RFC 3261 §18.1.1), in bytes.
    public var datagramLimit = 1_300
    /// In the Retry-After of answers that say that nothing is free now, in seconds.
    public var retryAfter_s = 2

    public init(
        identity: NodeIdentity, udp: [Listener], tcp: [Listener] = [], routing: RoutingPlan = RoutingPlan(),
        passive: PassiveTimings = PassiveTimings(), firstResponse: Duration = .milliseconds(300), attempts: Int = 4,
        timers: TransactionTimers = .standard, trusted: [CIDR] = [],
        sources: SourceRules = SourceRules(allowed: []), rate: RateLimit = RateLimit(perSecond: 500, burst: 1_000),
        trackedSources: Int = 4_096, transactionLimit: Int = 300_000
    ) {
        self.identity = identity
        self.udp = udp
        self.tcp = tcp
        self.routing = routing
        self.passive = passive
        self.firstResponse = firstResponse
        self.attempts = attempts
        self.timers = timers
        self.trusted = trusted
        self.sources = sources
        self.rate = rate
        self.trackedSources = trackedSources
        self.transactionLimit = transactionLimit
    }

    /// Requests inside dialogs from one address, ACKs aside, counted only while room is short. Eight for each new call:
    /// far more than calls need whose digits come as RTP, and few enough that one address cannot fill the table.
    var dialogRate: RateLimit { RateLimit(perSecond: 8 * rate.perSecond, burst: 8 * rate.burst) }

    func trusts(_ address: IPAddress) -> Bool {
        for block in trusted where block.contains(address) { return true }
        return false
    }
}
