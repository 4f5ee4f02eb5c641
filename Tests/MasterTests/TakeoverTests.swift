import Foundation
import Master
import Primitives
import Routing
import Session
import Store
import Testing

/// After the fence: who is told, how long it is repeated, and what happens to what nobody takes.
@Suite struct TakeoverTests {
    static let dead = MasterBench.identity("center-a", "k1")

    /// Three centers; center-a holds `sessions` calls and is killed at 20 s.
    static func bench(
        sessions: Int = 3, heard: Duration = .seconds(19), configure: (inout MasterSettings) -> Void = { _ in }
    ) -> MasterBench {
        var bench = MasterBench(centers: ["center-a", "center-b", "center-c"], configure: configure)
        bench.run(until: .seconds(20))
        bench.owners = sessions == 0 ? [] : [owner(dead, sessions, heard: heard)]
        bench.log = []
        bench.pings = []
        bench.nodes["center-a"]?.behaviour = .refuses
        return bench
    }

    static func owner(
        _ identity: NodeIdentity, _ sessions: Int, fenced: Bool = true, heard: Duration = .seconds(19)
    ) -> SessionOwner {
        SessionOwner(
            identity: identity, sessions: sessions, isFenced: fenced,
            lastHeard: WallTime(milliseconds: 1_000_000) + heard)
    }

    static func isEnd(_ action: MasterAction) -> Bool { if case .takeoverEnded = action { true } else { false } }

    // MARK: Who is told

