import Foundation
import Master
import Primitives
import Routing
import Session
import Testing

@Suite struct MasterServiceTests {
    @Test func drainingIsPublishedRecordedAndUndone() throws {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        bench.log = []
        bench.tell(.ordered(node: "center-a", .draining, by: "ops"))
        #expect(bench.tables.last?.state("center-a") == .draining)
        #expect(
            bench.log.contains {
                $0.action == .recordOrder(node: "center-a", .draining, by: "ops", epoch: 1)
            })
        #expect(
            bench.log.contains {
                $0.action == .audit(AuditRecord(.order, node: "center-a", by: "ops", detail: "draining"))
            })
        #expect(try bench.report("center-a").reason == "draining by ops")
        // An answer of the store that is older than the order does not undo it.
        bench.tell(.administrativeStates([:]))
        #expect(bench.state("center-a") == .draining)
        bench.tell(.administrativeStates(["center-a": StandingOrder(.draining)]))
        bench.tell(.administrativeStates([:]))
        #expect(bench.state("center-a") == .up)
    }

    @Test func anOrderReachesTheNodeAtOnce() throws {
        var bench = MasterBench()
        bench.run(until: .milliseconds(20_020))
        bench.pings = []
        bench.tell(.ordered(node: "center-a", .draining, by: "ops"))
        #expect(bench.pings.map(\.order.node) == ["center-a"])
        #expect(bench.pings.first?.order.want == .draining)
        bench.tell(.ordered(node: "access-1", .disabled, by: "ops"))
        #expect(bench.pings.last?.order.node == "access-1")
        #expect(bench.pings.last?.order.want == .disabled)
    }

    @Test func aMasterTakesNoOrders() {
        var bench = MasterBench { settings in
            settings.nodes.append(
                WatchedNode(name: "master-b", role: .master, sip: [Endpoint(.v4(0x7F00_0001), port: 5_071)]))
        }
        bench.run(until: .seconds(2))
        bench.tell(.ordered(node: "master-b", .draining, by: "ops"))
        #expect(bench.log.last?.action == .refuseOrder(node: "master-b", .draining, .servesNoCalls))
    }

    @Test func ordersInTheStoreHoldForEveryMaster() {
        var bench = MasterBench()
        bench.tell(
            .administrativeStates([
                "center-b": StandingOrder(.disabled, by: "ops"), "gone": StandingOrder(.draining),
            ]))
        bench.run(until: .seconds(5))
        #expect(bench.state("center-b") == .disabled)
        #expect(bench.tables.last?.state("center-b") == .disabled)
        // Who ordered it is known at a master that was not asked, too.
        let reason = bench.core.nodeReports().first { $0.name == "center-b" }?.reason
        #expect(reason?.contains("disabled by ops") == true, "\(reason ?? "")")
    }

    @Test func ordersAreRefusedByAStandbyAndForUnknownNodes() {
        let other = MasterBench.identity("master-b", "n7")
        var bench = MasterBench()
        bench.store = .belongsTo(other, epoch: 4)
        bench.run(until: .seconds(5))
        bench.tell(.ordered(node: "center-a", .disabled, by: "ops"))
        #expect(bench.log.last?.action == .refuseOrder(node: "center-a", .disabled, .notLeading(leader: other)))
        bench.tell(.ordered(node: "center-z", .disabled, by: "ops"))
        #expect(bench.log.last?.action == .refuseOrder(node: "center-z", .disabled, .unknownNode))
        #expect(bench.state("center-a") == .up)
    }

    @Test func loadsArePublishedNowAndThen() {
        var bench = MasterBench()
        bench.nodes["center-a"]?.load = NodeLoad(calls: 0, limit: 500)
        bench.run(until: .seconds(20))
        let before = bench.tables.count
        for second in 0..<10 {
            for step in 0..<4 {
                bench.nodes["center-a"]?.load = NodeLoad(calls: second * 4 + step, limit: 500)
                bench.run(until: .milliseconds(20_000 + Int64(second) * 1_000 + Int64(step + 1) * 250))
            }
        }
        #expect((9...10).contains(bench.tables.count - before))
        #expect((bench.tables.last?.centers.first?.calls ?? 0) > 30)
        #expect(bench.tables.last?.centers.first?.limit == 500)
    }

    @Test func aRedirectNamesLiveCentersInPolicyOrder() throws {
        var bench = MasterBench { $0.routing = RoutingPlan(.homeFirst("center-b")) }
        bench.run(until: .seconds(5))
        func names(_ redirect: Redirect) -> [String] {
            if case .contacts(let targets) = redirect { targets.map(\.name) } else { [] }
        }
        #expect(names(bench.core.redirect(line: "95533", caller: "1", now: bench.now)) == ["center-b", "center-a"])
        bench.nodes["center-b"]?.behaviour = .refuses
        bench.run(until: .seconds(6))
        #expect(names(bench.core.redirect(line: "95533", caller: "1", now: bench.now)) == ["center-a"])
        bench.nodes["center-a"]?.behaviour = .refuses
        bench.run(until: .seconds(7))
        #expect(
            bench.core.redirect(line: "95533", caller: "1", now: bench.now) == .unavailable(retryAfter_s: 5))
    }

    @Test func redirectsShareByWeight() {
        var bench = MasterBench { $0.nodes[1].weight = 300 }
        bench.run(until: .seconds(5))
        var first: [String: Int] = [:]
        for _ in 0..<400 {
            if case .contacts(let targets) = bench.core.redirect(line: "1", caller: "2", now: bench.now) {
                first[targets[0].name, default: 0] += 1
            }
        }
        #expect(first == ["center-a": 300, "center-b": 100])
    }

    @Test func theNodeListHasTheShapeOfTheAPI() throws {
        var bench = MasterBench()
        bench.nodes["center-a"]?.load = NodeLoad(calls: 3, limit: 500)
        bench.run(until: .seconds(5))
        let data = try JSONEncoder().encode(bench.core.nodeReports())
        let list = try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
        #expect(list.compactMap { $0["name"] as? String } == ["access-1", "center-a", "center-b", "master-a"])
        for node in list {
            #expect(
                Set(node.keys) == [
                    "name", "role", "state", "reason", "since", "incarnation", "calls", "limit", "latency_ms",
                ])
        }
        let center = list[1]
        #expect(center["role"] as? String == "center")
        #expect(center["state"] as? String == "up")
        #expect(center["calls"] as? Int == 3)
        #expect(center["limit"] as? Int == 500)
        #expect(center["incarnation"] as? String == "k1")
        // The wall clock stood at 1,000 s when the master started.
        #expect((center["since"] as? String)?.hasPrefix("1970-01-01T00:16:40.") == true)
        #expect(list[2]["calls"] is NSNull)
        #expect(list[3]["reason"] as? String == "leads, epoch 1")
        bench.nodes["center-a"]?.behaviour = .refuses
        bench.run(until: .seconds(6))
        #expect(try bench.report("center-a").calls == nil)
    }

    /// What an access node says of itself counts requests, and its limit transactions.
    @Test func onlyNodesThatHoldCallsAreListedWithTheirs() throws {
        var bench = MasterBench()
        for name in ["access-1", "center-a"] { bench.nodes[name]?.load = NodeLoad(calls: 3, limit: 500) }
        bench.run(until: .seconds(5))
        let center = try bench.report("center-a")
        #expect(center.calls == 3 && center.limit == 500)
        let access = try bench.report("access-1")
        #expect(access.state == .up)
        #expect(access.calls == nil && access.limit == nil)
    }

    @Test func aMasterPassesOverItselfInItsList() throws {
        var bench = MasterBench {
            $0.nodes.insert(
                WatchedNode(name: "master-a", role: .master, sip: [Endpoint(.v4(0x7F00_0001), port: 5_070)]), at: 0)
        }
        bench.run(until: .seconds(5))
        #expect(!bench.pings.contains { $0.order.node == "master-a" })
        #expect(try bench.report("master-a").state == .up)
        #expect(bench.core.nodeReports().count == 4)
    }

    @Test func pingsOfManyNodesDoNotLeaveInOneBurst() {
        var bench = MasterBench(centers: (0..<50).map { "c\($0)" })
        bench.run(until: .seconds(10))
        bench.pings = []
        bench.run(until: .milliseconds(10_250))
        let bursts = Dictionary(grouping: bench.pings, by: \.at).values.map(\.count)
        #expect(bench.pings.count >= 50)
        #expect((bursts.max() ?? 0) <= 3)
    }
}
