import Master
import Primitives
import Routing
import Session
import Testing

/// TAKEOVER, The old owner: "when a fence finds the file locked for 100 ms, the leader kills the node judged down".
@Suite struct PowerSwitchTests {
    private static let dead = MasterBench.identity("center-a", "k1")

    private func cuts(_ bench: MasterBench) -> [MasterAction] {
        bench.log.map(\.action).filter { if case .cutPower = $0 { true } else { false } }
    }

    /// center-a stopped inside a write: it is silent, and the store answers nobody who writes.
    private func frozenInsideAWrite() -> MasterBench {
        var bench = MasterBench(centers: ["center-a", "center-b", "center-c"])
        bench.run(until: .seconds(20))
        bench.log = []
        bench.nodes["center-a"]?.behaviour = .silent
        bench.store = .silent
        bench.run(until: .milliseconds(20_950))
        return bench
    }

    @Test func aLockedStoreEndsTheNodeThatIsJudgedDeadAndSilent() {
        var bench = frozenInsideAWrite()
        #expect(cuts(bench).isEmpty)
        bench.tell(.storeLocked)
        #expect(cuts(bench) == [.cutPower(Self.dead)])
        bench.tell(.storeLocked)
        #expect(cuts(bench).count == 1)
        bench.run(until: .seconds(24))
        bench.tell(.storeLocked)
        #expect(cuts(bench).count == 2)
    }

    @Test func whatWaitedForTheLockIsTriedAtOnce() throws {
        var bench = frozenInsideAWrite()
        bench.run(until: .seconds(22))
        guard case .cutOff = bench.core.standing else {
            Issue.record("it still leads: \(bench.core.standing)")
            return
        }
        bench.tell(.storeLocked)
        bench.store = .grants
        bench.log = []
        bench.tell(.powerCut(Self.dead))
        bench.run(until: .milliseconds(22_001))
        #expect(bench.fenced == [Self.dead])
    }

    @Test func aLockedStoreEndsNobodyWhoAnswers() {
        var bench = MasterBench(centers: ["center-a", "center-b", "center-c"])
        bench.run(until: .seconds(20))
        bench.tell(.storeLocked)
        #expect(cuts(bench).isEmpty)
    }

    /// Where the port is refused the process is gone, and its locks with it.
    @Test func whoIsRefusedIsNotEndedAgain() {
        var bench = MasterBench(centers: ["center-a", "center-b", "center-c"])
        bench.run(until: .seconds(20))
        bench.nodes["center-a"]?.behaviour = .refuses
        bench.run(until: .seconds(21))
        bench.tell(.storeLocked)
        #expect(cuts(bench).isEmpty)
    }

    @Test func theLastLiveCenterIsNotEnded() {
        var bench = MasterBench(centers: ["center-a"])
        bench.run(until: .seconds(20))
        bench.nodes["center-a"]?.behaviour = .silent
        bench.run(until: .seconds(22))
        #expect(bench.state("center-a") == .down)
        bench.tell(.storeLocked)
        #expect(cuts(bench).isEmpty)
    }

    @Test func aStandbyLeavesItToTheLeader() {
        var bench = MasterBench(centers: ["center-a", "center-b", "center-c"]) { settings in
            settings.nodes.append(
                WatchedNode(name: "master-b", role: .master, sip: [Endpoint(.v4(0x7F00_0001), port: 5_071)]))
        }
        bench.nodes["master-b"] = MasterBench.Node(incarnation: "m7")
        bench.store = .belongsTo(MasterBench.identity("master-b", "m7"), epoch: 4)
        bench.run(until: .seconds(20))
        bench.nodes["center-a"]?.behaviour = .silent
        bench.run(until: .seconds(22))
        bench.tell(.storeLocked)
        #expect(cuts(bench).isEmpty)
        // The leader itself is what stands still inside a write: nobody else can end it.
        bench.nodes["center-a"]?.behaviour = .answers
        bench.run(until: .seconds(40))
        bench.nodes["master-b"]?.behaviour = .silent
        bench.run(until: .seconds(42))
        bench.tell(.storeLocked)
        #expect(cuts(bench) == [.cutPower(MasterBench.identity("master-b", "m7"))])
    }
}
