import HTTPKit
import Primitives
import Routing
import Session
import Store
import Testing

@testable import Master

/// Two whole masters over one store and the same centers.
@Suite(.serialized) struct TwoMastersTests {
    /// master-a leads; master-b stands by and knows it.
    private func withTwo(
        centers names: [String] = ["center-a", "center-b"], secretOfSecond: String = MasterFixture.secret,
        _ body: (_ first: MasterFixture, _ second: MasterFixture) async throws -> Void
    ) async throws {
        let store = MemoryStore(id: "store-1")
        let centers = try names.map { try FakeNode($0) }
        let first = try await MasterFixture(watching: centers, store: store)
        try await first.waitUntilServing()
        let sip = try #require(first.node.endpoints.first)
        let second = try await MasterFixture(
            name: "master-b", watching: centers,
            others: [MasterFixture.Other(name: "master-a", sip: sip, http: first.http.endpoint)], store: store,
            secret: secretOfSecond)
        do {
            try await eventually("the standby sees all") {
                guard let report = await second.node.desk.report() else { return false }
                return report.nodes.filter { $0.state == .up }.count == names.count + 2
            }
            try await body(first, second)
        } catch {
            await second.stop()
            await first.stop()
            throw error
        }
        await second.stop()
        await first.stop()
    }

    @Test func aStandbyLeadsWhenTheLeaderStopsRenewing() async throws {
        try await withTwo { first, second in
            #expect(await second.node.desk.report()?.standing == .standby(leader: first.node.identity))
            #expect(second.node.desk.table.current.value == nil)
            await first.node.drainAndStop()
            try await eventually("the standby leads") {
                guard case .leading(2) = await second.node.desk.report()?.standing else { return false }
                return true
            }
            try await eventually("and publishes") { second.node.desk.table.current.value?.leaderEpoch == 2 }
        }
    }

    /// TAKEOVER, Detection: "a second witness (the other master, or an access node) must agree".
    @Test func theOtherMasterIsTheSecondWitness() async throws {
        try await withTwo { first, second in
            for center in second.centers { center.set { $0.isSilent = true } }
            // Two of the three that master-b watches; master-a watches two, and needs no witness.
            try await eventually("master-a has its verdict") { await first.state(of: "center-a") == .down }
            try await eventually("master-b has it too") { await second.state(of: "center-a") == .down }
            // It says that it was in doubt, and who would have been cut off.
            let alarms = try await second.get("/api/v1/alarms").decode([Alarm].self)
            #expect(alarms.contains { $0.code == .verdictHeld })
        }
    }

    /// CONTRACT, API: "at any master: reads are answered".
    @Test func theLeadersAlarmsAreInTheStandbysAnswer() async throws {
        try await withTwo { first, second in
            first.node.desk.alarms.raise(.callsLost, .critical, node: "center-a", "6 calls of center-a were lost")
            second.node.desk.alarms.raise(.verdictHeld, .major, node: "center-b", "seen here only")
            let alarms = try await second.get("/api/v1/alarms").decode([Alarm].self)
            #expect(alarms.contains { $0.code == .callsLost && $0.node == "center-a" })
            #expect(alarms.contains { $0.code == .verdictHeld && $0.message == "seen here only" })
        }
    }

    @Test func aMasterSaysWhatLooksDeadFromThere() async throws {
        try await withTwo { first, _ in
            first.centers[1].set { $0.isSilent = true }
            try await eventually("it says so") {
                try await first.get(WitnessDesk.path).decode(WitnessDesk.Testimony.self)
                    == WitnessDesk.Testimony(by: "master-a", dead: ["center-b"])
            }
        }
    }

    @Test func anOrderAtTheStandbyIsCarriedOutByTheLeader() async throws {
        try await withTwo { first, second in
            let answer = try await second.post("/api/v1/nodes/center-a/drain", token: second.token)
            #expect(answer.status == 202)
            try await eventually("the leader drains it") { await first.state(of: "center-a") == .draining }
            try await eventually("the standby knows") { await second.state(of: "center-a") == .draining }
            try await eventually("the center is told") { first.centers[0].state.notice?.want == .draining }
        }
    }

    /// On two machines each master makes a token of its own, unless both are given one: the client's is right here, and
    /// must not be told that it is wrong.
    @Test func mastersWithDifferentTokensSayThatTheyDiffer() async throws {
        try await withTwo(secretOfSecond: "00112233445566778899aabbccddeeff") { first, second in
            let words = "the leader, master-a, has another API token: give both masters the same secrets/api-token"
            let order = try await second.post("/api/v1/nodes/center-a/drain", token: second.token)
            #expect(order.status == 503)
            #expect(order.text.contains(words), "\(order.text)")
            #expect(await first.state(of: "center-a") == .up)
            let alarms = try await second.get("/api/v1/alarms")
            #expect(alarms.status == 503)
            #expect(alarms.text.contains(words), "\(alarms.text)")
            #expect(try await second.get("/api/v1/nodes").status == 200)
        }
    }

    /// Masters serve no calls: there is nothing to drain.
    @Test(arguments: ["master-a", "master-b"], ["drain", "disable", "enable"])
    func mastersTakeNoOrders(name: String, order: String) async throws {
        try await withTwo { _, second in
            let answer = try await second.post("/api/v1/nodes/\(name)/\(order)", token: second.token)
            #expect(answer.status == 409)
            #expect(answer.text.contains("only nodes that serve calls take orders"))
        }
    }
}
