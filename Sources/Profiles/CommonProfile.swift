import Primitives
import Routing

/// Ports of RTP and RTCP, both ends included.
public struct PortRange: Hashable, Sendable, CustomStringConvertible {
    public var first: UInt16
    public var last: UInt16

    public init(first: UInt16, last: UInt16) {
        self.first = first
        self.last = last
    }

    /// How many pairs of an even port for RTP and the next one for RTCP fit (RFC 3550 §11).
    public var pairs: Int {
        let firstEven = Int(first) + Int(first) % 2
        return max(0, (Int(last) + 1 - firstEven) / 2)
    }

    public func overlaps(_ other: PortRange) -> Bool { first <= other.last && other.first <= last }
    public func contains(_ port: UInt16) -> Bool { (first...last).contains(port) }
    public var description: String { "\(first)-\(last)" }
}

/// Where a node takes SIP.
public struct SIPListener: Hashable, Sendable, CustomStringConvertible {
    public enum Transport: String, CaseIterable, Sendable { case udp, tcp }
    public var transport: Transport
    public var endpoint: Endpoint

    public init(_ transport: Transport, _ endpoint: Endpoint) {
        self.transport = transport
        self.endpoint = endpoint
    }

    public var description: String { "\(transport.rawValue):\(endpoint)" }
}

/// Limits of the TCP side of a node (I8).
public struct TCPLimits: Hashable, Sendable {
    public var connections = 1_024
    /// A connection without a message for this long is closed. A call that lasts may send none for half its session
    /// interval, and is reached by its connection alone.
    public var idle: Duration = .seconds(3_600)
    /// For a connection of our own to be there.
    public var connect: Duration = .seconds(2)
}

/// How a node speaks SIP.
public struct SIPProfile: Hashable, Sendable {
    /// In the order of the file; a listener without a transport stands here as UDP and as TCP.
    public var listeners: [SIPListener]
    /// Host by which others reach the node; nil: the listener's own address.
    public var advertise: String?
    /// RFC 3261 §17.1.1.1, and Table 4.
    public var t1: Duration
    public var t2: Duration
    public var t4: Duration
    /// Whose internal headers (Tandem-…), P-Asserted-Identity and User-to-User are believed.
    public var trusted: [CIDR]
    public var tcp: TCPLimits

    /// The host to write into Via, Record-Route and Contact for what goes through this listener, IPv6 in brackets.
    public func host(of listener: SIPListener) -> String {
        let text = advertise ?? listener.endpoint.address.description
        return text.contains(":") ? "[\(text)]" : text
    }

    public func trusts(_ address: IPAddress) -> Bool { trusted.contains { $0.contains(address) } }
}

/// How much a node says.
public enum LogLevel: String, CaseIterable, Sendable {
    case trace, debug, info, notice, warning, error
}

/// What the profiles of all roles have.
public struct CommonProfile: Hashable, Sendable {
    public var name: String
    public var sip: SIPProfile
    /// `/health`, `/metrics` and, at a master, console and API.
    public var http: Endpoint
    public var store: StoreLocation
    public var logLevel: LogLevel
}

extension ValueKind where Value == [SIPListener] {
    static var listener: Self {
        Self("ADDRESS:PORT, udp:ADDRESS:PORT or tcp:ADDRESS:PORT", placeholder: []) { text in
            for transport in SIPListener.Transport.allCases where text.hasPrefix(transport.rawValue + ":") {
                let rest = String(text.dropFirst(transport.rawValue.count + 1))
                return ValueKind<Endpoint>.endpoint.parse(rest).map { [SIPListener(transport, $0)] }
            }
            return ValueKind<Endpoint>.endpoint.parse(text).map { [SIPListener(.udp, $0), SIPListener(.tcp, $0)] }
        }
    }
}

