import HTTPKit
import NetworkIO
import Primitives
import Routing
import Session
import Store

/// The API of a master: reads are answered here, writes are passed on to the leader.
struct MasterAPI: Sendable {
    static let prefix = "/api/v1"
    /// Most live calls that one answer lists.
    static let callLimit = 10_000
    static let recordLimits = 1...1_000
    /// Set on a write that was passed on once: a master that does not lead either answers rather than passes it on.
    static let forwarded = "Tandem-Forwarded"
    /// Who gave an order, as the client says; for the audit.
    static let operatorField = "Tandem-Operator"

    let desk: MasterDesk
    let token: BearerToken
    private let client = HTTPClient()

    init(desk: MasterDesk, token: BearerToken) {
        self.desk = desk
        self.token = token
    }

    func add(to routes: WebRoutes) {
        routes.get(Self.prefix + "/nodes", token: token) { _ in try .json(try await nodes()) }
        routes.get(Self.prefix + "/calls", token: token) { request in try .json(try await calls(request)) }
        routes.get(Self.prefix + "/calls/{id}", token: token) { request in
            try .json(try await call(try request.parameter("id")))
        }
        routes.get(Self.prefix + "/cdrs", token: token) { request in try .json(try await records(request)) }
        routes.get(Self.prefix + "/orders", token: token) { request in try .json(try await givenOrders(request)) }
        // Until seat centers register here nobody waits and nobody answers.
        routes.get(Self.prefix + "/seats", token: token) { _ in try .json([String]()) }
        routes.get(Self.prefix + "/queues", token: token) { _ in try .json([String]()) }
        routes.get(Self.prefix + "/alarms", token: token) { request in
            try .json(try await alarms(request))
        }
        routes.get(Self.prefix + "/events", token: token) { request in try await events(request) }
        for (word, state) in Self.orders {
            routes.post(Self.prefix + "/nodes/{name}/\(word)", token: token) { request in
                try await order(state, word: word, request)
            }
        }
    }

    private static let orders: [(String, AdministrativeState)] = [
        ("drain", .draining), ("enable", .enabled), ("disable", .disabled),
    ]

    // MARK: Reads

    private func nodes() async throws(WebFailure) -> [NodeReport] {
        guard let report = await desk.report() else { throw .unavailable("the master is ending") }
        return report.nodes
    }

    private func calls(_ request: WebRequest) async throws(WebFailure) -> [LiveCall] {
        let limit = try request.number("limit", in: 1...Self.callLimit) ?? Self.callLimit
        let reply = await desk.store.submit(.liveCalls(limit: limit))
        guard case .liveCalls(let calls) = reply else { throw failure(reply) }
        return calls
    }

    private func call(_ text: String) async throws(WebFailure) -> CallDetail {
        guard let id = SessionID(text) else { throw .notFound("there is no call \"\(text.prefix(64))\"") }
        let reply = await desk.store.submit(.call(id))
        if reply == .notFound { throw .notFound("there is no call \(id)") }
        guard case .call(let detail) = reply else { throw failure(reply) }
        return detail
    }

    private func records(_ request: WebRequest) async throws(WebFailure) -> [CallRecord] {
        let limit = try request.number("limit", in: Self.recordLimits) ?? 100
        var before: SessionID?
        if let text = request.query("before") {
            guard let id = SessionID(text) else { throw .badRequest("before: the id of a call record is expected") }
            before = id
        }
        let reply = await desk.store.submit(.callRecords(limit: limit, before: before))
        if reply == .notFound { throw .notFound("before: there is no such call record") }
        guard case .callRecords(let records) = reply else { throw failure(reply) }
        return records
    }

    /// What the leader raised holds at every master: it alone sees what becomes of fences and takeovers.
    private func alarms(_ request: WebRequest) async throws(WebFailure) -> [Alarm] {
        let own = desk.alarms.alarms
        guard request.header(Self.forwarded) == nil, case .standby(let leader?)? = await desk.report()?.standing,
            let endpoint = desk.peers[leader.name],
            let answer = try? await client.send(
                "GET", to: endpoint, path: Self.prefix + "/alarms", token: token, body: [],
                headers: [(Self.forwarded, desk.identity.name)], within: .milliseconds(500))
        else { return own }
        // A list that lacks the leader's alarms for good would look like one in which nothing is wrong.
        if answer.status == 401 { throw Self.hasOtherToken(leader) }
        guard answer.status == 200, let raised = try? WebJSON.decode([Alarm].self, from: answer.body) else {
            return own
        }
        let mine = own.filter { alarm in !raised.contains { $0.code == alarm.code && $0.node == alarm.node } }
        return (raised + mine).sorted { $0.since < $1.since }
    }

