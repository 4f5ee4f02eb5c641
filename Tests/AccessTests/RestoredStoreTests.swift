import HTTPKit
import Logging
import NetworkIO
import Primitives
import Routing
import SIP
import Synchronization
import Testing

@testable import Access

/// A store that was restored from a backup keeps its id and counts its leaders' epochs on from an earlier one.
@Suite(.timeLimit(.minutes(10))) struct RestoredStoreTests {
    private let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func table(_ epoch: UInt64, _ generation: UInt64) -> RouteTable {
        RouteTable(storeID: "s1", leaderEpoch: epoch, generation: generation, centers: [.centerA, .centerB])
    }

    /// A master that has one table, for whoever names none.
    private final class Master: Sendable {
        let asked = Mutex<[String?]>([])
        private let tables: Published<RouteTable>

        init(_ table: RouteTable) { tables = Published(table) }

        func serve() async throws -> HTTPService {
            let routes = WebRoutes()
            routes.get("/internal/v1/route-table") { [self] request in
                let held = request.query("after")
                asked.withLock { $0.append(held) }
                let current = tables.current
                guard held == nil else {
                    _ = await tables.next(after: current.number, within: .seconds(20))
                    return .empty(304)
                }
                return .bytes(current.value.encodedJSON(), type: "application/json")
            }
            return try await HTTPService.start(
                at: Endpoint(.v4(0x7F00_0001), port: 0), routes: routes, logger: Logger(label: "test"))
        }
    }

    @Test func afterAStartTheFirstTableOfAnyMasterIsTaken() throws {
        var stage = try AccessStage()
        stage.core = AccessCore(
            settings: stage.core.settings, table: Self.table(9, 4).restoredFromDisk(),
            tokens: Known.tokens(incarnation: "z1"), seed: 7, now: .zero)
        stage.tell(.table(Self.table(3, 1)))
        // From then on an old master convinces nobody.
        stage.tell(.table(Self.table(2, 8)))
        stage.tell(.table(Self.table(3, 2)))
        #expect(stage.adopted == [Self.table(3, 1), Self.table(3, 2)])
    }

    @Test func theTableFromDiskIsNotNamedToTheMasters() async throws {
        let master = Master(Self.table(3, 1))
        let service = try await master.serve()
        let client = MasterClient(node: "access-1", masters: ["http://\(service.endpoint)"], log: log)
        client.holds(Self.table(9, 4).restoredFromDisk())
        let (arrived, arrive) = AsyncStream.makeStream(of: RouteTable.self)
        client.start { table in
            client.holds(table)
            arrive.yield(table)
        }
        var tables = arrived.makeAsyncIterator()
        #expect(await tables.next()?.leaderEpoch == 3)
        #expect(master.asked.withLock { $0.first } == .some(nil))
        client.stop()
    }
}
