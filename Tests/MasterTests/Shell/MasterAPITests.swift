import Foundation
import HTTPKit
import Primitives
import Routing
import Session
import Store
import Testing

@testable import Master

@Suite(.serialized) struct MasterAPITests {
    private struct Refusal: Decodable {
        struct Detail: Decodable {
            var code: String
            var message: String
        }
        var error: Detail
    }

    private static func refusal(_ answer: HTTPClient.Answer) throws -> String {
        try WebJSON.decode(Refusal.self, from: answer.body).error.code
    }

    private static func objects(_ answer: HTTPClient.Answer) throws -> [[String: Any]] {
        try #require(JSONSerialization.jsonObject(with: Data(answer.body)) as? [[String: Any]])
    }

    @Test(arguments: ["nodes", "calls", "calls/x", "cdrs", "orders", "seats", "queues", "alarms", "events"])
    func everythingWantsTheToken(_ path: String) async throws {
        try await MasterFixture.run { (fixture) async throws in
            let wrong = try #require(BearerToken("fedcba9876543210fedcba9876543210"))
            for token in [nil, wrong] {
                let answer = try await fixture.get("/api/v1/\(path)", token: token)
                #expect(answer.status == 401)
                #expect(try Self.refusal(answer) == "unauthorized")
            }
        }
    }

    @Test func anOrderWantsTheTokenToo() async throws {
        try await MasterFixture.run { (fixture) async throws in
            #expect(try await fixture.post("/api/v1/nodes/center-a/drain", token: nil).status == 401)
            #expect(await fixture.state(of: "center-a") == .up)
        }
    }

    @Test func nodesHaveTheKeysOfTheContract() async throws {
        try await MasterFixture.run { (fixture) async throws in
            let answer = try await fixture.get("/api/v1/nodes")
            #expect(answer.status == 200)
            let nodes = try Self.objects(answer)
            #expect(nodes.map { $0["name"] as? String } == ["center-a", "center-b", "master-a"])
            let keys: Set = [
                "name", "role", "state", "reason", "since", "incarnation", "calls", "limit", "latency_ms",
            ]
            #expect(nodes.allSatisfy { Set($0.keys) == keys })
            let first = try #require(nodes.first)
            #expect(first["role"] as? String == "center")
            #expect(first["state"] as? String == "up")
            #expect(first["incarnation"] as? String == "k1")
            #expect(first["calls"] as? Int == 3)
            let since = (first["since"] as? String).flatMap { WallTime($0) }
            #expect((since ?? .epoch) > .epoch)
            let own = try #require(nodes.last)
            #expect(own["role"] as? String == "master")
            #expect(own["calls"] is NSNull && own["latency_ms"] is NSNull)
        }
    }

    private static func fill(_ store: MemoryStore) async throws {
        let owner = Ownership(node: try Given.node("center-b"))
        _ = await store.submit(.register(Given.registration(owner.node)))
        for seed in 1...3 as ClosedRange<UInt64> {
            _ = await store.submit(.open(SessionWrite(Given.checkpoint(seed, center: "center-b"), under: owner)))
        }
        for seed in 1...2 as ClosedRange<UInt64> {
            let record = Given.checkpoint(seed, center: "center-b").record
            let ended = record.closed(.menu, at: Given.start + .milliseconds(10_500 + Int64(seed) * 1_000))
            _ = await store.submit(.end(ended, under: owner))
            _ = await store.submit(
                .appendTimeline(seed.session, [TimelineEntry(at: Given.start, kind: .sip, detail: "INVITE")]))
        }
    }

    @Test func callsAreListedAndToldWithTheirStory() async throws {
        try await MasterFixture.run { (fixture) async throws in
            try await Self.fill(fixture.store)
            let calls = try Self.objects(try await fixture.get("/api/v1/calls"))
            #expect(calls.map { $0["id"] as? String } == [3.session.description])
            let keys: Set = [
                "id", "line", "from", "center", "started", "menu", "state", "language", "authenticated", "takeovers",
            ]
            let call = try #require(calls.first)
            #expect(Set(call.keys) == keys)
            #expect(call["center"] as? String == "center-b")
            #expect(call["started"] as? String == "2026-03-01T08:15:33.250Z")
            #expect(call["menu"] is NSNull)

            for seed in [1, 3] as [UInt64] {
                let answer = try await fixture.get("/api/v1/calls/\(seed.session)")
                let detail = try #require(
                    JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
                #expect(Set(detail.keys) == keys.union(["timeline"]))
                let timeline = try #require(detail["timeline"] as? [[String: Any]])
                #expect(timeline.map { $0["kind"] as? String } == (seed == 1 ? ["sip"] : []))
            }
            for unknown in ["\(9.session)", "nonsense"] {
                let answer = try await fixture.get("/api/v1/calls/\(unknown)")
                #expect(answer.status == 404)
                #expect(try Self.refusal(answer) == "not-found")
            }
        }
    }

