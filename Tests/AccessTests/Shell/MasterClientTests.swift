import HTTPKit
import Logging
import NetworkIO
import Primitives
import Routing
import Synchronization
import Testing

@testable import Access

@Suite(.timeLimit(.minutes(10))) struct MasterClientTests {
    private let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// A master that has a table, and keeps what it is asked and told.
    private final class Master: Sendable {
        let tables: Published<RouteTable>
        let asked = Mutex<[String?]>([])
        let told: AsyncStream<String>
        private let tell: AsyncStream<String>.Continuation

        init(_ table: RouteTable) {
            tables = Published(table)
            (told, tell) = AsyncStream.makeStream(of: String.self)
        }

        func serve(at endpoint: Endpoint = Endpoint(.v4(0x7F00_0001), port: 0)) async throws -> HTTPService {
            let routes = WebRoutes()
            routes.get("/internal/v1/route-table") { [self] request in
                let held = request.query("after")
                asked.withLock { $0.append(held) }
                let current = tables.current
                let name = "\(current.value.storeID):\(current.value.leaderEpoch):\(current.value.generation)"
                if held != name { return .bytes(current.value.encodedJSON(), type: "application/json") }
                guard let next = await tables.next(after: current.number, within: .seconds(20)) else {
                    return .empty(304)
                }
                return .bytes(next.value.encodedJSON(), type: "application/json")
            }
            routes.post("/internal/v1/reports") { [self] request in
                tell.yield(String(decoding: request.body, as: UTF8.self))
                return .empty(202)
            }
            return try await HTTPService.start(at: endpoint, routes: routes, logger: Logger(label: "test"))
        }
    }

    @Test func everyPublishedTableArrives() async throws {
        let master = Master(Known.table(1, [.centerA]))
        let service = try await master.serve()
        let client = MasterClient(node: "access-1", masters: ["http://\(service.endpoint)"], log: log)
        let (arrived, arrive) = AsyncStream.makeStream(of: RouteTable.self)
        client.start { table in
            client.holds(table)
            arrive.yield(table)
        }
        var tables = arrived.makeAsyncIterator()
        #expect(await tables.next()?.generation == 1)
        master.tables.publish(Known.table(2, [.centerA, .centerB]))
        #expect(await tables.next()?.centers.count == 2)
        #expect(client.isHeard)
        #expect(master.asked.withLock { $0.first } == .some(nil))
        #expect(master.asked.withLock { $0.contains("s1:1:1") })
        client.stop()
    }

    @Test func deadMasterKeepsNobodyFromHearingALiveOne() async throws {
        let service = try await Master(Known.table(5, [.centerB])).serve()
        let client = MasterClient(
            // Nobody listens on port 1.
            node: "access-1", masters: ["http://127.0.0.1:1", "http://\(service.endpoint)"], log: log)
        let (arrived, arrive) = AsyncStream.makeStream(of: RouteTable.self)
        client.start { table in
            client.holds(table)
            arrive.yield(table)
        }
        var tables = arrived.makeAsyncIterator()
        #expect(await tables.next()?.generation == 5)
        client.stop()
    }

    /// The leader dies, the other master leads: its table comes by the connection that waited there all along.
    @Test func whenTheLeaderDiesTheOtherMastersTableArrives() async throws {
        let first = Master(Known.table(7, [.centerA, .centerB]))
        let second = Master(Known.table(7, [.centerA, .centerB]))
        let (dying, standby) = (try await first.serve(), try await second.serve())
        let client = MasterClient(
            node: "access-1", masters: ["http://\(dying.endpoint)", "http://\(standby.endpoint)"], log: log)
        let (arrived, arrive) = AsyncStream.makeStream(of: RouteTable.self)
        client.start { table in
            client.holds(table)
            arrive.yield(table)
        }
        var tables = arrived.makeAsyncIterator()
        #expect(await tables.next()?.leaderEpoch == 1)
        await dying.stop()
        second.tables.publish(RouteTable(storeID: "s1", leaderEpoch: 2, generation: 1, centers: [.centerB]))
        while let table = await tables.next(), table.leaderEpoch != 2 {}
        #expect(client.isHeard)
        client.stop()
        await standby.stop()
    }

    @Test func complaintReachesTheMasters() async throws {
        let master = Master(Known.table(1, [.centerA]))
        let service = try await master.serve()
        let client = MasterClient(node: "access-1", masters: ["http://\(service.endpoint)"], log: log)
        client.start { client.holds($0) }
        client.report("center-a")
        var told = master.told.makeAsyncIterator()
        #expect(await told.next() == #"{"by":"access-1","nodes":["center-a"]}"#)
        client.stop()
    }

    @Test func tableOfTheProfileIsNoneThatAMasterMade() async throws {
        let master = Master(Known.table(1, [.centerA]))
        let service = try await master.serve()
        let client = MasterClient(node: "access-1", masters: ["http://\(service.endpoint)"], log: log)
        client.holds(RouteTable(profileCenters: [.centerA]))
        let (arrived, arrive) = AsyncStream.makeStream(of: RouteTable.self)
        client.start { table in
            client.holds(table)
            arrive.yield(table)
        }
        var tables = arrived.makeAsyncIterator()
        #expect(await tables.next()?.generation == 1)
        #expect(master.asked.withLock { $0.first } == .some(nil))
        client.stop()
    }
}
