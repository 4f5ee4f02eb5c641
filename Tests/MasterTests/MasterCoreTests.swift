import Foundation
import Master
import Primitives
import Routing
import Session
import Testing

@Suite struct MasterDetectionTests {
    @Test func aHealthySystemIsPublishedOnceAndStaysQuiet() throws {
        var bench = MasterBench()
        bench.run(until: .seconds(30))
        #expect(bench.tables.count == 1)
        let table = try #require(bench.tables.first)
        #expect(table.storeID == "store-1")
        #expect(table.leaderEpoch == 1)
        #expect(table.generation == 1)
        #expect(table.centers.map(\.name) == ["center-a", "center-b"])
        #expect(table.centers.allSatisfy { $0.state == .up && $0.incarnation == "k1" })
        #expect(bench.fenced.isEmpty)
        #expect(bench.state("access-1") == .up)
    }

    /// TAKEOVER: 1. publish, 2. fence.
    @Test func aKilledCenterIsOutOfTheTableThenFencedWithin300Milliseconds() throws {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        bench.log = []
        bench.nodes["center-a"]?.behaviour = .refuses
        bench.run(until: .seconds(21))
        let published = try #require(bench.log.firstIndex { if case .tableChanged = $0.action { true } else { false } })
        let fenced = try #require(bench.log.firstIndex { if case .fence = $0.action { true } else { false } })
        #expect(published < fenced)
        #expect(bench.log[fenced].at <= .ms(20_300))
        #expect(bench.tables.last?.state("center-a") == .down)
        #expect(bench.fenced == [MasterBench.identity("center-a", "k1")])
        #expect(bench.states(of: "center-a") == [.down])
        #expect(try bench.report("center-a").reason == "port refused 2 times (ICMP)")
    }

    @Test func aFrozenCenterIsFoundWithinASecond() throws {
        var bench = MasterBench()
        bench.run(until: .milliseconds(20_010))
        bench.nodes["center-b"]?.behaviour = .silent
        bench.run(until: .milliseconds(21_010))
        #expect(bench.state("center-b") == .down)
        #expect(bench.fenced == [MasterBench.identity("center-b", "k1")])
    }

    @Test func any503IsALifeSign() {
        var bench = MasterBench()
        bench.nodes["center-a"]?.status = 503
        bench.run(until: .seconds(5))
        #expect(bench.state("center-a") == .up)
        bench.nodes["center-a"]?.status = 100
        bench.run(until: .seconds(7))
        #expect(bench.state("center-a") == .down)
    }

    @Test func aQuickRestartIsSeenAndTheOldLifeFenced() throws {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        bench.log = []
        bench.nodes["center-a"]?.incarnation = "k2"
        bench.run(until: .seconds(21))
        #expect(bench.states(of: "center-a") == [.down, .ramping])
        #expect(bench.fenced == [MasterBench.identity("center-a", "k1")])
        #expect(bench.tables.map { $0.state("center-a") } == [.down, .ramping])
        #expect(bench.tables.last?.centers.first?.incarnation == "k2")
        #expect(bench.tables.last?.centers.first?.ramp != nil)
        bench.run(until: .seconds(40))
        #expect(bench.tables.last?.state("center-a") == .up)
    }

    @Test func aReportBringsAPingButNoVerdict() {
        var bench = MasterBench()
        bench.run(until: .milliseconds(20_100))
        bench.pings = []
        bench.log = []
        for _ in 0..<50 { bench.tell(.reported(node: "center-a", by: "access-1")) }
        #expect(bench.pings.map(\.order.node) == ["center-a"])
        #expect(bench.state("center-a") == .up)
        #expect(bench.log.isEmpty)
    }

    // MARK: The observer itself