    @Test func recordsComeNewestFirstAndInPages() async throws {
        try await MasterFixture.run { (fixture) async throws in
            try await Self.fill(fixture.store)
            let all = try Self.objects(try await fixture.get("/api/v1/cdrs"))
            #expect(all.map { $0["id"] as? String } == [2.session.description, 1.session.description])
            let record = try #require(all.last)
            #expect(
                Set(record.keys) == [
                    "id", "line", "from", "centers", "started", "answered", "ended", "duration_s", "end", "path",
                    "takeovers",
                ])
            #expect(record["duration_s"] as? Double == 10.42)
            #expect(record["end"] as? String == "menu")
            #expect(record["path"] as? [String] == ["language", "main"])
            let one = try Self.objects(try await fixture.get("/api/v1/cdrs?limit=1"))
            #expect(one.map { $0["id"] as? String } == [2.session.description])
            let next = try Self.objects(try await fixture.get("/api/v1/cdrs?limit=5&before=\(2.session)"))
            #expect(next.map { $0["id"] as? String } == [1.session.description])
        }
    }

    @Test(arguments: [
        ("limit=0", 400), ("limit=1001", 400), ("limit=-1", 400), ("limit=x", 400), ("before=x", 400),
        ("before=00000000-0000-4000-8000-000000000000", 404),
    ])
    func whatCannotBeAskedIsRefused(_ query: String, _ status: Int) async throws {
        try await MasterFixture.run { (fixture) async throws in
            let answer = try await fixture.get("/api/v1/cdrs?\(query)")
            #expect(answer.status == status)
            #expect(try Self.refusal(answer) == (status == 400 ? "bad-request" : "not-found"))
        }
    }

    @Test func nobodyWaitsYet() async throws {
        try await MasterFixture.run { (fixture) async throws in
            for path in ["seats", "queues", "alarms"] {
                #expect(try await fixture.get("/api/v1/\(path)").text == "[]")
            }
        }
    }

    /// A drained node is out of the routes, is told so in its pings, and stays so: the store has the order and by whom.
    @Test func drainingReachesTheTableTheNodeAndTheAudit() async throws {
        try await MasterFixture.run { (fixture) async throws in
            let answer = try await fixture.post(
                "/api/v1/nodes/center-a/drain", token: fixture.token, headers: [("Tandem-Operator", "mei@desk-4")])
            #expect(answer.status == 202)
            #expect(answer.text == #"{"node":"center-a","order":"drain"}"#)
            #expect(await fixture.state(of: "center-a") == .draining)
            #expect(fixture.node.desk.table.current.value?.centers.first?.state == .draining)
            try await eventually("the node hears of it") { fixture.centers[0].state.notice?.want == .draining }
            guard
                case .administrativeChanges(let changes) = await fixture.store.submit(
                    .administrativeChanges(limit: 10))
            else {
                Issue.record("no audit")
                return
            }
            #expect(changes.map(\.by) == ["mei@desk-4"])
            #expect(changes.map(\.state) == [.draining])

            #expect(try await fixture.post("/api/v1/nodes/center-a/disable", token: fixture.token).status == 202)
            #expect(await fixture.state(of: "center-a") == .disabled)
            #expect(try await fixture.post("/api/v1/nodes/center-a/enable", token: fixture.token).status == 202)
            #expect(await fixture.state(of: "center-a") == .up)

            let orders = try Self.objects(try await fixture.get("/api/v1/orders"))
            #expect(orders.map { $0["state"] as? String } == ["enabled", "disabled", "draining"])
            #expect(orders.allSatisfy { $0["node"] as? String == "center-a" })
            let first = try #require(orders.last)
            #expect(Set(first.keys) == ["at", "node", "state", "by"])
            #expect(first["by"] as? String == "mei@desk-4")
            #expect((first["at"] as? String).flatMap { WallTime($0) } != nil)
            #expect(try Self.objects(try await fixture.get("/api/v1/orders?limit=1")).count == 1)
            #expect(try await fixture.get("/api/v1/orders?limit=0").status == 400)
        }
    }

    @Test func anOrderOutlivesTheMaster() async throws {
        let store = MemoryStore(id: "store-1")
        _ = await store.submit(.administer(node: "center-b", .draining, by: "earlier", under: nil))
        let fixture = try await MasterFixture(store: store)
        do {
            try await eventually("it drains") { await fixture.state(of: "center-b") == .draining }
        } catch {
            await fixture.stop()
            throw error
        }
        await fixture.stop()
    }

    /// A node that is rolled gets two orders each time, and one that never registers has nothing but its order.
    @Test func anOrderStandsHoweverManyCameSince() async throws {
        let store = MemoryStore(id: "store-1")
        _ = await store.submit(.administer(node: "center-b", .draining, by: "earlier", under: nil))
        for _ in 1...1_001 {
            _ = await store.submit(.administer(node: "center-c", .enabled, by: "roll", under: nil))
        }
        let fixture = try await MasterFixture(store: store)
        do {
            try await eventually("it drains") { await fixture.state(of: "center-b") == .draining }
            let report = await fixture.node.desk.report()?.nodes.first { $0.name == "center-b" }
            #expect(report?.reason.contains("by earlier") == true, "\(report?.reason ?? "")")
        } catch {
            await fixture.stop()
            throw error
        }
        await fixture.stop()
    }

    @Test func ordersThatCannotBeAreRefused() async throws {
        try await MasterFixture.run { (fixture) async throws in
            let unknown = try await fixture.post("/api/v1/nodes/center-z/drain", token: fixture.token)
            #expect(unknown.status == 404)
            #expect(try Self.refusal(unknown) == "not-found")
            #expect(try await fixture.post("/api/v1/nodes/master-a/drain", token: fixture.token).status == 409)
            #expect(try await fixture.post("/api/v1/nodes/center-a/explode", token: fixture.token).status == 404)
            #expect(await fixture.state(of: "center-a") == .up)
        }
    }

    @Test func withTheStoreAwayNodesAndAlarmsStillAnswer() async throws {
        try await MasterFixture.run { (fixture) async throws in
            fixture.store.setTrouble(StoreTrouble(.locked, "another process holds it"))
            for path in ["calls", "calls/\(1.session)", "cdrs"] {
                let answer = try await fixture.get("/api/v1/\(path)")
                #expect(answer.status == 503)
                #expect(try Self.refusal(answer) == "unavailable")
                #expect(answer.header("Retry-After") == "1")
            }
            #expect(try await fixture.get("/api/v1/nodes").status == 200)
            try await eventually("the alarm stands") {
                try await fixture.get("/api/v1/alarms").text.contains("\"code\":\"store-away\"")
            }
            #expect(try await fixture.post("/api/v1/nodes/center-a/drain", token: fixture.token).status == 503)
        }
    }

    @Test func aStandbyThatCannotReachTheLeaderRefusesOrdersAndStillAnswersReads() async throws {
        let store = MemoryStore(id: "store-1")
        let other = try Given.node("master-b", "m9")
        _ = await store.submit(.acquireLease(name: "leader", holder: other, duration: .seconds(3_600)))
        let fixture = try await MasterFixture(store: store)
        do {
            try await eventually("it knows the leader") {
                await fixture.node.desk.report()?.standing == .standby(leader: other)
            }
            // The leader is not among the nodes of this master's profile: it says so instead of pretending.
            let answer = try await fixture.post("/api/v1/nodes/center-a/drain", token: fixture.token)
            #expect(answer.status == 503)
            #expect(try Self.refusal(answer) == "unavailable")
            #expect(try await fixture.get("/api/v1/nodes").status == 200)
        } catch {
            await fixture.stop()
            throw error
        }
        await fixture.stop()
    }

    // MARK: Events

    @Test func listenersHearWhatHoldsAndWhatHappens() async throws {
        try await MasterFixture.run { (fixture) async throws in
            let owner = Ownership(node: try Given.node("center-b"))
            _ = await fixture.store.submit(.open(SessionWrite(Given.checkpoint(1), under: owner)))
            let heard = EventList<[UInt8]>()
            let listening = Task {
                for try await event in fixture.events() {
                    heard.add(Array("\(event.name ?? "-") \(event.data)".utf8))
                }
            }
            defer { listening.cancel() }
            func has(_ name: String, _ part: String) -> Bool {
                heard.all.map { String(decoding: $0, as: UTF8.self) }
                    .contains { $0.hasPrefix(name + " ") && $0.contains(part) }
            }
            try await eventually("the nodes are told first") { has("node", "\"name\":\"center-b\"") }

            try await eventually("and the calls that are live") { has("call-started", 1.session.description) }

            _ = await fixture.store.submit(.open(SessionWrite(Given.checkpoint(2), under: owner)))
            try await eventually("a call starts") { has("call-started", 2.session.description) }
            let record = Given.checkpoint(2).record.closed(.caller, at: Given.start + .seconds(9_000))
            _ = await fixture.store.submit(.end(record, under: owner))
            try await eventually("a call ends") { has("call-ended", record.id.description) }
            await fixture.centers[0].kill()
            try await eventually("a node goes down") { has("node", "\"state\":\"down\"") }
            try await eventually("an alarm is raised") { has("alarm-raised", "\"code\":\"node-down\"") }
            #expect(fixture.node.desk.feed.listenerCount == 1)
            listening.cancel()
            // That a client is gone shows when something is written to it.
            try await eventually("the listener is forgotten") {
                fixture.node.desk.feed.publish("node", "anything")
                return fixture.node.desk.feed.listenerCount == 0
            }
        }
    }
}

extension UInt64 {
    fileprivate var session: SessionID { Given.session(self) }
}

extension Int {
    fileprivate var session: SessionID { Given.session(UInt64(self)) }
}
