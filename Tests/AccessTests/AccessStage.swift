import Primitives
import Routing
import SIP
import Session

@testable import Access

/// An access core with two centers, a caller outside and a clock that tests move. Everything that it sends is kept.
struct AccessStage {
    var core: AccessCore
    var now = MonotonicTime.zero
    var sent: [(bytes: [UInt8], flow: Flow)] = []
    var adopted: [RouteTable] = []
    var reports: [String] = []
    private var readSoFar = 0

    init(
        centers: [RouteEntry] = [.centerA, .centerB], adjust: (inout AccessSettings) -> Void = { _ in }
    ) throws {
        var settings = AccessSettings(
            identity: try Known.identity("access-1", "z1"),
            udp: [AccessSettings.Listener(Endpoint(.v4(0x0A00_0001), port: 5060))],
            tcp: [AccessSettings.Listener(Endpoint(.v4(0x0A00_0001), port: 5060))],
            routing: RoutingPlan(.homeFirst("center-a")),
            trusted: [CIDR("10.0.0.0/24"), CIDR("2001:db8::/32")].compactMap { $0 },
            sources: SourceRules(allowed: [CIDR("192.0.2.0/24")].compactMap { $0 }))
        adjust(&settings)
        core = AccessCore(
            settings: settings, table: Known.table(1, centers), tokens: Known.tokens(incarnation: "z1"), seed: 7,
            now: .zero)
    }

    mutating func receive(_ message: Message, from flow: Flow = .caller) {
        var actions: [AccessAction] = []
        core.receive(message, on: flow, now: now, into: &actions)
        perform(actions)
    }

    mutating func receive(_ bytes: [UInt8], from flow: Flow = .caller) throws {
        do throws(SIPParseError) {
            receive(try MessageParser().parse(bytes, transport: flow.transport), from: flow)
        } catch {
            var actions: [AccessAction] = []
            core.refuse(error, on: flow, now: now, into: &actions)
            perform(actions)
        }
    }

    mutating func tell(_ event: AccessEvent) {
        var actions: [AccessAction] = []
        core.handle(event, now: now, into: &actions)
        perform(actions)
    }

    /// Moves the clock from deadline to deadline, so that each timer fires at its own time.
    mutating func advance(by span: Duration) {
        let end = now + span
        while let deadline = core.nextDeadline(), deadline <= end {
            now = deadline
            var actions: [AccessAction] = []
            core.fire(now: now, into: &actions)
            perform(actions)
        }
        now = end
    }

    private mutating func perform(_ actions: [AccessAction]) {
        for action in actions {
            switch action {
            case .send(let bytes, let flow): sent.append((bytes, flow))
            case .adopted(let table): adopted.append(table)
            case .report(let center, let complaint): reports.append("\(center) \(complaint)")
            }
        }
    }

    /// What was sent since the last call, as `INVITE → center-a` or `180 → caller`.
    mutating func news() -> [String] {
        defer { readSoFar = sent.count }
        return sent[readSoFar...].map { entry in
            let words = String(decoding: entry.bytes.prefix { $0 != 13 }, as: UTF8.self).split(separator: " ")
            let word = words.first == "SIP/2.0" ? words[1] : words[0]
            return "\(word) → \(entry.flow.name)"
        }
    }

    /// The last message to somebody, of a method or status if one is given.
    func last(to flow: Flow, _ word: String? = nil) throws -> Message {
        for entry in sent.reversed() where entry.flow.name == flow.name {
            let message = try MessageParser().parse(entry.bytes, transport: entry.flow.transport)
            let found = message.status.map(String.init) ?? message.method.description
            if word == nil || word == found { return message }
        }
        throw Missing(what: "\(word ?? "message") to \(flow.name)")
    }

    /// A center answers the last request that it got.
    mutating func answer(
        _ status: Int, from flow: Flow, tag: String? = nil, headers: [(HeaderName, String)] = []
    ) throws {
        receive(
            try Known.answer(to: last(to: flow, "INVITE"), status, from: flow, tag: tag, headers: headers), from: flow)
    }

    /// A call that the first center answered and the caller acknowledged; the INVITE as the caller sent it.
    mutating func answeredCall(from flow: Flow = .caller, callID: String = "call-1") throws -> Message {
        let invite = try Known.request("INVITE", from: flow, callID: callID)
        receive(invite, from: flow)
        try answer(200, from: .centerA)
        receive(
            try Known.request("ACK", from: flow, branch: "z9hG4bKack\(callID)", toTag: Known.tagA, callID: callID),
            from: flow)
        _ = news()
        return invite
    }
}

struct Missing: Error { var what: String }

enum Known {
    static let tagA = "center-a.k1.00112233aabbccdd"
    static let tagB = "center-b.k2.00112233aabbccdd"

    static func identity(_ name: String, _ incarnation: String) throws -> NodeIdentity {
        guard let identity = NodeIdentity(name: name, incarnation: incarnation) else { throw Missing(what: name) }
        return identity
    }