    @Test func aStarvedMasterAccusesNobody() {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        bench.log = []
        // The machine stalls: pings go out, nothing comes back, the loop runs at last five seconds late, many times.
        for name in bench.nodes.keys { bench.nodes[name]?.behaviour = .silent }
        for turn in 1...10 {
            bench.run(until: .milliseconds(20_000 + Int64(turn) * 5_300 - 5_000))
            bench.freeze(until: .milliseconds(20_000 + Int64(turn) * 5_300))
        }
        #expect(bench.fenced.isEmpty)
        #expect(["access-1", "center-a", "center-b"].allSatisfy { bench.state($0) == .up })
    }

    @Test func theShellMayDeclareStarvationToo() {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        bench.nodes["center-a"]?.behaviour = .silent
        for step in 1...20 {
            bench.run(until: .milliseconds(20_000 + Int64(step) * 300))
            bench.tell(.starved)
        }
        #expect(bench.state("center-a") == .up)
        bench.run(until: .seconds(28))
        #expect(bench.state("center-a") == .down)
    }

    @Test func mostNodesFallingSilentNeedASecondWitness() throws {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        bench.log = []
        bench.nodes["center-a"]?.behaviour = .silent
        bench.nodes["center-b"]?.behaviour = .silent
        bench.run(until: .seconds(25))
        #expect(bench.fenced.isEmpty)
        #expect(bench.state("center-a") == .up)
        #expect(try bench.report("center-a").reason.hasSuffix("awaits a second witness"))
        #expect(
            bench.log.filter { if case .audit(let record) = $0.action { record.kind == .verdictHeld } else { false } }
                .count == 2)
        bench.tell(.reported(node: "center-a", by: "access-1"))
        #expect(bench.state("center-a") == .down)
        #expect(bench.fenced == [MasterBench.identity("center-a", "k1")])
        #expect(bench.state("center-b") == .up)
        bench.tell(.witnessed(node: "center-b", by: "master-b"))
        #expect(bench.state("center-b") == .down)
    }

    @Test func aHeldVerdictIsDroppedWhenTheNetworkReturns() {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        bench.log = []
        for name in bench.nodes.keys { bench.nodes[name]?.behaviour = .silent }
        bench.run(until: .seconds(40))
        for name in bench.nodes.keys { bench.nodes[name]?.behaviour = .answers }
        bench.run(until: .seconds(60))
        #expect(bench.tables.isEmpty)
        #expect(bench.fenced.isEmpty)
        #expect(bench.states(of: "center-a").isEmpty)
    }

    @Test func aSilentNodeIsStillCondemnedWhileAnotherLosesOnePing() {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        bench.nodes["center-a"]?.behaviour = .silent
        bench.run(until: .milliseconds(20_600))
        bench.nodes["center-b"]?.behaviour = .silent
        bench.run(until: .milliseconds(20_900))
        bench.nodes["center-b"]?.behaviour = .answers
        bench.run(until: .milliseconds(21_600))
        #expect(bench.state("center-a") == .down)
        #expect(bench.state("center-b") == .up)
    }

    @Test func refusalsAreTheirOwnWitness() {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        for name in bench.nodes.keys { bench.nodes[name]?.behaviour = .refuses }
        bench.run(until: .seconds(21))
        #expect(bench.nodes.keys.allSatisfy { bench.state($0) == .down })
    }

    // MARK: Fences

    @Test func theLastLiveCenterIsNeverFenced() throws {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        bench.nodes["center-a"]?.behaviour = .refuses
        bench.run(until: .seconds(22))
        bench.nodes["center-b"]?.behaviour = .refuses
        bench.run(until: .seconds(60))
        #expect(bench.fenced == [MasterBench.identity("center-a", "k1")])
        let last = try #require(bench.tables.last?.centers.last)
        #expect(last.state == .down)
        #expect(last.isLastResort)
        #expect(last.reason.hasSuffix("the last live center, so not fenced"))
        // Once another one lives, its sessions may be taken over.
        bench.nodes["center-a"]?.behaviour = .answers
        bench.nodes["center-a"]?.incarnation = "k2"
        bench.run(until: .seconds(62))
        #expect(bench.fenced.last == MasterBench.identity("center-b", "k1"))
        #expect(bench.tables.last?.centers.last?.isLastResort == false)
    }

    @Test func aLastCenterThatAnswersAgainWasNeverFenced() {
        var bench = MasterBench(centers: ["center-a"], access: [])
        bench.run(until: .seconds(20))
        bench.nodes["center-a"]?.behaviour = .silent
        bench.run(until: .seconds(25))
        #expect(bench.state("center-a") == .down)
        bench.nodes["center-a"]?.behaviour = .answers
        bench.run(until: .seconds(26))
        #expect(bench.state("center-a") == .ramping)
        #expect(bench.fenced.isEmpty)
        #expect(bench.tables.last?.centers.first?.isLastResort == false)
    }

    @Test func accessNodesAreWatchedButNotFenced() {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        bench.nodes["access-1"]?.behaviour = .refuses
        bench.run(until: .seconds(21))
        #expect(bench.state("access-1") == .down)
        #expect(bench.fenced.isEmpty)
        #expect(bench.tables.count == 1)
    }

    @Test func aFencedCenterThatWakesIsToldAndStaysOutUntilItsNextLife() throws {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        bench.nodes["center-a"]?.behaviour = .silent
        bench.run(until: .seconds(22))
        bench.nodes["center-a"]?.behaviour = .answers
        bench.run(until: .seconds(30))
        #expect(bench.state("center-a") == .down)
        let ping = try #require(bench.pings.last { $0.order.node == "center-a" }?.order)
        #expect(ping.fenced == "k1")
        #expect(ping.live == nil)
        #expect(try #require(bench.pings.last { $0.order.node == "center-b" }?.order).live == "k1")
        bench.nodes["center-a"]?.incarnation = "k2"
        bench.run(until: .milliseconds(30_900))
        #expect(bench.state("center-a") == .down, "hold-down after a wrong fence")
        bench.run(until: .seconds(32))
        #expect(bench.state("center-a") == .ramping)
        #expect(bench.fenced == [MasterBench.identity("center-a", "k1")])
    }

    @Test func aFenceThatFailsIsAskedForAgain() {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        bench.fences = .failed(reason: "locked")
        bench.nodes["center-a"]?.behaviour = .refuses
        bench.run(until: .seconds(22))
        #expect((3...5).contains(bench.fenced.count))
        bench.fences = .fenced
        bench.run(until: .seconds(23))
        let count = bench.fenced.count
        bench.run(until: .seconds(60))
        #expect(bench.fenced.count == count)
    }

    @Test func aFenceWithoutOutcomeIsAskedForAgain() {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        bench.store = .silent
        bench.nodes["center-a"]?.behaviour = .refuses
        bench.run(until: .milliseconds(20_400))
        #expect(bench.fenced.count == 1)
        bench.store = .grants
        bench.run(until: .seconds(30))
        #expect(bench.fenced.count == 2)
    }
}

