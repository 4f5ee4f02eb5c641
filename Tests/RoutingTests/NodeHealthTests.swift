import Primitives
import Routing
import Testing

@Suite struct NodeHealthTests {
    @Test func threeAnswersBringANodeUp() {
        var bench = HealthBench()
        #expect(bench.health.state == .down)
        #expect(!bench.health.isJudged)
        bench.run(until: .milliseconds(199))
        #expect(bench.health.state == .down)
        let said = bench.run(until: .milliseconds(200))
        #expect(said == [.changed(.up, reason: "3 answers in a row")])
        #expect(bench.health.since == .ms(200))
        #expect(bench.pings == [.ms(0), .ms(100), .ms(200)])
    }

    @Test func aNodeThatIsUpIsPingedAtTheNormalInterval() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.pings = []
        bench.run(until: .milliseconds(1_200))
        #expect(bench.pings == [.ms(450), .ms(700), .ms(950), .ms(1_200)])
    }

    @Test func aSilentNodeIsDownAfterThreeMissesAndHalfASecond() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.behaviour = .silent
        bench.pings = []
        let said = bench.run(until: .milliseconds(900))
        // Pings at 450, then every 100 ms from the first time-out on: 700, 800; their time-outs end at 950, 1050.
        #expect(said.isEmpty)
        #expect(bench.pings == [.ms(450), .ms(700), .ms(800), .ms(900)])
        let later = bench.run(until: .milliseconds(1_100))
        let reason = "3 pings unanswered, silent for 850 ms"
        #expect(later == [.looksDead(.silence, reason: reason), .changed(.down, reason: reason)])
        #expect(bench.health.reason == reason)
        #expect(bench.health.since == .ms(1_050))
    }

    @Test func threeMissesAreNotEnoughBeforeHalfASecondOfSilence() {
        var timings = DetectionTimings()
        timings.interval = .milliseconds(40)
        timings.doubtInterval = .milliseconds(20)
        timings.timeout = .milliseconds(30)
        var bench = HealthBench(timings)
        bench.run(until: .milliseconds(200))
        let last = bench.pings.last ?? .zero
        bench.behaviour = .silent
        let said = bench.run(until: .milliseconds(199) + .milliseconds(300))
        #expect(said.isEmpty)
        bench.run(until: .milliseconds(800))
        #expect(bench.health.state == .down)
        #expect(bench.health.since - last >= .milliseconds(500))
        #expect(bench.health.since - last < .milliseconds(540))
    }

    @Test func oneLostPingDoesNotMatter() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.behaviour = .silent
        bench.run(until: .milliseconds(460))
        bench.behaviour = .answers
        #expect(bench.run(until: .seconds(5)).isEmpty)
        #expect(bench.health.state == .up)
    }

    @Test func aLateAnswerIsALifeSign() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.behaviour = .silent
        bench.run(until: .milliseconds(1_000))
        bench.tell { health, now, actions in
            health.answered(.init(token: 4, incarnation: "k1", load: nil), now: now, into: &actions)
        }
        #expect(bench.run(until: .milliseconds(1_400)).isEmpty)
        #expect(bench.health.state == .up)
    }

    @Test func twoRefusalsTakeANodeDownWithin300Milliseconds() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.behaviour = .refuses
        let said = bench.run(until: .milliseconds(500))
        let reason = "port refused 2 times (ICMP)"
        #expect(said == [.looksDead(.refusal, reason: reason), .changed(.down, reason: reason)])
        #expect(bench.health.since == .ms(470))
    }

    @Test func refusalsOfOneMomentCountOnce() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        for _ in 0..<5 { bench.tell { $0.refused(now: $1, into: &$2) } }
        #expect(bench.health.state == .up)
        bench.now = .ms(219)
        bench.tell { $0.refused(now: $1, into: &$2) }
        #expect(bench.health.state == .up)
        bench.now = .ms(220)
        bench.tell { $0.refused(now: $1, into: &$2) }
        #expect(bench.health.state == .down)
    }

    @Test func anAnswerBetweenRefusalsClearsThem() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.tell { $0.refused(now: $1, into: &$2) }
        bench.run(until: .milliseconds(300))
        bench.tell { $0.refused(now: $1, into: &$2) }
        #expect(bench.run(until: .seconds(2)).isEmpty)
        #expect(bench.health.state == .up)
    }

    @Test func aReportOnlyBringsAPing() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.pings = []
        bench.now = .ms(300)
        for _ in 0..<10 { bench.tell { health, now, _ in health.reported(now: now) } }
        #expect(bench.run(until: .milliseconds(300)).isEmpty)
        #expect(bench.pings == [.ms(300)])
        #expect(bench.health.state == .up)
    }

    @Test func aNodeThatNeverAnsweredIsJudgedWithoutAVerdict() {
        var bench = HealthBench()
        bench.behaviour = .silent
        let said = bench.run(until: .seconds(1))
        #expect(said == [.changed(.down, reason: "never answered")])
        #expect(bench.health.isJudged)
    }

    // MARK: The observer

    @Test func aStarvedObserverAccusesNobody() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.behaviour = .silent
        bench.run(until: .milliseconds(1_000))
        // One miss from the verdict the observer stops for a minute, then runs again.
        bench.now = .ms(61_000)
        bench.tell { health, now, _ in health.observerStarved(now: now) }
        #expect(bench.tell { $0.fire(now: $1, into: &$2) }.isEmpty)
        bench.behaviour = .answers
        #expect(bench.run(until: .seconds(62)).isEmpty)
        #expect(bench.health.state == .up)
    }

    @Test func afterStarvationDeathIsStillFound() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.behaviour = .silent
        bench.now = .ms(10_000)
        bench.tell { health, now, _ in health.observerStarved(now: now) }
        bench.run(until: .milliseconds(11_000))
        #expect(bench.health.state == .down)
        #expect(bench.health.since >= .ms(10_500))
    }

    // MARK: Restarts and fences

    @Test func aNewIncarnationIsNewsOfARestart() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.incarnation = "k2"
        let said = bench.run(until: .milliseconds(450))
        #expect(said == [.restarted(old: "k1", new: "k2"), .changed(.down, reason: "restarted as k2")])
        let later = bench.run(until: .milliseconds(650))
        #expect(later == [.changed(.ramping, reason: "3 answers in a row")])
        #expect(bench.health.incarnation == "k2")
    }

    @Test func anAnswerOfTheOldIncarnationThatWasOvertakenIsIgnored() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.incarnation = "k2"
        bench.run(until: .milliseconds(700))
        let said = bench.tell { health, now, actions in
            health.answered(.init(token: 2, incarnation: "k1", load: nil), now: now, into: &actions)
        }
        #expect(said.isEmpty)
        #expect(bench.health.incarnation == "k2")
    }

    private func deadAndFenced() -> HealthBench {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.behaviour = .silent
        bench.run(until: .milliseconds(1_100))
        bench.tell { health, now, actions in
            health.fenceRequested("k1")
            health.fenceSettled("k1", isFenced: true, now: now, into: &actions)
        }
        return bench
    }

    @Test func aFencedIncarnationNeverComesBack() {
        var bench = deadAndFenced()
        bench.behaviour = .answers
        bench.run(until: .seconds(20))
        #expect(bench.health.state == .down)
        #expect(bench.health.reason == "fenced but answering; waits for a new incarnation")
        #expect(bench.health.fenced == "k1")
    }

    @Test func aFenceByAnotherMasterIsNoAnswerOfTheDeadNode() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.behaviour = .refuses
        bench.tell { $0.fenceSettled("k1", isFenced: true, now: $1, into: &$2) }
        #expect(bench.health.state == .down)
        #expect(bench.health.reason == "fenced")
        bench.run(until: .seconds(2))
        #expect(bench.health.reason == "port refused 2 times (ICMP)")
    }

    @Test func theSilenceOfWhatWasFencedIsToldAndItsAnswersAsWell() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.tell { $0.fenceSettled("k1", isFenced: true, now: $1, into: &$2) }
        bench.run(until: .seconds(1))
        #expect(bench.health.reason == "fenced but answering; waits for a new incarnation")
        bench.behaviour = .silent
        bench.run(until: .seconds(3))
        #expect(bench.health.reason.hasPrefix("3 pings unanswered"))
        bench.behaviour = .answers
        bench.run(until: .seconds(5))
        #expect(bench.health.reason == "fenced but answering; waits for a new incarnation")
        #expect(bench.health.state == .down)
    }

    @Test func aRightlyFencedNodeReturnsWithoutHoldDown() {
        var bench = deadAndFenced()
        bench.incarnation = "k2"
        bench.behaviour = .answers
        bench.run(until: .seconds(2))
        #expect(bench.health.state == .ramping)
        #expect(bench.health.since < .ms(1_600))
    }

    @Test func eachWrongFenceDoublesTheHoldDown() {
        var bench = deadAndFenced()
        var waits: [Duration] = []
        for turn in 2...4 {
            bench.behaviour = .answers
            bench.run(until: .milliseconds(Int64(turn) * 100_000))
            bench.incarnation = "k\(turn)"
            bench.run(until: .milliseconds(Int64(turn) * 100_000 + 60_000))
            #expect(bench.health.state == .up)
            let back = bench.health.since - .ms(Int64(turn) * 100_000) - .seconds(10)
            waits.append(back)
            let incarnation = "k\(turn)"
            bench.behaviour = .silent
            bench.run(until: .milliseconds(Int64(turn) * 100_000 + 70_000))
            bench.tell { health, now, actions in
                health.fenceSettled(incarnation, isFenced: true, now: now, into: &actions)
            }
        }
        let expected: [Duration] = [.seconds(1), .seconds(2), .seconds(4)]
        for (wait, least) in zip(waits, expected) {
            #expect(wait >= least)
            #expect(wait < least + .milliseconds(400))
        }
    }

    @Test func aNodeWaitsForTheOutcomeOfItsFence() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.behaviour = .silent
        bench.run(until: .milliseconds(1_100))
        bench.tell { health, _, _ in health.fenceRequested("k1") }
        bench.behaviour = .answers
        bench.run(until: .seconds(3))
        #expect(bench.health.state == .down)
        // The store did not do it, so the incarnation may live on.
        bench.tell { $0.fenceSettled("k1", isFenced: false, now: $1, into: &$2) }
        bench.run(until: .seconds(4))
        #expect(bench.health.state == .ramping)
    }

    // MARK: Use

    @Test func aReturningNodeRampsUp() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.behaviour = .refuses
        bench.run(until: .seconds(2))
        bench.behaviour = .answers
        bench.run(until: .seconds(3))
        #expect(bench.health.state == .ramping)
        let start = bench.health.since
        #expect(bench.health.ramp(at: start)?.share() == RampUp.firstShare)
        #expect(bench.health.ramp(at: start + .seconds(5))?.share() == 0.5)
        let said = bench.run(until: .seconds(14))
        #expect(said == [.changed(.up, reason: "ramp-up done")])
        #expect(bench.health.since == start + .seconds(10))
        #expect(bench.health.ramp(at: bench.now) == nil)
    }

    @Test func nobodyRampsAtAColdStart() {
        var bench = HealthBench()
        bench.behaviour = .silent
        bench.run(until: .seconds(2))
        bench.behaviour = .answers
        bench.run(until: .seconds(3))
        #expect(bench.health.state == .up)
        var late = HealthBench()
        late.behaviour = .silent
        late.run(until: .seconds(20))
        late.behaviour = .answers
        late.run(until: .seconds(21))
        #expect(late.health.state == .ramping)
    }

    @Test func operatorsOrdersShowAtOnceAndOutliveADeath() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        let drained = bench.tell { $0.administer(.draining, reason: "drained by ops", now: $1, into: &$2) }
        #expect(drained == [.changed(.draining, reason: "drained by ops")])
        bench.behaviour = .refuses
        bench.run(until: .seconds(1))
        #expect(bench.health.state == .down)
        bench.behaviour = .answers
        bench.run(until: .seconds(2))
        #expect(bench.health.state == .draining)
        #expect(bench.health.reason.hasSuffix("answers in a row; drained by ops"))
        bench.tell { $0.administer(.disabled, reason: "disabled by ops", now: $1, into: &$2) }
        #expect(bench.health.state == .disabled)
        bench.tell { $0.administer(.enabled, reason: "enabled by ops", now: $1, into: &$2) }
        #expect(bench.health.state.takesNewCalls)
    }

    @Test func aNodeMayDrainByItself() {
        var bench = HealthBench()
        bench.run(until: .milliseconds(200))
        bench.load = NodeLoad(calls: 3, limit: 10, isDraining: true)
        #expect(bench.run(until: .milliseconds(450)) == [.changed(.draining, reason: "draining by itself")])
        #expect(bench.health.load?.calls == 3)
    }

    @Test func aVerdictThatNobodyConfirmsIsDroppedByAnAnswer() {
        var bench = HealthBench()
        bench.condemns = false
        bench.run(until: .milliseconds(200))
        bench.behaviour = .silent
        let said = bench.run(until: .seconds(3))
        #expect(said.count == 1)
        #expect(bench.health.state == .up)
        #expect(bench.health.isDoubted)
        bench.behaviour = .answers
        #expect(bench.run(until: .seconds(4)) == [.recovered])
        #expect(!bench.health.isDoubted)
    }

    @Test func pingsUnderWayAreLimited() {
        var timings = DetectionTimings()
        timings.timeout = .seconds(10)
        timings.interval = .milliseconds(20)
        timings.doubtInterval = .milliseconds(20)
        var bench = HealthBench(timings)
        bench.behaviour = .silent
        bench.run(until: .seconds(9))
        #expect(bench.pings.count == 16)
    }
}

@Suite struct NodeLoadTests {
    @Test(arguments: [
        ("calls=12;limit=500;state=up", NodeLoad(calls: 12, limit: 500)),
        (" calls = 0 ; limit=0;state=draining;new=1", NodeLoad(calls: 0, limit: 0, isDraining: true)),
        ("limit=500;calls=12", NodeLoad(calls: 12, limit: 500)),
    ])
    func readsWhatNodesSay(text: String, load: NodeLoad) {
        #expect(NodeLoad(headerValue: text) == load)
        #expect(NodeLoad(headerValue: load.headerValue) == load)
    }

    @Test(arguments: [
        "", "calls=12", "calls=-1;limit=5", "calls=1;limit=99999999", "calls=1;calls=2;limit=3", "calls=١;limit=1",
        String(repeating: "x", count: 300),
    ])
    func refusesWhatIsNoLoad(text: String) {
        #expect(NodeLoad(headerValue: text) == nil)
    }
}