    static func table(_ generation: UInt64, _ centers: [RouteEntry]) -> RouteTable {
        RouteTable(storeID: "s1", leaderEpoch: 1, generation: generation, centers: centers)
    }

    /// A keyed hash for tests: what matters is that another key or content gives another seal.
    static func tokens(incarnation: String, key: UInt64 = 5) -> FlowTokens {
        FlowTokens(incarnation: incarnation) { content in
            var random = SeededRandom(seed: content.reduce(key) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 })
            return Array(random.hex(20).utf8)
        }
    }

    static func message(_ text: String, transport: Transport = .udp) throws -> Message {
        let bytes = text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
        return try MessageParser().parse(Array(bytes.utf8), transport: transport)
    }

    static func request(
        _ method: String, from flow: Flow = .caller, uri: String = "sip:95533@10.0.0.1", branch: String = "z9hG4bKc1",
        fromTag: String = "c-1", toTag: String? = nil, callID: String = "call-1", cseq: Int = 1, maxForwards: Int = 70,
        contact: String? = nil, more: [String] = [], body: String = ""
    ) throws -> Message {
        let transport = flow.transport == .udp ? "UDP" : "TCP"
        var lines = [
            "\(method) \(uri) SIP/2.0",
            "Via: SIP/2.0/\(transport) \(flow.remote);branch=\(branch)",
            "Max-Forwards: \(maxForwards)",
            "From: <sip:bob@192.0.2.5>;tag=\(fromTag)",
            "To: <sip:95533@10.0.0.1>\(toTag.map { ";tag=\($0)" } ?? "")",
            "Call-ID: \(callID)",
            "CSeq: \(cseq) \(method)",
            "Contact: <\(contact ?? "sip:bob@\(flow.remote)")>",
        ]
        lines += more
        lines += ["Content-Length: \(body.utf8.count)", "", body]
        return try message(lines.joined(separator: "\n"), transport: flow.transport)
    }

    /// What a master sends to say what holds of this node.
    static func ping(_ notice: NodeNotice, from flow: Flow = .centerB) throws -> Message {
        let number = Rendezvous.hash(notice.headerValue)
        return try request(
            "OPTIONS", from: flow, uri: "sip:10.0.0.1:5060", branch: "z9hG4bKp\(number)", callID: "ping-\(number)",
            more: ["Tandem-Node: \(notice.headerValue)"])
    }

    static func answer(
        to request: Message, _ status: Int, from flow: Flow, tag: String? = nil, headers: [(HeaderName, String)] = []
    ) throws -> Message {
        let tag = tag ?? (flow.remote == Flow.centerB.remote ? tagB : tagA)
        let bytes = MessageWriter.response(
            to: request, status: status, toTag: status == 100 ? nil : tag, source: Flow.access.remote,
            contact: NameAddress(uri: URI(host: flow.remote.address.description, port: flow.remote.port)),
            headers: headers)
        return try MessageParser().parse(bytes, transport: flow.transport)
    }
}

extension Flow {
    /// A phone outside, at 192.0.2.5:5062.
    static let caller = Flow(transport: .udp, remote: Endpoint(.v4(0xC000_0205), port: 5062))
    static let otherCaller = Flow(transport: .udp, remote: Endpoint(.v4(0xC000_0206), port: 5062))
    static let tcpCaller = Flow(transport: .tcp, remote: Endpoint(.v4(0xC000_0207), port: 40_000), connection: 9)
    static let stranger = Flow(transport: .udp, remote: Endpoint(.v4(0xCB00_7105), port: 5062))
    static let centerA = Flow(transport: .udp, remote: Endpoint(.v4(0x0A00_000A), port: 5081))
    static let centerB = Flow(transport: .udp, remote: Endpoint(.v4(0x0A00_000B), port: 5082))
    static let centerATCP = Flow(transport: .tcp, remote: Endpoint(.v4(0x0A00_000A), port: 5081))
    static let master = Flow(transport: .udp, remote: Endpoint(.v4(0x0A00_0014), port: 5070))
    static let access = Flow(transport: .udp, remote: Endpoint(.v4(0x0A00_0001), port: 5060))

    var name: String {
        let known: [(Flow, String)] = [
            (.caller, "caller"), (.otherCaller, "other"), (.tcpCaller, "caller"), (.stranger, "stranger"),
            (.centerA, "center-a"), (.centerB, "center-b"), (.master, "master"),
        ]
        let base = known.first { $0.0.remote == remote }?.1 ?? remote.description
        return transport == .udp ? base : base + " by tcp"
    }
}

extension RouteEntry {
    static let centerA = RouteEntry(
        name: "center-a", incarnation: "k1", sip: [Flow.centerA.remote], state: .up)
    static let centerB = RouteEntry(
        name: "center-b", incarnation: "k2", sip: [Flow.centerB.remote], state: .up)

    func with(state: NodeState, incarnation: String? = nil) -> RouteEntry {
        var copy = self
        copy.state = state
        if let incarnation { copy.incarnation = incarnation }
        return copy
    }
}