extension CommonProfile {
    static func read(_ top: Section) -> CommonProfile {
        let name = top.required("name", .nodeName, "The node's name, the same in tags, records, logs and the console.")
        let sip = top.section("sip", read: SIPProfile.read)
        let http = top.required(
            "http", .endpoint, "Where `/health` and `/metrics` are served; at a master also console and API.")
        let store = top.value(
            "store", .store, default: .sqlite(path: "tandem.sqlite"),
            "Where sessions, records and the ledger are kept; PATH is relative to the state directory. The URL is libpq's; "
                + "several hosts, of which the one that takes writes is used.")
        let level = top.value(
            "log_level", .choice(placeholder: LogLevel.info), default: .info,
            "The least important messages that are logged.")
        if sip.listeners.contains(where: { $0.transport == .tcp && $0.endpoint.clashes(with: http) }) {
            top.refuse("http", found: "\"\(http)\"", expected: "another port than the TCP listener in sip.listen")
        }
        return CommonProfile(name: name, sip: sip, http: http, store: store, logLevel: level)
    }
}

extension SIPProfile {
    static func read(_ section: Section) -> SIPProfile {
        let loopback = ["127.0.0.0/8", "::1/128"].compactMap { CIDR($0) }
        let listeners = section.list(
            "listen", .listener, count: 1...16, default: nil,
            "Where SIP is taken; without a transport both UDP and TCP. The first is used for requests of the node's own."
        )
        let advertise = section.optional(
            "advertise", .host, absent: "the listener's own address",
            "Host that others reach the node by, in Via, Record-Route and Contact; needed with 0.0.0.0 or behind NAT.")
        let t1 = section.value(
            "t1_ms", .milliseconds(in: 50...5_000), default: .milliseconds(500),
            "Round-trip estimate T1 (RFC 3261 §17.1.1.1): first retransmission after T1, time-out after 64·T1.")
        let t2 = section.value(
            "t2_ms", .milliseconds(in: 500...60_000), default: .milliseconds(4_000),
            "Longest retransmission interval T2 of non-INVITE requests and of responses to INVITE.")
        let t4 = section.value(
            "t4_ms", .milliseconds(in: 500...60_000), default: .milliseconds(5_000),
            "Longest time T4 that a message stays in the network.")
        let trusted = section.list(
            "trusted", .block, count: 0...256, default: loopback,
            "Nodes of this system: only their Tandem-… headers, P-Asserted-Identity and User-to-User are believed.")
        let tcp = section.section("tcp") { tcp in
            TCPLimits(
                connections: tcp.value(
                    "connections", .integer(in: 1...65_000), default: 1_024, "TCP connections at once."),
                idle: tcp.value(
                    "idle_s", .seconds(in: 10...86_400), default: .seconds(3_600),
                    "A connection without a message for this long is closed; more than half of any session interval, or "
                        + "calls by TCP lose theirs."),
                connect: tcp.value(
                    "connect_ms", .milliseconds(in: 50...30_000), default: .milliseconds(2_000),
                    "For a connection of our own to be there."))
        }
        if t2 < t1 {
            section.refuse(
                "t2_ms", found: "\"\(t2.wholeMilliseconds)\"", expected: "at least t1_ms, \(t1.wholeMilliseconds)")
        }
        let flat = listeners.flatMap { $0 }
        for (index, listener) in flat.enumerated() where flat[..<index].contains(listener) {
            section.refuse("listen", found: "\(listener) twice", expected: "each listener once")
        }
        if advertise == nil, let wildcard = flat.first(where: { $0.endpoint.address.isUnspecified }) {
            section.refuse(
                "advertise", found: "nothing",
                expected: "the host that others reach this node by, because \(wildcard) names no address")
        }
        return SIPProfile(
            listeners: flat, advertise: advertise, t1: t1, t2: t2, t4: t4, trusted: trusted, tcp: tcp)
    }
}

extension Endpoint {
    /// Whether both cannot be bound by one transport on one machine.
    func clashes(with other: Endpoint) -> Bool {
        guard port == other.port, address.isV6 == other.address.isV6 else { return false }
        return address == other.address || address.isUnspecified || other.address.isUnspecified
    }
}
