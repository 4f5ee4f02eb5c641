import HTTPKit
import Primitives
import Routing
import Testing

@testable import Master

@Suite(.serialized) struct RouteTableServiceTests {
    private static let path = "/internal/v1/route-table"

    private static func key(_ table: RouteTable) -> String {
        "\(table.storeID):\(table.leaderEpoch):\(table.generation)"
    }

    @Test func theTableIsGivenAtOnceToWhoHasNone() async throws {
        try await MasterFixture.run { (fixture) async throws in
            let answer = try await fixture.get(Self.path, token: nil)
            #expect(answer.status == 200)
            let table = try RouteTable(json: answer.body)
            #expect(table.storeID == "store-1")
            #expect(table.centers.map(\.name) == ["center-a", "center-b"])
            #expect(table.centers.map(\.incarnation) == ["k1", "k1"])
            #expect(table.centers.first?.sip == [fixture.centers[0].endpoint])
        }
    }

    @Test func whoHasTheNewestWaitsAndIsToldThatNothingChanged() async throws {
        try await MasterFixture.run { (fixture) async throws in
            let table = try RouteTable(json: try await fixture.get(Self.path, token: nil).body)
            let began = ContinuousClock.now
            let answer = try await fixture.get("\(Self.path)?after=\(Self.key(table))", token: nil)
            #expect(answer.status == 304)
            #expect(answer.body.isEmpty)
            #expect(ContinuousClock.now - began >= .milliseconds(300))
        }
    }

    /// Nothing happened, so there is nothing to publish, however often the master looks at its clock.
    @Test func aQuietSystemKeepsItsTable() async throws {
        try await MasterFixture.run { (fixture) async throws in
            let before = try #require(fixture.node.desk.table.current.value)
            let pings = fixture.centers[0].state.pings
            try await eventually("many looks later") { fixture.centers[0].state.pings > pings + 20 }
            #expect(fixture.node.desk.table.current.value == before)
        }
    }

    @Test func aChangeEndsTheWaiting() async throws {
        try await MasterFixture.run(configure: { $0.longPoll = .seconds(20) }) { (fixture) async throws in
            let table = try RouteTable(json: try await fixture.get(Self.path, token: nil).body)
            async let waiting = fixture.get("\(Self.path)?after=\(Self.key(table))", token: nil, within: .seconds(15))
            await fixture.centers[0].kill()
            let answer = try await waiting
            #expect(answer.status == 200)
            let next = try RouteTable(json: answer.body)
            #expect(next.supersedes(table))
            #expect(next.centers.first?.state == .down)
        }
    }

    /// A cut-off leader must not feed old tables to an access node that knows a newer leader: it would ask again at
    /// once, for ever.
    @Test func whoHoldsANewerTableIsLeftInPeace() async throws {
        try await MasterFixture.run { (fixture) async throws in
            #expect(try await fixture.get("\(Self.path)?after=store-1:999:1", token: nil).status == 304)
            #expect(try await fixture.get("\(Self.path)?after=another:999:1", token: nil).status == 200)
        }
    }

    @Test(arguments: ["x", "a:b", "store-1:1:x", "store-1:-1:2", "store-1:1:99999999999999999999999"])
    func aMalformedKeyIsRefused(_ key: String) async throws {
        try await MasterFixture.run { (fixture) async throws in
            #expect(try await fixture.get("\(Self.path)?after=\(key)", token: nil).status == 400)
        }
    }

    @Test func aStoreIDMayHoldColons() {
        let held = RouteTableService.Held("a:b:7:12")
        #expect(held?.storeID == "a:b" && held?.leaderEpoch == 7 && held?.generation == 12)
    }

    @Test func aReportOfDoubtIsTakenChangesNoStateByItselfAndMustBeWellFormed() async throws {
        try await MasterFixture.run { (fixture) async throws in
            let body = #"{"by":"access-1","nodes":["center-a","center-z"]}"#
            #expect(try await fixture.post("/internal/v1/reports", token: nil, body: body).status == 202)
            #expect(await fixture.state(of: "center-a") == .up)
            for wrong in ["", "{}", #"{"by":"access-1","nodes":[]}"#, #"{"by":"A B","nodes":["center-a"]}"#] {
                #expect(try await fixture.post("/internal/v1/reports", token: nil, body: wrong).status == 400)
            }
        }
    }
}
