import Foundation
import HTTPKit
import Logging
import NetworkIO
import NodeRuntime
import Primitives
import Profiles
import Routing
import Session
import Store
import Telemetry
import Testing

@testable import Master

/// A whole master on loopback with a store in memory and two centers that answer pings.
final class MasterFixture: Sendable {
    static let secret = "0123456789abcdef0123456789abcdef"

    let centers: [FakeNode]
    let store: MemoryStore
    let state: StateDirectory
    let node: MasterNode
    let registry: MetricRegistry
    let http: HTTPService
    let token: BearerToken
    private let client = HTTPClient()

    /// Another master that this one watches.
    struct Other {
        var name: String
        var sip: Endpoint
        var http: Endpoint
    }

    static func profile(
        name: String = "master-a", _ nodes: [(String, Endpoint)], others: [Other] = []
    ) throws -> MasterProfile {
        let list =
            (nodes.map { "{name: \($0.0), role: center, sip: \"\($0.1)\"}" }
            + others.map { "{name: \($0.name), role: master, sip: \"\($0.sip)\", http: \"\($0.http)\"}" })
            .joined(separator: ", ")
        let decoded = try NodeProfile.decode(
            yaml: """
                role: master
                name: \(name)
                sip: {listen: ["127.0.0.1:5070"]}
                http: 127.0.0.1:8080
                nodes: [\(list)]
                detection: {interval_ms: 25, timeout_ms: 300, doubt_interval_ms: 20, silence_ms: 900, ramp_up_s: 0}
                lease: {length_ms: 10000, renewal_ms: 100}
                """, file: "master.yaml")
        guard case .master(var profile) = decoded else { throw WrongRole() }
        profile.common.sip.listeners = [SIPListener(.udp, FakeNode.anyPort), SIPListener(.tcp, FakeNode.anyPort)]
        return profile
    }

    struct WrongRole: Error {}

    convenience init(
        centers names: [String] = ["center-a", "center-b"], store: MemoryStore = MemoryStore(id: "store-1"),
        configure: (inout MasterNode.Timings) -> Void = { _ in }
    ) async throws {
        try await self.init(watching: try names.map { try FakeNode($0) }, store: store, configure: configure)
    }

    /// - Parameters:
    ///   - real: used by the master in place of the store in memory.
    ///   - secret: the API's token.
    init(
        name: String = "master-a", watching centers: [FakeNode], others: [Other] = [],
        store: MemoryStore = MemoryStore(id: "store-1"), real: (any Store)? = nil,
        secret: String = MasterFixture.secret,
        configure: (inout MasterNode.Timings) -> Void = { _ in }
    ) async throws {
        var log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        log.logLevel = .critical
        var timings = MasterNode.Timings()
        timings.look = .milliseconds(20)
        timings.longPoll = .milliseconds(300)
        configure(&timings)
        let token = try #require(BearerToken(secret))
        let state = StateDirectory(
            FileManager.default.temporaryDirectory.appending(path: "tandem-master-\(UUID())").path)
        try state.prepare()
        let registry = MetricRegistry()
        let profile = try Self.profile(
            name: name, centers.map { ($0.state.name, $0.endpoint) }, others: others)
        let node = try await MasterNode(
            profile, file: "master.yaml", store: real ?? store, state: state, token: token, registry: registry,
            log: log, timings: timings)
        let routes = WebRoutes()
        try node.addRoutes(to: routes)
        http = try await HTTPService.start(at: FakeNode.anyPort, routes: routes, logger: log)
        self.centers = centers
        self.store = store
        self.state = state
        self.node = node
        self.registry = registry
        self.token = token
    }

    func stop() async {
        await http.stop()
        await node.drainAndStop()
        for center in centers { await center.kill() }
        try? FileManager.default.removeItem(atPath: state.path)
    }

    /// Brings a master up, waits until it leads and sees its centers, and takes it down after the test.
    static func run(
        store: MemoryStore = MemoryStore(id: "store-1"), configure: (inout MasterNode.Timings) -> Void = { _ in },
        _ body: (MasterFixture) async throws -> Void
    ) async throws {
        let fixture = try await MasterFixture(store: store, configure: configure)
        do {
            try await fixture.waitUntilServing()
            try await body(fixture)
        } catch {
            await fixture.stop()
            throw error
        }
        await fixture.stop()
    }

    func waitUntilServing() async throws {
        do {
            try await eventually("the master leads and sees its centers") {
                guard let report = await node.desk.report(), case .leading = report.standing else { return false }
                return report.nodes.filter { $0.state == .up }.count == centers.count + 1
            }
        } catch let failure as NeverHappened {
            throw NeverHappened(
                description:
                    "\(failure): \(String(describing: await node.desk.report())), pings \(centers.map(\.state.pings))"
            )
        }
    }

    func state(of name: String) async -> NodeState? {
        await node.desk.report()?.nodes.first { $0.name == name }?.state
    }

    // MARK: HTTP

    func get(_ path: String, token: BearerToken?, within limit: Duration = .seconds(30)) async throws
        -> HTTPClient.Answer
    {
        try await client.send(to: http.endpoint, path: path, token: token, within: limit)
    }

    func get(_ path: String) async throws -> HTTPClient.Answer { try await get(path, token: token) }

    func post(_ path: String, token: BearerToken?, body: String = "", headers: [(String, String)] = [])
        async throws -> HTTPClient.Answer
    {
        try await client.send(
            "POST", to: http.endpoint, path: path, token: token, body: Array(body.utf8), headers: headers,
            within: .seconds(30))
    }

    func events() -> AsyncThrowingStream<ServerSentEvent, any Error> {
        client.events(from: http.endpoint, path: "/api/v1/events", token: token)
    }
}

extension HTTPClient.Answer {
    var text: String { String(decoding: body, as: UTF8.self) }
}

struct NeverHappened: Error, CustomStringConvertible {
    var description: String
}

/// Real sockets take their time: asks again until it holds, for ten seconds at most.
func eventually(_ what: String, _ holds: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
        if try await holds() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    throw NeverHappened(description: "never: \(what)")
}

/// Values that tests are written in.
enum Given {
    static let start = WallTime(milliseconds: 1_772_352_930_250)

    static func node(_ name: String, _ incarnation: String = "k1") throws -> NodeIdentity {
        try #require(NodeIdentity(name: name, incarnation: incarnation))
    }

    static func registration(_ identity: NodeIdentity, role: NodeRole = .center) -> NodeRegistration {
        NodeRegistration(identity: identity, role: role, pid: 1, processStart: 1, httpAddress: "127.0.0.1:8081")
    }

    static func session(_ seed: UInt64) -> SessionID {
        var random = SeededRandom(seed: seed)
        return SessionID(using: &random)
    }

    static func checkpoint(_ seed: UInt64, center: String = "center-a") -> Checkpoint {
        Checkpoint(
            dialogs: [], media: [], menu: nil,
            record: CallRecord(
                id: session(seed), line: "95533", from: "+861380000\(1000 + seed)", centers: [center],
                started: start + .seconds(Int64(seed)), answered: start + .seconds(Int64(seed)) + .milliseconds(80),
                path: ["language", "main"]))
    }
}
