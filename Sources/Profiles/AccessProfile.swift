import Primitives
import Routing

/// A node where calls enter.
public struct AccessProfile: Hashable, Sendable {
    /// A center that is used until a master publishes.
    public struct Center: Hashable, Sendable {
        public var name: String
        public var sip: Endpoint
        public var weight: Int
    }

    /// When to give up on one center and try the next.
    public struct Failover: Hashable, Sendable {
        /// For the first response of a center to an INVITE, 100 included.
        public var firstResponse: Duration
        /// Centers tried for one call.
        public var attempts: Int
        /// For a final response after ringing began: Timer C (RFC 3261 §16.6).
        public var ringing: Duration
    }

    /// Who may send, and how much.
    public struct Sources: Hashable, Sendable {
        public var rules: SourceRules
        public var rate: RateLimit
        /// Sources whose rate is kept apart.
        public var tracked: Int
    }

    public var common: CommonProfile
    /// HTTP base URLs of the masters, `http://HOST:PORT`.
    public var masters: [String]
    public var centers: [Center]
    public var routing: RoutingPlan
    public var failover: Failover
    public var passive: PassiveTimings
    public var sources: Sources
    /// Transactions held at once; beyond it new calls get 503 with Retry-After.
    public var maximumTransactions: Int
    /// Key of the flow tokens in Record-Route, relative to the state directory.
    public var flowKeyPath: String

    /// The route table to begin with, when there is none on disk.
    public var firstTable: RouteTable {
        RouteTable(
            profileCenters: centers.map {
                RouteEntry(name: $0.name, sip: [$0.sip], state: .up, weight: $0.weight, reason: "from the profile")
            })
    }
}

extension AccessProfile {
    static func read(_ top: Section) -> AccessProfile {
        let common = CommonProfile.read(top)
        let masters = top.list(
            "masters", .httpURL, count: 0...8, default: [],
            "Masters to take the route table from. Without any, or while none answers, the node decides by itself.")
        let centers = top.sections(
            "centers", of: "with name, sip and weight", count: 0...RouteTable.centerLimit,
            "Centers to use until a master publishes a route table."
        ) { center in
            Center(
                name: center.required("name", .nodeName, "The center's node name."),
                sip: center.required("sip", .remote, "Where it takes SIP, by UDP and TCP."),
                weight: center.value(
                    "weight", .weight, default: 100, "Its share of new calls; 0: only when no other is left."))
        }
        let routing = top.section("routing", read: RoutingPlan.read)
        let failover = top.section("failover", read: Failover.read)
        let passive = top.section("suspicion", read: PassiveTimings.read)
        let sources = top.section("sources", read: Sources.read)
        let transactions = top.section("limits") {
            $0.value(
                "transactions", .integer(in: 100...10_000_000), default: 300_000,
                "SIP transactions held at once; a call needs four for half a minute. Beyond: 503 with Retry-After.")
        }
        let flowKey = top.value(
            "flow_key", .path, default: "secrets/flow-key",
            "Key file of the flow tokens in Record-Route, relative to the state directory; made at first start. "
                + "Access nodes of one group share it.")
        let profile = AccessProfile(
            common: common, masters: masters, centers: centers, routing: routing, failover: failover,
            passive: passive, sources: sources, maximumTransactions: transactions, flowKeyPath: flowKey)
        profile.checkAcross(top)
        return profile
    }

    private func checkAcross(_ top: Section) {
        if masters.isEmpty, centers.isEmpty {
            top.refuse("centers", found: "nothing", expected: "at least one center here, or one of the masters")
        }
        for (index, center) in centers.enumerated() {
            if centers[..<index].contains(where: { $0.name == center.name }) {
                top.refuse("centers[\(index)].name", found: "\"\(center.name)\" again", expected: "each center once")
            }
            if centers[..<index].contains(where: { $0.sip == center.sip }) {
                top.refuse("centers[\(index)].sip", found: "\"\(center.sip)\" again", expected: "each endpoint once")
            }
            if center.name == common.name {
                top.refuse("centers[\(index)].name", found: "this node itself", expected: "a center's name")
            }
        }
        // Only where no master can name more centers is a home that is not listed certainly wrong.
        guard masters.isEmpty, !centers.isEmpty else { return }
        for home in routing.homes where !home.name.isEmpty && !centers.contains(where: { $0.name == home.name }) {
            top.refuse(
                home.path, found: "\"\(home.name)\"",
                expected: "one of centers: \(centers.map(\.name).joined(separator: ", "))")
        }
    }
}

extension AccessProfile.Failover {
    static func read(_ section: Section) -> Self {
        let firstResponse = section.value(
            "first_response_ms", .milliseconds(in: 50...30_000), default: .milliseconds(300),
            "A center that brings no response to an INVITE in this time (100 counts) is passed over for the next.")
        let attempts = section.value(
            "attempts", .integer(in: 1...8), default: 4, "Centers tried for one call before it gets 503.")
        let ringing = section.value(
            "ringing_s", .seconds(in: 181...3_600), default: .seconds(181),
            "Longest time to a final response once a center answered provisionally: Timer C (RFC 3261 §16.6).")
        return Self(firstResponse: firstResponse, attempts: attempts, ringing: ringing)
    }
}

extension PassiveTimings {
    static func read(_ section: Section) -> PassiveTimings {
        var timings = PassiveTimings()
        timings.failuresToSuspect = section.value(
            "failures", .integer(in: 1...100), default: 3,
            "Unanswered calls in a row after which this node by itself leaves a center out.")
        timings.refusalsToSuspect = section.value(
            "refusals", .integer(in: 1...100), default: 1, "The same for ICMP refusals.")
        timings.suspicion = section.value(
            "for_ms", .milliseconds(in: 100...600_000), default: .milliseconds(2_000),
            "How long it is left out; then single calls probe it.")
        timings.probeTimeout = section.value(
            "probe_ms", .milliseconds(in: 100...60_000), default: .milliseconds(2_000),
            "After which a probing call without outcome no longer holds back the next.")
        timings.rampUp = section.value(
            "ramp_up_s", .seconds(in: 0...3_600), default: .seconds(5),
            "Time in which a center that was left out grows to its full share again.")
        return timings
    }
}

extension AccessProfile.Sources {
    static func read(_ section: Section) -> Self {
        let everywhere = ["0.0.0.0/0", "::/0"].compactMap { CIDR($0) }
        let allow = section.list(
            "allow", .block, count: 1...1_000, default: everywhere,
            "Addresses that may send SIP from outside; others are dropped and counted. `sip.trusted` may always.")
        let rate = section.value(
            "per_second", .number(in: 0.1...100_000), default: 500,
            "New calls a second from one address in the long run, and eight times as many requests inside calls while "
                + "a quarter of all transactions is in use; beyond: 503 with Retry-After.")
        let burst = section.optional(
            "burst", .integer(in: 1...1_000_000), absent: "as many as `per_second` lets in a second, at least 10",
            "New calls at once from one address after a quiet time.")
        let tracked = section.value(
            "tracked", .integer(in: 16...1_000_000), default: 4_096,
            "Addresses whose rate is kept apart; when all are busy, further ones share one.")
        return Self(
            rules: SourceRules(allowed: allow),
            rate: RateLimit(perSecond: rate, burst: burst ?? max(10, Int(rate.rounded(.up)))), tracked: tracked)
    }
}