    /// What operators wanted of nodes, newest first, and who they were.
    private func givenOrders(_ request: WebRequest) async throws(WebFailure) -> [AdministrativeChange] {
        let limit = try request.number("limit", in: Self.recordLimits) ?? 100
        let reply = await desk.store.submit(.administrativeChanges(limit: limit))
        guard case .administrativeChanges(let changes) = reply else { throw failure(reply) }
        return changes
    }

    /// What holds now comes first, so that a listener needs nothing else: nodes, alarms, live calls.
    private func events(_ request: WebRequest) async throws(WebFailure) -> WebAnswer {
        guard !desk.feed.isFull else {
            throw .unavailable("\(EventFeed.listenerLimit) others listen already", retryAfter: 10)
        }
        // What the leader raised is told to those who listen there.
        let known = (try? await alarms(request)) ?? desk.alarms.alarms
        let desk = desk
        return .events {
            desk.feed.subscribe {
                let nodes = await desk.report()?.nodes ?? []
                let calls = await desk.calls.holding()
                return nodes.compactMap { ServerSentEvent(name: "node", json: $0) }
                    + known.compactMap { ServerSentEvent(name: "alarm-raised", json: $0) }
                    + calls.compactMap { ServerSentEvent(name: "call-started", json: $0) }
            }
        }
    }

    private func failure(_ reply: StoreReply) -> WebFailure {
        if case .unavailable(let trouble) = reply { return .unavailable("the store is away: \(trouble)") }
        return WebFailure(500, "internal", "the store gave an answer that does not fit")
    }

    // MARK: Writes

    private struct Accepted: Encodable {
        var node: String
        var order: String
    }

    private func order(
        _ state: AdministrativeState, word: String, _ request: WebRequest
    ) async throws -> WebAnswer {
        let name = try request.parameter("name")
        // Whoever adds `dry_run=1` does not want it done.
        if let unknown = request.queryNames.first {
            throw WebFailure.badRequest("\(unknown.prefix(64)): an order takes no parameters")
        }
        guard name != desk.identity.name else { throw Self.servesNoCalls(name) }
        switch await desk.order(state, for: name, by: Self.author(of: request)) {
        case .recorded: return try .json(Accepted(node: name, order: word), status: 202)
        case .refused(.unknownNode): throw WebFailure.notFound("there is no node \"\(name.prefix(64))\"")
        case .refused(.servesNoCalls): throw Self.servesNoCalls(name)
        case .refused(.notLeading(let leader)): return try await passOn(request, to: leader)
        case .notKept(let trouble):
            throw WebFailure.unavailable("the order holds here, but the store did not keep it: \(trouble)")
        case .overtaken: throw WebFailure.unavailable("another master has begun to lead; try again")
        case nil: throw WebFailure.unavailable("the master is ending")
        }
    }

    private static func servesNoCalls(_ name: String) -> WebFailure {
        .conflict("\(name) is a master; only nodes that serve calls take orders")
    }

    /// Visible characters of what the client calls its operator, or where the request came from.
    private static func author(of request: WebRequest) -> String {
        let said = (request.header(operatorField) ?? "").unicodeScalars
            .filter { $0.value > 32 && $0.value != 127 }
        let name = String(String.UnicodeScalarView(said).prefix(64))
        if !name.isEmpty { return name }
        return request.remote.map { "api from \($0.address)" } ?? "api"
    }

    private func passOn(_ request: WebRequest, to leader: NodeIdentity?) async throws -> WebAnswer {
        guard let leader, leader.name != desk.identity.name, request.header(Self.forwarded) == nil,
            let endpoint = desk.peers[leader.name]
        else { throw WebFailure.unavailable("no master leads now") }
        let headers = [(Self.forwarded, desk.identity.name), (Self.operatorField, Self.author(of: request))]
        let answer: HTTPClient.Answer
        do throws(HTTPClientError) {
            answer = try await client.send(
                request.method, to: endpoint, path: request.path, token: token, body: [], headers: headers,
                within: .seconds(3))
        } catch {
            throw WebFailure.unavailable("the leader, \(leader.name), does not answer: \(error)")
        }
        // The client's token was right: it is this master's that the leader does not know.
        if answer.status == 401 { throw Self.hasOtherToken(leader) }
        return .bytes(answer.body, type: answer.header("Content-Type") ?? "application/json", status: answer.status)
    }

    /// Each machine makes a token of its own where it was not given the other's.
    private static func hasOtherToken(_ leader: NodeIdentity) -> WebFailure {
        .unavailable(
            "the leader, \(leader.name), has another API token: give both masters the same secrets/api-token",
            retryAfter: 10)
    }
}