    /// TAKEOVER, Order of a takeover: 1. publish, 2. fence, 3. claim.
    @Test func survivorsAreToldAtTheMomentOfTheFence() throws {
        var bench = Self.bench()
        bench.run(until: .seconds(21))
        let fencedAt = try #require(bench.firstTime { if case .fence = $0 { true } else { false } })
        let publishedAt = try #require(bench.firstTime { if case .tableChanged = $0 { true } else { false } })
        #expect(publishedAt <= fencedAt)
        for name in ["center-b", "center-c"] {
            let told = try #require(bench.pings.first { $0.order.node == name && !$0.order.takeovers.isEmpty })
            #expect(told.at == fencedAt)
            #expect(
                told.order.takeovers
                    == [TakeoverNotice(node: "center-a", incarnation: "k1", leader: 1)])
            #expect(told.order.peers?.peers.map(\.node) == ["center-b", "center-c"])
            #expect(told.order.leader == 1)
        }
    }

    @Test func eachPingRepeatsItUntilTheStoreHoldsNoSessionOfTheDead() throws {
        var bench = Self.bench(sessions: 3)
        bench.run(until: .milliseconds(21_000))
        bench.owners = [Self.owner(Self.dead, 1)]
        bench.run(until: .milliseconds(22_000))
        bench.pings = []
        bench.run(until: .milliseconds(22_300))
        #expect(bench.pings.filter { $0.order.node == "center-b" }.allSatisfy { $0.order.takeovers.count == 1 })
        bench.owners = []
        bench.run(until: .milliseconds(22_600))
        bench.pings = []
        bench.run(until: .milliseconds(24_000))
        #expect(bench.pings.allSatisfy { $0.order.takeovers.isEmpty })
        let begun = bench.log.map(\.action).filter { if case .takeoverBegan = $0 { true } else { false } }
        #expect(begun == [.takeoverBegan(Self.dead, sessions: 3)])
        let outcomes = bench.log.compactMap {
            if case .takeoverEnded(_, let outcome) = $0.action { outcome } else { nil }
        }
        #expect(outcomes.map(\.taken) == [3])
        #expect(outcomes.map(\.lost) == [0])
    }

    @Test func aCenterThatHeldNoCallsMakesNoTakeover() {
        var bench = Self.bench(sessions: 0)
        bench.run(until: .seconds(25))
        #expect(bench.fenced == [Self.dead])
        #expect(!bench.log.contains { if case .takeoverBegan = $0.action { true } else { Self.isEnd($0.action) } })
    }

    /// Peers are centers that live and take over: up or ramping, never draining, disabled or down.
    @Test func drainingDisabledAndDeadCentersAreNoPeers() throws {
        var bench = MasterBench(centers: ["a", "b", "c", "d"])
        bench.run(until: .seconds(20))
        bench.tell(.ordered(node: "a", .draining, by: "test"))
        bench.tell(.ordered(node: "b", .disabled, by: "test"))
        bench.nodes["c"]?.behaviour = .refuses
        bench.run(until: .seconds(21))
        let last = try #require(bench.pings.last { $0.order.node == "d" })
        #expect(last.order.peers?.peers.map(\.node) == ["d"])
        // A draining center is told who could take its calls.
        let drained = try #require(bench.pings.last { $0.order.node == "a" })
        #expect(drained.order.want == .draining)
        #expect(drained.order.peers?.peers.map(\.node) == ["d"])
        // Access nodes have no business with it.
        #expect(bench.pings.filter { $0.order.node == "access-1" }.allSatisfy { $0.order.peers == nil })
    }

    @Test func aRampingCenterIsAPeerUnderItsNewIncarnation() throws {
        var bench = Self.bench()
        bench.nodes["center-a"]?.behaviour = .answers
        bench.nodes["center-a"]?.incarnation = "k2"
        bench.run(until: .seconds(21))
        #expect(bench.state("center-a") == .ramping)
        let last = try #require(bench.pings.last { $0.order.node == "center-b" })
        #expect(last.order.peers?.peer(named: "center-a")?.incarnation == "k2")
    }

    @Test func aPingNamesFourTakeoversAtMostTheEldestFirst() throws {
        let names = (0..<8).map { "center-\($0)" }
        var bench = MasterBench(centers: names)
        bench.run(until: .seconds(20))
        bench.owners = names.prefix(6).map { Self.owner(MasterBench.identity($0, "k0"), 2) }
        bench.run(until: .milliseconds(22_800))
        let last = try #require(bench.pings.last { $0.order.node == "center-7" })
        #expect(last.order.takeovers.map(\.node) == Array(names.prefix(4)))
    }

    /// I8: more than the limit wait in the store, where the next count finds them.
    @Test func takeoversAtOnceAreLimitedAndTheRestFollows() {
        var bench = MasterBench()
        bench.closesLost = true
        bench.owners = (0..<100).map { Self.owner(MasterBench.identity("gone-\($0)", "k1"), 1) }
        bench.run(until: .seconds(2))
        let begun = bench.log.filter { if case .takeoverBegan = $0.action { true } else { false } }
        #expect(begun.count == 64)
        bench.run(until: .seconds(20))
        #expect(bench.owners.isEmpty)
        #expect(bench.log.filter { Self.isEnd($0.action) }.count == 100)
    }

    // MARK: What nobody takes

    /// I4: "capacity is exceeded (CDR `lost` and an alarm)"; never silently.
    @Test func whatNobodyTakesForTwoSecondsIsClosedAsLost() throws {
        var bench = Self.bench(sessions: 5)
        bench.run(until: .milliseconds(21_800))
        #expect(bench.lost.isEmpty)
        bench.run(until: .seconds(23))
        #expect(bench.lost == [.closeLost(Self.dead, .nobodyTook)])
        let outcomes = bench.log.compactMap {
            if case .takeoverEnded(_, let outcome) = $0.action { outcome } else { nil }
        }
        #expect(outcomes.map(\.lost) == [5])
        #expect(outcomes.map(\.taken) == [0])
    }

    @Test func asLongAsTheNumberFallsNothingIsLost() {
        var bench = Self.bench(sessions: 20)
        for left in 1...19 {
            bench.owners = [Self.owner(Self.dead, 20 - left)]
            bench.run(until: .milliseconds(20_000 + Int64(left) * 1_500))
        }
        #expect(bench.lost.isEmpty)
        #expect(!bench.log.contains { Self.isEnd($0.action) })
    }

    @Test func fullCentersAreGivenUpSooner() throws {
        var bench = Self.bench()
        for name in ["center-b", "center-c"] { bench.nodes[name]?.load = NodeLoad(calls: 500, limit: 500) }
        bench.run(until: .milliseconds(22_000))
        #expect(bench.lost == [.closeLost(Self.dead, .centersFull)])
        let at = try #require(bench.firstTime { if case .closeLost = $0 { true } else { false } })
        #expect(at >= .ms(21_000))
    }

    /// Patience counts only while the store answers: takeovers wait for it.
    @Test func whileTheStoreIsSilentNothingIsGivenUp() {
        var bench = Self.bench()
        bench.run(until: .milliseconds(20_200))
        bench.store = .silent
        bench.run(until: .seconds(60))
        bench.store = .grants
        bench.run(until: .milliseconds(61_500))
        #expect(bench.lost.isEmpty)
        bench.run(until: .seconds(64))
        #expect(bench.lost == [.closeLost(Self.dead, .nobodyTook)])
    }

    /// A master cut off from the store leads no more: it tells nobody of takeovers, or who takes over.
    @Test func aLeaderCutOffFromTheStoreRunsNoTakeover() throws {
        var bench = Self.bench()
        bench.run(until: .milliseconds(20_500))
        bench.store = .silent
        bench.run(until: .milliseconds(21_600))
        bench.pings = []
        bench.run(until: .seconds(25))
        #expect(!bench.pings.isEmpty)
        #expect(
            bench.pings.allSatisfy { $0.order.takeovers.isEmpty && $0.order.peers == nil && $0.order.leader == nil })
    }

    /// TAKEOVER: "closed with CDR `lost` and no re-INVITE (a machine that was off does not call yesterday's ports)".
    @Test func sessionsOfAnOwnerSilentForTwoMinutesAreClosedWithoutTakeover() throws {
        var bench = MasterBench()
        let old = Self.owner(MasterBench.identity("center-a", "k0"), 4, heard: .seconds(-121))
        bench.owners = [old]
        bench.run(until: .seconds(5))
        #expect(bench.lost == [.closeLost(old.identity, .ownerLongSilent(since: old.lastHeard))])
        #expect(bench.pings.allSatisfy { $0.order.takeovers.isEmpty })
    }

    /// The civil clock was set by an hour; what the store says of the last heartbeat is an hour old at once.
    @Test(arguments: ["k1", "k2"]) func aClockThatWasSetLosesNoCalls(next: String) {
        var bench = Self.bench(sessions: 4)
        var core = bench.core
        core.setClock(wall: WallTime(milliseconds: 1_000_000) + .seconds(3_620), now: bench.now)
        bench.core = core
        if next == "k2" { bench.nodes["center-a"] = MasterBench.Node(incarnation: next) }
        bench.run(until: .milliseconds(21_500))
        #expect(bench.fenced == [Self.dead])
        #expect(bench.lost.isEmpty)
        #expect(bench.log.contains { $0.action == .takeoverBegan(Self.dead, sessions: 4) })
    }

    /// Where no other center lives, a restarted node gets its own former sessions once it is a peer.
    @Test func withoutAPeerATakeoverWaitsForOne() throws {
        var bench = MasterBench(centers: ["center-a"])
        bench.run(until: .seconds(20))
        bench.owners = [Self.owner(Self.dead, 3)]
        bench.nodes["center-a"]?.behaviour = .refuses
        bench.run(until: .seconds(40))
        #expect(bench.lost.isEmpty)
        bench.nodes["center-a"] = MasterBench.Node(incarnation: "k2")
        bench.run(until: .milliseconds(41_500))
        #expect(bench.fenced == [Self.dead])
        let told = try #require(bench.pings.last { $0.order.node == "center-a" && !$0.order.takeovers.isEmpty })
        #expect(told.order.peers?.peers.map(\.incarnation) == ["k2"])
        #expect(told.order.takeovers.map(\.incarnation) == ["k1"])
        #expect(bench.lost.isEmpty)
    }

    @Test func aTakeoverThatWaitsForAPeerEndsTwoMinutesAfterTheLastHeartbeat() throws {
        var bench = MasterBench(centers: ["center-a"])
        bench.run(until: .seconds(20))
        // Fenced by its next registration; that life died too.
        bench.owners = [Self.owner(MasterBench.identity("center-a", "k0"), 3)]
        bench.nodes["center-a"]?.behaviour = .silent
        bench.run(until: .seconds(138))
        #expect(bench.lost.isEmpty)
        bench.run(until: .seconds(141))
        #expect(bench.lost.count == 1)
    }

    /// Its last center is not fenced on a master's word alone; but when the store has not heard it for two minutes
    /// either, its callers are gone.
    @Test func aLastCenterThatNobodyHeardForTwoMinutesIsFencedAfterAll() {
        var bench = MasterBench(centers: ["center-a"])
        bench.run(until: .seconds(20))
        bench.owners = [Self.owner(Self.dead, 3, fenced: false)]
        bench.nodes["center-a"]?.behaviour = .silent
        bench.run(until: .seconds(130))
        #expect(bench.fenced.isEmpty)
        bench.run(until: .seconds(150))
        #expect(bench.fenced == [Self.dead])
    }

    @Test func whatCouldNotBeClosedIsTriedAgainAndNotOfferedAnyMore() {
        var bench = MasterBench()
        bench.closesLost = false
        let old = Self.owner(MasterBench.identity("center-a", "k0"), 4, heard: .seconds(-300))
        bench.owners = [old]
        bench.run(until: .seconds(3))
        #expect(bench.lost.count == 1)
        bench.tell(.closed(old.identity, lost: 1))
        bench.run(until: .seconds(4))
        #expect(bench.lost.count == 2)
        #expect(bench.pings.allSatisfy { $0.order.takeovers.isEmpty })
    }

    /// A row that nobody can read, or a store without space: tried again ever more seldom, never without a pause.
    @Test func whatCannotBeClosedIsTriedEverMoreSeldom() {
        var bench = MasterBench()
        bench.closesLost = false
        let old = Self.owner(MasterBench.identity("center-a", "k0"), 4, heard: .seconds(-300))
        bench.owners = [old]
        bench.refusesToClose = true
        bench.run(until: .seconds(60))
        let times = bench.log.filter { if case .closeLost = $0.action { true } else { false } }.map(\.at)
        let pauses = zip(times.dropFirst(), times).map { $0 - $1 }
        #expect(times.count < 14, "\(times.count) times in a minute")
        #expect(pauses.allSatisfy { $0 >= .milliseconds(250) })
        #expect(pauses.last ?? .zero >= .seconds(10))
        // What was refused for so long is closed once it can be.
        bench.refusesToClose = false
        bench.closesLost = true
        bench.run(until: .seconds(75))
        #expect(bench.owners.isEmpty)
    }

    /// A master that claimed sessions to close them, and could not end them, ends them later; one that died so, too.
    @Test func sessionsThatAMasterClaimedAreClosedByWhoLeads() {
        var bench = MasterBench()
        let earlier = MasterBench.identity("master-a", "m0")
        bench.owners = [Self.owner(MasterBench.me, 1, fenced: false), Self.owner(earlier, 1)]
        bench.run(until: .seconds(2))
        #expect(bench.lost.contains(.closeLost(MasterBench.me, .claimedToClose)))
        #expect(bench.lost.contains(.closeLost(earlier, .claimedToClose)))
        #expect(bench.pings.allSatisfy { $0.order.takeovers.isEmpty })
    }

    // MARK: Leaders that change

    /// A standby takes over what the leader left half done.
    @Test func aNewLeaderGoesOnWithTheTakeoversOfTheOldOne() throws {
        var bench = MasterBench()
        let other = MasterBench.identity("master-b", "m7")
        bench.store = .belongsTo(other, epoch: 4)
        bench.owners = [Self.owner(MasterBench.identity("center-c", "k9"), 7)]
        bench.run(until: .seconds(20))
        #expect(bench.counts == 0)
        bench.pings = []
        bench.store = .grants
        bench.epoch = 5
        bench.run(until: .milliseconds(20_600))
        let told = try #require(bench.pings.first { !$0.order.takeovers.isEmpty })
        #expect(told.order.takeovers == [TakeoverNotice(node: "center-c", incarnation: "k9", leader: 5)])
        let leads = try #require(bench.firstTime { if case .standingChanged(.leading) = $0 { true } else { false } })
        #expect(told.at - leads <= .milliseconds(1))
    }

    /// Both masters and a center died; the master that comes back never heard that center, the store did.
    @Test func aCenterThatDiedWhileNoMasterWatchedIsFencedByTheStoresWord() throws {
        var bench = MasterBench(centers: ["center-a", "center-b"])
        bench.nodes["center-a"]?.behaviour = .silent
        bench.owners = [Self.owner(Self.dead, 3, fenced: false, heard: .seconds(-1))]
        bench.run(until: .milliseconds(1_900))
        #expect(bench.fenced.isEmpty, "its heartbeats are not missing for long enough")
        bench.run(until: .milliseconds(4_500))
        #expect(bench.fenced == [Self.dead])
        let told = try #require(bench.pings.last { $0.order.node == "center-b" && !$0.order.takeovers.isEmpty })
        #expect(told.order.takeovers.map(\.incarnation) == ["k1"])
    }

    @Test func theOnlyCenterIsNotFencedByTheStoresWord() {
        var bench = MasterBench(centers: ["center-a"])
        bench.nodes["center-a"]?.behaviour = .silent
        bench.owners = [Self.owner(Self.dead, 3, fenced: false, heard: .seconds(-1))]
        bench.run(until: .seconds(30))
        #expect(bench.fenced.isEmpty)
    }

    @Test func whoStopsLeadingForgetsItsTakeovers() {
        var bench = Self.bench()
        bench.run(until: .milliseconds(20_500))
        bench.store = .belongsTo(MasterBench.identity("master-b", "m7"), epoch: 9)
        bench.run(until: .seconds(21))
        bench.pings = []
        bench.counts = 0
        bench.run(until: .seconds(30))
        #expect(bench.counts == 0)
        #expect(bench.lost.isEmpty)
        #expect(bench.pings.allSatisfy { $0.order.takeovers.isEmpty && $0.order.leader == nil })
    }

    /// The lease may end while the loop stands still: what is sent next must not be said in the leader's name.
    @Test func aLeaderThatStoodStillSaysNothingInTheLeadersName() {
        var bench = Self.bench()
        bench.run(until: .milliseconds(20_500))
        bench.pings = []
        bench.store = .silent
        bench.now = .zero + .seconds(26)
        bench.tell(.reported(node: "center-b", by: "access-1"))
        #expect(!bench.pings.isEmpty)
        #expect(bench.pings.allSatisfy { $0.order.leader == nil && $0.order.takeovers.isEmpty })
    }

    /// A standby must not take an incarnation for live that the leader fenced.
    @Test func aStandbyLearnsOfFencesFromTheStore() throws {
        var bench = MasterBench()
        bench.store = .belongsTo(MasterBench.identity("master-b", "m7"), epoch: 4)
        bench.run(until: .seconds(20))
        bench.tell(.fencedInStore([Self.dead]))
        bench.run(until: .seconds(30))
        #expect(bench.state("center-a") == .down)
        let last = try #require(bench.pings.last { $0.order.node == "center-a" })
        #expect(last.order.live == nil)
        #expect(last.order.fenced == "k1")
        bench.nodes["center-a"]?.incarnation = "k2"
        bench.run(until: .seconds(60))
        #expect(bench.state("center-a") == .up)
        // The row of the old life, read late, changes nothing.
        bench.tell(.fencedInStore([Self.dead]))
        #expect(bench.state("center-a") == .up)
    }
}
