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

    /// The other masters are asked as long as a verdict waits, and only then.
    @Test func whileAVerdictIsHeldWitnessesAreAsked() {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        func asked() -> Int { bench.log.filter { $0.action == .askWitnesses }.count }
        #expect(asked() == 0)
        bench.nodes["center-a"]?.behaviour = .silent
        bench.nodes["center-b"]?.behaviour = .silent
        bench.run(until: .seconds(23))
        #expect((8...12).contains(asked()))
        for name in bench.nodes.keys { bench.nodes[name]?.behaviour = .answers }
        bench.run(until: .seconds(24))
        bench.log = []
        bench.run(until: .seconds(30))
        #expect(asked() == 0)
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
        #expect((7...10).contains(bench.fenced.count))
        bench.fences = .fenced
        bench.run(until: .seconds(23))
        let count = bench.fenced.count
        bench.run(until: .seconds(60))
        #expect(bench.fenced.count == count)
    }

    /// The store refuses who leads no more: no failure that anybody has to look at.
    @Test func aFenceThatIsRefusedAfterTheLeadWasLostIsNoNews() {
        var bench = MasterBench()
        bench.run(until: .seconds(20))
        bench.fences = .failed(reason: "locked")
        bench.nodes["center-a"]?.behaviour = .refuses
        bench.run(until: .seconds(21))
        func failures() -> Int {
            bench.log.count { if case .audit(let record) = $0.action { record.kind == .fenceFailed } else { false } }
        }
        let told = failures()
        #expect(told > 0)
        bench.store = .belongsTo(MasterBench.identity("master-b", "m1"), epoch: 2)
        bench.run(until: .seconds(23))
        #expect(bench.core.standing.writingEpoch == nil)
        let afterwards = failures()
        bench.tell(.fenceSettled(MasterBench.identity("center-a", "k1"), .failed(reason: "not the leader")))
        #expect(failures() == afterwards)
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
        // Routing waits for no fence; that it is done is another table.
        #expect(bench.tables.map(\.leaderEpoch) == [5, 5])
        #expect(bench.tables.map(\.generation) == [1, 2])
        #expect(bench.tables.map { $0.state("center-a") } == [.down, .down])
        #expect(bench.tables.map { $0.centers.first { $0.name == "center-a" }?.fenced } == [nil, "k1"])
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
        // The second says that center-a is fenced.
        #expect(bench.tables.last?.generation == 2)
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
