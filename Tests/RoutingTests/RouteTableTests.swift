import Primitives
import Routing
import Testing

func entry(
    _ name: String, _ state: NodeState = .up, weight: Int = 100, calls: Int = 0, limit: Int = 0, ramp: RampUp? = nil,
    incarnation: String? = "k1", isLastResort: Bool = false
) -> RouteEntry {
    let port = UInt16(5_000 + name.utf8.reduce(0) { $0 + Int($1) })
    return RouteEntry(
        name: name, incarnation: incarnation, sip: [Endpoint(.v4(0x7F00_0001), port: port)], state: state,
        weight: weight, calls: calls, limit: limit, ramp: ramp, isLastResort: isLastResort)
}

func table(
    _ centers: [RouteEntry], store: String = "s", epoch: UInt64 = 1, generation: UInt64 = 1
) -> RouteTable {
    RouteTable(storeID: store, leaderEpoch: epoch, generation: generation, centers: centers)
}

@Suite struct RouteTableTests {
    struct Order: Sendable, CustomTestStringConvertible {
        var offered: (String, UInt64, UInt64)
        var current: (String, UInt64, UInt64)?
        var isTaken: Bool
        var testDescription: String { "\(offered) over \(String(describing: current))" }
    }

    @Test(arguments: [
        Order(offered: ("s", 1, 1), current: nil, isTaken: true),
        Order(offered: ("s", 1, 2), current: ("s", 1, 1), isTaken: true),
        Order(offered: ("s", 1, 1), current: ("s", 1, 1), isTaken: false),
        Order(offered: ("s", 1, 1), current: ("s", 1, 2), isTaken: false),
        Order(offered: ("s", 2, 1), current: ("s", 1, 900), isTaken: true),
        Order(offered: ("s", 1, 900), current: ("s", 2, 1), isTaken: false),
        Order(offered: ("new", 1, 1), current: ("s", 7, 7), isTaken: true),
        Order(offered: ("profile", 0, 0), current: ("s", 1, 1), isTaken: false),
        Order(offered: ("s", 1, 1), current: ("profile", 0, 0), isTaken: true),
        Order(offered: ("profile", 0, 0), current: nil, isTaken: true),
        Order(offered: ("profile", 0, 0), current: ("profile", 0, 0), isTaken: false),
    ])
    func tablesAreOrderedByStoreEpochAndGeneration(order: Order) {
        func make(_ number: (String, UInt64, UInt64)) -> RouteTable {
            table([], store: number.0, epoch: number.1, generation: number.2)
        }
        #expect(make(order.offered).supersedes(order.current.map(make)) == order.isTaken)
    }

    @Test func aTableSurvivesItsOwnJSON() throws {
        var full = entry("center-a", .ramping, weight: 30, calls: 12, limit: 500)
        full.ramp = RampUp(elapsed: .milliseconds(1_500), total: .seconds(10))
        full.reason = "3 answers in a row"
        full.since = try #require(WallTime("2026-03-01T08:15:30.250Z"))
        full.sip.append(try #require(Endpoint("[2001:db8::1]:5060")))
        let original = table(
            [full, entry("center-b", .down, incarnation: nil, isLastResort: true)], epoch: .max, generation: 9)
        #expect(try RouteTable(json: original.encodedJSON()) == original)
        #expect(original.encodedJSON() == original.encodedJSON())
    }

    @Test(arguments: [
        ("{", "JSON"), ("[]", "array"), (#"{"store":"s","epoch":1,"generation":1}"#, "no \"centers\""),
        (#"{"store":"","epoch":1,"generation":1,"centers":[]}"#, "store"),
        (#"{"store":"s","epoch":-1,"generation":1,"centers":[]}"#, "JSON"),
        (
            #"{"store":"s","epoch":1,"generation":1,"centers":[{"name":"A","sip":["127.0.0.1:1"],"state":"up","weight":1,"calls":0,"limit":0}]}"#,
            "no node name"
        ),
        (
            #"{"store":"s","epoch":1,"generation":1,"centers":[{"name":"a","sip":["x:1"],"state":"up","weight":1,"calls":0,"limit":0}]}"#,
            "no address:port"
        ),
        (
            #"{"store":"s","epoch":1,"generation":1,"centers":[{"name":"a","sip":[],"state":"up","weight":1,"calls":0,"limit":0}]}"#,
            "endpoints"
        ),
        (
            #"{"store":"s","epoch":1,"generation":1,"centers":[{"name":"a","sip":["127.0.0.1:1"],"state":"up","weight":1001,"calls":0,"limit":0}]}"#,
            "1001 is not in 0...1000"
        ),
        (
            #"{"store":"s","epoch":1,"generation":1,"centers":[{"name":"a","sip":["127.0.0.1:1"],"state":"asleep","weight":1,"calls":0,"limit":0}]}"#,
            "centers.[0].state"
        ),
    ])
    func whatIsNoTableIsRefusedWithItsPlace(json: String, place: String) {
        do throws(RouteTableError) {
            _ = try RouteTable(json: Array(json.utf8))
            Issue.record("taken")
        } catch {
            #expect(error.description.contains(place), "\(error)")
        }
    }

    @Test func tooManyCentersOrBytesAreRefused() {
        let many = table((0...RouteTable.centerLimit).map { entry("c\($0)") })
        #expect(throws: RouteTableError.self) { try RouteTable(json: many.encodedJSON()) }
        let names = table([entry("a"), entry("a")])
        #expect(throws: RouteTableError.self) { try RouteTable(json: names.encodedJSON()) }
        #expect(throws: RouteTableError.self) {
            try RouteTable(json: Array(repeating: 32, count: RouteTable.byteLimit + 1))
        }
    }

    @Test func aTableFromDiskKeepsStatesButNoLoads() {
        let kept = table([
            entry("a", .ramping, calls: 7, ramp: RampUp(elapsed: .seconds(1), total: .seconds(9))), entry("b", .down),
        ]).restoredFromDisk()
        #expect(kept.centers.map(\.state) == [.up, .down])
        #expect(kept.centers.map(\.calls) == [0, 0])
        #expect(kept.centers.allSatisfy { $0.ramp == nil })
    }

    /// The masters of a store that was restored from a backup count their epochs on from there.
    @Test func aTableFromDiskGivesWayToAnyThatAMasterPublishes() throws {
        let written = table([entry("a")], epoch: 9, generation: 4)
        let kept = written.restoredFromDisk()
        let older = table([entry("a"), entry("b")], epoch: 3, generation: 1)
        #expect(older.supersedes(kept))
        #expect(written.supersedes(kept))
        #expect(!older.supersedes(written))
        #expect(!RouteTable(profileCenters: [entry("a")]).supersedes(kept))
        #expect(kept == written && kept.hashValue == written.hashValue)
        #expect(kept.encodedJSON() == written.encodedJSON())
        #expect(try !RouteTable(json: kept.encodedJSON()).isProvisional)
    }

    @Test func onlyLoadsMayWaitToBePublished() {
        let one = table([entry("a", calls: 1)], generation: 1)
        #expect(!table([entry("a", calls: 50)], generation: 2).differsInRoutes(from: one))
        #expect(table([entry("a", .draining)], generation: 2).differsInRoutes(from: one))
        #expect(table([entry("a", incarnation: "k2")], generation: 2).differsInRoutes(from: one))
        #expect(table([entry("a")], epoch: 2).differsInRoutes(from: one))
    }
}
