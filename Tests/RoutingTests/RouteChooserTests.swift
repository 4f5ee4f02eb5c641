import Primitives
import Routing
import Testing

/// A chooser with this table in use.
func chooser(
    _ policy: RoutingPolicy, _ centers: [RouteEntry], lines: [String: RoutingPolicy] = [:],
    timings: PassiveTimings = PassiveTimings()
) -> RouteChooser {
    var chooser = RouteChooser(plan: RoutingPlan(policy, lines: lines), timings: timings)
    #expect(chooser.adopt(table(centers), now: .zero) == .adopted(fallen: .none))
    return chooser
}

extension RouteChooser {
    mutating func next(
        line: String = "95533", caller: String = "1000", excluding tried: CenterSet = .none,
        at now: MonotonicTime = .zero
    ) -> String? {
        choose(line: line, caller: caller, excluding: tried, now: now).flatMap { entry($0)?.name }
    }

    mutating func counts(_ calls: Int, at now: MonotonicTime = .zero) -> [String: Int] {
        var counts: [String: Int] = [:]
        for call in 0..<calls { counts[next(caller: "\(call)", at: now) ?? "none", default: 0] += 1 }
        return counts
    }

    func index(_ name: String) throws -> CenterIndex {
        try #require(liveCenter(named: name, incarnation: "k1"))
    }
}