@Suite struct MasterLeadershipTests {
    private let other = MasterBench.identity("master-b", "n7")

    @Test func aStandbyJudgesButPublishesAndFencesNothing() {
        var bench = MasterBench()
        bench.store = .belongsTo(other, epoch: 4)
        bench.run(until: .seconds(20))
        bench.nodes["center-a"]?.behaviour = .refuses
        bench.run(until: .seconds(21))
        #expect(bench.state("center-a") == .down)
        #expect(bench.tables.isEmpty)
        #expect(bench.fenced.isEmpty)
        #expect(bench.core.standing == .standby(leader: other))
    }

    @Test func aNewLeaderActsAtOnceOnWhatItSawStandingBy() {
        var bench = MasterBench()
        bench.store = .belongsTo(other, epoch: 4)
        bench.run(until: .seconds(20))
        bench.nodes["center-a"]?.behaviour = .refuses
        bench.run(until: .seconds(25))
        bench.store = .grants
        bench.epoch = 5
        bench.run(until: .milliseconds(25_250))
        #expect(bench.tables.count == 1)
        #expect(bench.tables.first?.leaderEpoch == 5)
        #expect(bench.tables.first?.generation == 1)
        #expect(bench.tables.first?.state("center-a") == .down)
        #expect(bench.fenced == [MasterBench.identity("center-a", "k1")])
    }

