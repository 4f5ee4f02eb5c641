import HTTPKit
import NetworkIO
import Primitives
import Routing
import Session

/// What the other nodes ask of a master: access nodes the route table as soon as there is a newer one, and a place for
/// their doubts; other masters what looks dead from here.
struct RouteTableService: Sendable {
    static let tablePath = "/internal/v1/route-table"
    static let reportPath = "/internal/v1/reports"

    let desk: MasterDesk
    let token: BearerToken

    func add(to routes: WebRoutes) {
        routes.get(Self.tablePath) { request in
            try admit(request)
            return try await table(request)
        }
        routes.get(WitnessDesk.path) { request in
            try admit(request)
            guard let report = await desk.report() else { throw WebFailure.unavailable("the master is ending") }
            return try .json(WitnessDesk.Testimony(by: desk.identity.name, dead: report.dead))
        }
        routes.post(Self.reportPath) { request in
            try admit(request)
            return try take(request)
        }
    }

    /// Nodes of this system need no token: trusted addresses, and this machine.
    private func admit(_ request: WebRequest) throws(WebFailure) {
        if let address = request.remote?.address {
            let loopback = [CIDR("127.0.0.0/8"), CIDR("::1/128")]
            if loopback.contains(where: { $0?.contains(address) ?? false }) { return }
            if desk.trusted.contains(where: { $0.contains(address) }) { return }
        }
        guard token.accepts(authorization: request.header("Authorization")) else {
            throw WebFailure(401, "unauthorized", "a valid bearer token is needed from outside the trusted networks")
        }
    }

    // MARK: Tables

    /// Which table a client holds: `STOREID:EPOCH:GENERATION`.
    struct Held: Equatable {
        var storeID: String
        var leaderEpoch: UInt64
        var generation: UInt64

        init?(_ text: String) {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count >= 3, text.utf8.count <= 256, let epoch = UInt64(parts[parts.count - 2]),
                let generation = UInt64(parts[parts.count - 1])
            else { return nil }
            storeID = parts.dropLast(2).joined(separator: ":")
            leaderEpoch = epoch
            self.generation = generation
        }

        /// A client that holds a newer table than this master would ask again at once if it were given an older one.
        func isOlder(than table: RouteTable) -> Bool {
            table.supersedes(
                RouteTable(storeID: storeID, leaderEpoch: leaderEpoch, generation: generation, centers: []))
        }
    }

    /// `?after=` names the table that the client holds; the answer waits for a newer one, and is 304 when none came.
    private func table(_ request: WebRequest) async throws -> WebAnswer {
        var held: Held?
        if let text = request.query("after"), !text.isEmpty {
            guard let read = Held(text) else {
                throw WebFailure.badRequest("after: STOREID:EPOCH:GENERATION is expected")
            }
            held = read
        }
        let deadline = ContinuousClock.now + desk.longPoll
        var seen = desk.table.current
        while true {
            if let table = seen.value, held?.isOlder(than: table) ?? true {
                return .bytes(table.encodedJSON(), type: "application/json; charset=utf-8")
            }
            let left = deadline - .now
            guard left > .zero, let next = await desk.table.next(after: seen.number, within: left) else {
                return .empty(304)
            }
            seen = next
        }
    }

    // MARK: Reports

    /// An access node's doubts: `{"by":"access-1","nodes":["center-a"]}`. They bring a ping, never a verdict.
    private struct Report: Decodable {
        var by: String
        var nodes: [String]
    }

    private func take(_ request: WebRequest) throws -> WebAnswer {
        let report = try request.decode(Report.self)
        guard isNodeName(report.by), (1...RouteTable.centerLimit).contains(report.nodes.count),
            report.nodes.allSatisfy({ isNodeName($0) })
        else { throw WebFailure.badRequest("by and nodes: names of nodes are expected") }
        for node in report.nodes {
            guard desk.mailbox.post(.event(.reported(node: node, by: report.by))) else {
                throw WebFailure.unavailable("the master is busy")
            }
        }
        return .empty(202)
    }
}