@Suite struct RoutingPolicyTests {
    @Test func weightedKeepsExactProportions() {
        var chooser = chooser(.weighted, [entry("a", weight: 5), entry("b", weight: 3), entry("c", weight: 2)])
        for _ in 0..<20 { #expect(chooser.counts(10) == ["a": 5, "b": 3, "c": 2]) }
    }

    @Test func weightedInterleavesSmoothly() {
        var chooser = chooser(.weighted, [entry("a", weight: 5), entry("b", weight: 1), entry("c", weight: 1)])
        let order = (0..<7).compactMap { _ in chooser.next() }
        #expect(order == ["a", "a", "b", "a", "c", "a", "a"])
    }

    @Test func aRampingCenterGetsAGrowingShare() {
        let ramp = RampUp(elapsed: .zero, total: .seconds(10))
        let centers = [entry("a", weight: 100), entry("b", .ramping, weight: 100, ramp: ramp)]
        var early = chooser(.weighted, centers)
        #expect(early.counts(2_100) == ["a": 2_000, "b": 100])
        var half = chooser(.weighted, centers)
        #expect(half.counts(3_000, at: .ms(5_000)) == ["a": 2_000, "b": 1_000])
        // The ramp goes on where no master answers any more.
        var late = chooser(.weighted, centers)
        #expect(late.counts(2_000, at: .ms(60_000)) == ["a": 1_000, "b": 1_000])
    }

    @Test func homeComesFirstAndOthersByWeight() throws {
        var chooser = chooser(.homeFirst("b"), [entry("a", weight: 3), entry("b"), entry("c", weight: 1)])
        #expect(chooser.counts(50) == ["b": 50])
        let home = try chooser.index("b")
        var counts: [String: Int] = [:]
        for _ in 0..<40 {
            let name = chooser.next(excluding: CenterSet.none.inserting(home))
            counts[name ?? "none", default: 0] += 1
        }
        #expect(counts == ["a": 30, "c": 10])
    }

    @Test func aRampingHomeSharesWithTheOthers() {
        let ramp = RampUp(elapsed: .seconds(2), total: .seconds(10))
        var chooser = chooser(.homeFirst("a"), [entry("a", .ramping, ramp: ramp), entry("b")])
        #expect(chooser.counts(1_000) == ["a": 200, "b": 800])
        // Alone it takes everything.
        var alone = RouteChooser(plan: RoutingPlan(.homeFirst("a")))
        _ = alone.adopt(table([entry("a", .ramping, ramp: ramp), entry("b", .down)]), now: .zero)
        #expect(alone.counts(10) == ["a": 10])
    }

    @Test func leastLoadedFillsTheEmptiest() {
        var chooser = chooser(
            .leastLoaded, [entry("a", calls: 90, limit: 100), entry("b", calls: 100, limit: 200)])
        // The part in use with one call more counts: 91 % at a, and at b from the 82nd call on.
        #expect(chooser.counts(81) == ["b": 81])
        let rest = chooser.counts(15)
        #expect(rest["a"] == 5)
        #expect(rest["b"] == 10)
    }

    @Test func leastLoadedForgetsWhatATableAlreadyCounts() {
        var chooser = chooser(.leastLoaded, [entry("a", calls: 0, limit: 100), entry("b", calls: 10, limit: 100)])
        #expect(chooser.counts(10) == ["a": 10])
        _ = chooser.adopt(
            table([entry("a", calls: 5, limit: 100), entry("b", calls: 10, limit: 100)], generation: 2), now: .zero)
        #expect(chooser.counts(5) == ["a": 5])
    }

    @Test func leastLoadedWithoutLimitsGoesByWeight() {
        var chooser = chooser(.leastLoaded, [entry("a", weight: 100), entry("b", weight: 50)])
        #expect(chooser.counts(30) == ["a": 20, "b": 10])
    }

    @Test func hashKeepsACallerAtItsCenter() {
        var chooser = chooser(.hash, [entry("a"), entry("b"), entry("c")])
        for caller in 0..<50 {
            let first = chooser.next(caller: "\(caller)")
            for _ in 0..<5 { #expect(chooser.next(caller: "\(caller)") == first) }
        }
    }

    @Test func aLostCenterMovesOnlyItsOwnCallers() {
        var all = chooser(.hash, [entry("a"), entry("b"), entry("c")])
        var less = chooser(.hash, [entry("a"), entry("b", .down), entry("c")])
        var moved = 0
        for number in 0..<3_000 {
            let caller = "1380000\(number)"
            let before = all.next(caller: caller)
            let after = less.next(caller: caller)
            if before == "b" {
                moved += 1
                #expect(after != "b")
            } else {
                #expect(after == before)
            }
        }
        #expect((900...1_100).contains(moved))
    }

    @Test func hashFollowsTheWeights() {
        var chooser = chooser(.hash, [entry("a", weight: 300), entry("b", weight: 100)])
        let counts = chooser.counts(4_000)
        #expect((2_900...3_100).contains(counts["a"] ?? 0))
    }

    @Test func aGrowingShareMovesCallersOnlyTowardsTheGrowingCenter() {
        let ramp = RampUp(elapsed: .zero, total: .seconds(10))
        var chooser = chooser(.hash, [entry("a"), entry("b", .ramping, ramp: ramp)])
        for number in 0..<1_000 {
            let early = chooser.next(caller: "\(number)", at: .ms(2_000))
            let late = chooser.next(caller: "\(number)", at: .ms(8_000))
            if early == "b" { #expect(late == "b") }
        }
    }

    @Test func linesMayHaveTheirOwnPolicy() {
        var chooser = chooser(
            .homeFirst("a"), [entry("a"), entry("b")], lines: ["9196": .homeFirst("b"), "9664": .weighted])
        #expect((0..<4).map { _ in chooser.next() } == ["a", "a", "a", "a"])
        #expect((0..<4).map { _ in chooser.next(line: "9196") } == ["b", "b", "b", "b"])
        #expect(Set((0..<4).map { _ in chooser.next(line: "9664") }) == ["a", "b"])
    }

    @Test(arguments: [RoutingPolicy.weighted, .homeFirst("a"), .leastLoaded, .hash])
    func everyPolicyHonoursStatesAndExclusion(policy: RoutingPolicy) throws {
        var chooser = chooser(
            policy,
            [
                entry("a"), entry("b", .draining), entry("c", .disabled), entry("d", .down), entry("e"),
                entry("spare", weight: 0),
            ])
        let counts = chooser.counts(200)
        #expect(Set(counts.keys).isSubset(of: ["a", "e"]))
        var tried = CenterSet()
        var order: [String] = []
        while let next = chooser.choose(line: "1", caller: "1", excluding: tried, now: .zero) {
            order.append(chooser.entry(next)?.name ?? "")
            tried.insert(next)
        }
        #expect(Set(order.prefix(2)) == ["a", "e"])
        #expect(order.dropFirst(2) == ["spare"])
        #expect(tried.count == 3)
    }

    @Test func rankingNamesEachCenterOnceAndCountsOneCall() {
        var chooser = chooser(.weighted, [entry("a", weight: 2), entry("b", weight: 1), entry("c", .down)])
        let firsts = (0..<6).map { _ in
            let ranked = chooser.rank(line: "1", caller: "2", now: .zero).compactMap { chooser.entry($0)?.name }
            #expect(Set(ranked) == ["a", "b"])
            #expect(ranked.count == 2)
            return ranked[0]
        }
        #expect(firsts.count { $0 == "a" } == 4)
    }

    @Test func withoutATableThereIsNoRoute() {
        var chooser = RouteChooser(plan: RoutingPlan())
        #expect(chooser.next() == nil)
        #expect(chooser.rank(line: "1", caller: "1", now: .zero).isEmpty)
        #expect(!chooser.hasRoute)
    }
}

@Suite struct RouteAdoptionTests {
    @Test func aNewTableNamesTheCentersThatFell() throws {
        var chooser = chooser(.weighted, [entry("a"), entry("b"), entry("c"), entry("d", .down)])
        let (a, b, c) = (try chooser.index("a"), try chooser.index("b"), try chooser.index("c"))
        let adoption = chooser.adopt(
            table([entry("a", .down), entry("b", incarnation: "k2"), entry("d", .down)], generation: 2), now: .zero)
        #expect(adoption == .adopted(fallen: CenterSet.none.inserting(a).inserting(b).inserting(c)))
        #expect(chooser.adopt(table([], generation: 2), now: .zero) == .ignored)
        // An index stays good for whoever still holds it.
        #expect(chooser.entry(c)?.name == "c")
        #expect(!chooser.isLive(c))
        #expect(chooser.isLive(b))
        #expect(!chooser.isLive(a))
    }

    @Test func drainingIsNoFall() {
        var chooser = chooser(.weighted, [entry("a"), entry("b")])
        let next = table([entry("a", .draining), entry("b", .disabled)], generation: 2)
        #expect(chooser.adopt(next, now: .zero) == .adopted(fallen: .none))
        #expect(chooser.next() == nil)
        #expect(chooser.center(hashing: "call", now: .zero) != nil)
    }

    @Test func dialogsFindTheirCenterByTagAndContact() throws {
        let chooser = chooser(.weighted, [entry("center-a"), entry("center-b", .draining), entry("center-c", .down)])
        #expect(chooser.liveCenter(named: "center-b", incarnation: "k1") != nil)
        #expect(chooser.liveCenter(named: "center-b", incarnation: "k0") == nil)
        #expect(chooser.liveCenter(named: "center-c", incarnation: "k1") == nil)
        #expect(chooser.liveCenter(named: "other", incarnation: "k1") == nil)
        let dead = entry("center-c").sip[0]
        #expect(chooser.liveCenter(at: dead) == nil)
        #expect(chooser.center(at: dead) != nil)
        #expect(
            chooser.liveCenter(at: entry("center-a").sip[0]) == chooser.liveCenter(named: "center-a", incarnation: "k1")
        )
        // A table from a profile knows no incarnations.
        let young = RoutingChooserWithoutMaster.make()
        #expect(young.liveCenter(named: "center-a", incarnation: "anything") != nil)
    }

    enum RoutingChooserWithoutMaster {
        static func make() -> RouteChooser {
            var chooser = RouteChooser(plan: RoutingPlan())
            _ = chooser.adopt(RouteTable(profileCenters: [entry("center-a", incarnation: nil)]), now: .zero)
            return chooser
        }
    }

    @Test func aCallIDAlwaysGoesToTheSameLiveCenter() {
        let chooser = chooser(.weighted, [entry("a"), entry("b"), entry("c", .down)])
        var seen: Set<CenterIndex> = []
        for number in 0..<100 {
            let first = chooser.center(hashing: "call-\(number)@host", now: .zero)
            #expect(first == chooser.center(hashing: "call-\(number)@host", now: .zero))
            if let first { seen.insert(first) }
        }
        #expect(seen.count == 2)
    }

    @Test func manyCentersComeAndGoWithinTheLimit() {
        var chooser = RouteChooser(plan: RoutingPlan())
        for generation in 1...50 {
            let centers = (0..<8).map { entry("c\(generation)-\($0)") }
            _ = chooser.adopt(table(centers, generation: UInt64(generation)), now: .zero)
            #expect(Set(chooser.counts(80).values) == [10])
        }
    }
}

@Suite struct PassiveDetectionTests {
    @Test func threeUnansweredCallsMakeACenterSuspected() throws {
        var chooser = chooser(.weighted, [entry("a"), entry("b")])
        let a = try chooser.index("a")
        #expect(chooser.noteUnanswered(a, now: .zero) == false)
        #expect(chooser.noteUnanswered(a, now: .zero) == false)
        #expect(chooser.noteUnanswered(a, now: .zero) == true)
        #expect(chooser.isSuspected(a))
        #expect(chooser.counts(20, at: .ms(1_999)) == ["b": 20])
        // Said once, not with every further failure.
        #expect(chooser.noteUnanswered(a, now: .zero) == false)
    }

    @Test func anAnswerClearsTheCount() throws {
        var chooser = chooser(.weighted, [entry("a"), entry("b")])
        let a = try chooser.index("a")
        for _ in 0..<10 {
            #expect(chooser.noteUnanswered(a, now: .zero) == false)
            #expect(chooser.noteUnanswered(a, now: .zero) == false)
            chooser.noteAnswered(a, now: .zero)
        }
    }

    @Test func oneRefusalIsEnough() throws {
        var chooser = chooser(.weighted, [entry("a"), entry("b")])
        #expect(chooser.noteRefused(try chooser.index("a"), now: .zero) == true)
        #expect(chooser.counts(20) == ["b": 20])
    }

    @Test func aSuspectedCenterIsProbedByOneCallAtATime() throws {
        var chooser = chooser(.weighted, [entry("a"), entry("b")])
        let a = try chooser.index("a")
        _ = chooser.noteRefused(a, now: .zero)
        #expect(chooser.counts(20, at: .ms(2_000))["a"] == 1)
        // No outcome yet: nobody else goes there.
        #expect(chooser.counts(20, at: .ms(3_000)) == ["b": 20])
        _ = chooser.noteUnanswered(a, now: .ms(3_100))
        #expect(chooser.counts(20, at: .ms(5_000)) == ["b": 20])
        #expect(chooser.counts(20, at: .ms(5_100))["a"] == 1)
        // A probe that vanishes does not stop the probing.
        #expect(chooser.counts(20, at: .ms(7_200))["a"] == 1)
        chooser.noteAnswered(a, now: .ms(7_300))
        #expect(!chooser.isSuspected(a))
    }

    @Test func aCenterThatWasSuspectedRampsUp() throws {
        var chooser = chooser(.weighted, [entry("a"), entry("b")])
        let a = try chooser.index("a")
        _ = chooser.noteRefused(a, now: .zero)
        chooser.noteAnswered(a, now: .ms(2_000))
        let early = chooser.counts(100, at: .ms(2_500))["a"] ?? 0
        #expect((5...15).contains(early))
        #expect(chooser.counts(1_000, at: .ms(8_000))["a"] == 500)
    }

    @Test func whenAllAreSuspectedTheyAreTriedAllTheSame() throws {
        var chooser = chooser(.weighted, [entry("a"), entry("b")])
        _ = chooser.noteRefused(try chooser.index("a"), now: .zero)
        _ = chooser.noteRefused(try chooser.index("b"), now: .zero)
        #expect(chooser.next(at: .ms(1)) != nil)
    }

    @Test func theLastResortIsTriedUntilItFailsHereToo() throws {
        var chooser = RouteChooser(plan: RoutingPlan())
        _ = chooser.adopt(
            table([entry("a", .down), entry("b", .down, isLastResort: true)]), now: .zero)
        let choice = chooser.choose(line: "1", caller: "1", now: .zero)
        let b = try #require(choice)
        #expect(chooser.entry(b)?.name == "b")
        _ = chooser.noteRefused(b, now: .zero)
        #expect(chooser.next() == nil)
    }

    @Test func aNewIncarnationIsNotSuspectedForTheOldOne() throws {
        var chooser = chooser(.weighted, [entry("a"), entry("b")])
        let a = try chooser.index("a")
        _ = chooser.noteRefused(a, now: .zero)
        _ = chooser.adopt(table([entry("a", incarnation: "k2"), entry("b")], generation: 2), now: .zero)
        #expect(!chooser.isSuspected(a))
    }

    @Test func aTableThatStillSaysUpDoesNotClearSuspicion() throws {
        var chooser = chooser(.weighted, [entry("a"), entry("b")])
        let a = try chooser.index("a")
        _ = chooser.noteRefused(a, now: .zero)
        _ = chooser.adopt(table([entry("a"), entry("b")], generation: 2), now: .zero)
        #expect(chooser.isSuspected(a))
    }
}
