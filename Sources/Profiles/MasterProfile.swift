import Primitives
import Routing

/// A node that watches, steers and shows all others.
public struct MasterProfile: Hashable, Sendable {
    /// A node to watch.
    public struct Node: Hashable, Sendable {
        public var name: String
        public var role: NodeRole
        public var sip: Endpoint
        public var http: Endpoint?
        /// Share of new calls; only centers have one.
        public var weight: Int
    }

    /// The lease of the leader.
    public struct Lease: Hashable, Sendable {
        public var length: Duration
        public var renewal: Duration
    }

    public var common: CommonProfile
    public var nodes: [Node]
    public var detection: DetectionTimings
    /// Order of the Contacts in a 302.
    public var routing: RoutingPlan
    /// In the Retry-After of a 503 when no center lives.
    public var retryAfter: Duration
    /// How often the table is published for loads alone.
    public var loadInterval: Duration
    /// Relative to the state directory.
    public var tokenPath: String
    public var lease: Lease
    /// Call records and what belongs to them are removed after this time.
    public var keep: Duration
}

extension MasterProfile {
    static func read(_ top: Section) -> MasterProfile {
        let common = CommonProfile.read(top)
        let nodes = top.sections(
            "nodes", of: "with name, role, sip, http and weight", count: 1...256, isRequired: true,
            "The nodes to watch, other masters included. A master that finds itself here passes over that entry."
        ) { node in
            let role = node.required(
                "role", .choice(placeholder: NodeRole.center, of: ProfileReference.roles), "What the node is for.")
            let entry = Node(
                name: node.required("name", .nodeName, "The node's name."), role: role,
                sip: node.required("sip", .remote, "Where it takes SIP: pings go there, calls too."),
                http: node.optional(
                    "http", .remote, absent: "not shown", "Where it serves `/health` and `/metrics`, for the console."),
                weight: node.value(
                    "weight", .weight, default: 100,
                    "A center's share of new calls; 0: only when no other is left."))
            if node.has("weight"), role != .center {
                node.refuse("weight", found: "a weight of role \(role.rawValue)", expected: "weights only for centers")
            }
            return entry
        }
        let detection = top.section("detection", read: DetectionTimings.read)
        let (routing, retryAfter, loadInterval) = top.section("routing") { section in
            (
                RoutingPlan.read(section),
                section.value(
                    "retry_after_s", .seconds(in: 1...3_600), default: .seconds(5),
                    "Retry-After of the 503 when no center lives."),
                section.value(
                    "load_ms", .milliseconds(in: 100...60_000), default: .milliseconds(1_000),
                    "How often a table goes out for new loads alone; changes of state go out at once.")
            )
        }
        let token = top.section("api") {
            $0.value(
                "token", .path, default: "secrets/api-token",
                "File of the API's token, relative to the state directory; made at first start. "
                    + "All masters need the same.")
        }
        let lease = top.section("lease", read: Lease.read)
        let keep = top.section("history") {
            $0.value(
                "keep_days", .days(in: 1...36_500), default: .seconds(400 * 86_400),
                "Call records, timelines and attempts at the bank are removed this long after; the leader does it.")
        }
        let profile = MasterProfile(
            common: common, nodes: nodes, detection: detection, routing: routing, retryAfter: retryAfter,
            loadInterval: loadInterval, tokenPath: token, lease: lease, keep: keep)
        profile.checkAcross(top)
        return profile
    }

    private func checkAcross(_ top: Section) {
        for (index, node) in nodes.enumerated() {
            if nodes[..<index].contains(where: { $0.name == node.name }) {
                top.refuse("nodes[\(index)].name", found: "\"\(node.name)\" again", expected: "each node once")
            }
            if nodes[..<index].contains(where: { $0.sip == node.sip }) {
                top.refuse("nodes[\(index)].sip", found: "\"\(node.sip)\" again", expected: "each endpoint once")
            }
        }
        let centers = nodes.filter { $0.role == .center }.map(\.name)
        if centers.count > RouteTable.centerLimit {
            top.refuse("nodes", found: "\(centers.count) centers", expected: "at most \(RouteTable.centerLimit)")
        }
        for home in routing.homes where !home.name.isEmpty && !centers.contains(home.name) {
            top.refuse(
                home.path, found: "\"\(home.name)\"",
                expected: centers.isEmpty ? "a center in nodes" : "one of \(centers.joined(separator: ", "))")
        }
    }
}