    @Test func aStandbyThatHearsOfAFenceDoesNotRepeatIt() {
        var bench = MasterBench()
        bench.store = .belongsTo(other, epoch: 4)
        bench.run(until: .seconds(20))
        bench.nodes["center-a"]?.behaviour = .refuses
        bench.run(until: .seconds(21))
        bench.tell(.fenceSettled(MasterBench.identity("center-a", "k1"), .fenced))
        bench.store = .grants
        bench.run(until: .seconds(22))
        #expect(bench.fenced.isEmpty)
        // And a node that was fenced by the other one does not come back here either.
        bench.nodes["center-a"]?.behaviour = .answers
        bench.run(until: .seconds(30))
        #expect(bench.state("center-a") == .down)
    }

    /// TAKEOVER: routing never waits for the store.
    @Test func aLeaderWithoutItsStorePublishesButFencesNobody() {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        bench.store = .silent
        bench.run(until: .seconds(22))
        #expect(bench.core.standing == .cutOff(epoch: 1))
        bench.nodes["center-a"]?.behaviour = .refuses
        bench.run(until: .seconds(25))
        #expect(bench.tables.last?.state("center-a") == .down)
        #expect(bench.tables.last?.leaderEpoch == 1)
        #expect(bench.fenced.isEmpty)
        bench.store = .grants
        bench.epoch = 2
        bench.run(until: .seconds(27))
        #expect(bench.core.standing == .leading(epoch: 2))
        #expect(bench.fenced == [MasterBench.identity("center-a", "k1")])
        #expect(bench.tables.last?.leaderEpoch == 2)
        #expect(bench.tables.last?.generation == 1)
    }

    @Test func aLeaderThatLostItsLeasePublishesNoMore() {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        bench.store = .belongsTo(other, epoch: 2)
        bench.run(until: .seconds(21))
        bench.log = []
        bench.nodes["center-a"]?.behaviour = .refuses
        bench.run(until: .seconds(25))
        #expect(bench.tables.isEmpty)
        #expect(bench.fenced.isEmpty)
    }

    @Test func withoutAStoreIDNothingIsPublished() {
        let settings = MasterSettings(identity: MasterBench.me, nodes: [])
        var core = MasterCore(settings, now: .zero, wall: .epoch)
        var actions: [MasterAction] = []
        core.fire(now: .zero, into: &actions)
        core.handle(.leaseReply(number: 1, .held(by: MasterBench.me, epoch: 1)), now: .zero, into: &actions)
        #expect(!actions.contains { if case .tableChanged = $0 { true } else { false } })
        core.handle(.storeIdentified("s"), now: .zero, into: &actions)
        #expect(actions.contains { if case .tableChanged = $0 { true } else { false } })
    }

    @Test func aFreshMasterPublishesNothingBeforeItHasJudgedEveryCenter() throws {
        var bench = MasterBench()
        bench.nodes["center-b"]?.behaviour = .silent
        bench.run(until: .milliseconds(400))
        #expect(bench.state("center-a") == .up)
        #expect(bench.tables.isEmpty)
        bench.run(until: .seconds(2))
        let table = try #require(bench.tables.first)
        #expect(table.state("center-a") == .up)
        #expect(table.state("center-b") == .down)
        #expect(bench.fenced.isEmpty)
    }
}

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
        bench.tell(.administrativeStates(["center-a": .draining]))
        bench.tell(.administrativeStates([:]))
        #expect(bench.state("center-a") == .up)
    }

    @Test func ordersInTheStoreHoldForEveryMaster() {
        var bench = MasterBench()
        bench.tell(.administrativeStates(["center-b": .disabled, "gone": .draining]))
        bench.run(until: .seconds(5))
        #expect(bench.state("center-b") == .disabled)
        #expect(bench.tables.last?.state("center-b") == .disabled)
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