extension MasterProfile.Lease {
    static func read(_ section: Section) -> Self {
        let length = section.value(
            "length_ms", .milliseconds(in: 200...60_000), default: .milliseconds(1_000),
            "A leader that did not renew its lease for this long leads no more.")
        let renewal = section.value(
            "renewal_ms", .milliseconds(in: 50...20_000), default: .milliseconds(250), "How often it renews.")
        if renewal * 3 > length {
            section.refuse(
                "renewal_ms", found: "\"\(renewal.wholeMilliseconds)\"",
                expected: "at most a third of length_ms, \(length.wholeMilliseconds / 3)")
        }
        return Self(length: length, renewal: renewal)
    }
}

extension DetectionTimings {
    static func read(_ section: Section) -> DetectionTimings {
        let standard = DetectionTimings()
        var timings = standard
        func span(
            _ key: String, _ range: ClosedRange<Int>, _ path: WritableKeyPath<DetectionTimings, Duration>,
            _ meaning: String
        ) {
            timings[keyPath: path] = section.value(
                key, .milliseconds(in: range), default: standard[keyPath: path], meaning)
        }
        func count(_ key: String, _ path: WritableKeyPath<DetectionTimings, Int>, _ meaning: String) {
            timings[keyPath: path] = section.value(
                key, .integer(in: 1...100), default: standard[keyPath: path], meaning)
        }
        span("interval_ms", 20...60_000, \.interval, "Between OPTIONS pings of a node.")
        span("timeout_ms", 20...10_000, \.timeout, "After which a ping counts as unanswered.")
        span("doubt_interval_ms", 20...60_000, \.doubtInterval, "Between pings after a miss, and while a node returns.")
        count("misses", \.missesForDown, "Unanswered pings in a row that make a node look dead …")
        span("silence_ms", 50...600_000, \.silenceForDown, "… if nothing at all was heard for this long.")
        count("refusals", \.refusalsForDown, "ICMP refusals in a row that make a node look dead …")
        span("refusal_spacing_ms", 1...10_000, \.refusalSpacing, "… if they are at least this far apart.")
        count("answers", \.answersForUp, "Answers in a row that bring a node back.")
        span(
            "hold_down_ms", 0...600_000, \.holdDown,
            "How long a wrongly fenced node must answer before it is used again; doubles each time.")
        span("hold_down_max_ms", 0...3_600_000, \.maximumHoldDown, "Where the doubling ends.")
        span(
            "hold_down_forgiven_ms", 0...86_400_000, \.holdDownForgiven,
            "After this long without a wrong fence the doubling starts anew.")
        span(
            "starvation_ms", 10...10_000, \.starvation,
            "A master whose own loop ran this late declares its outstanding pings void.")
        span(
            "witness_window_ms", 100...60_000, \.witnessWindow,
            "When more than half of three or more nodes look dead within this time, a second witness must agree.")
        timings.rampUp = section.value(
            "ramp_up_s", .seconds(in: 0...3_600), default: standard.rampUp,
            "Time in which a returning center grows to its full share of new calls.")
        timings.coldStart = section.value(
            "cold_start_s", .seconds(in: 0...3_600), default: standard.coldStart,
            "Centers first heard this soon after the master's start take their full share at once.")
        if timings.maximumHoldDown < timings.holdDown {
            section.refuse(
                "hold_down_max_ms", found: "\"\(timings.maximumHoldDown.wholeMilliseconds)\"",
                expected: "at least hold_down_ms, \(timings.holdDown.wholeMilliseconds)")
        }
        if timings.timeout > timings.doubtInterval * 16 {
            section.refuse(
                "timeout_ms", found: "\"\(timings.timeout.wholeMilliseconds)\"",
                expected: "at most 16 times doubt_interval_ms, \((timings.doubtInterval * 16).wholeMilliseconds)")
        }
        return timings
    }
}
