import Primitives
import Testing

@testable import Callers

extension MonotonicTime {
    static func ms(_ value: Double) -> MonotonicTime { MonotonicTime(nanoseconds: Int64(value * 1e6)) }
}

extension ReceptionMeter {
    /// A packet of the one sender that most tests have.
    mutating func heard(at arrival: MonotonicTime) { heard(at: arrival, from: 1) }
}

@Suite struct ReceptionMeterTests {
    private func meter(begun: Double = 0, _ arrivals: [Double], end: Double) -> ReceptionMeter {
        var meter = ReceptionMeter(begun: .ms(begun))
        for arrival in arrivals { meter.heard(at: .ms(arrival)) }
        meter.end(at: .ms(end))
        return meter
    }

    @Test func theLongestGapIsExact() {
        let heard = meter([10, 30, 50, 70.000_001, 90, 1_590.25, 1_610.25], end: 1_620)
        #expect(heard.longestGap == .nanoseconds(1_500_250_000))
        #expect(heard.longestGapEnd == .ms(1_590.25))
        #expect(heard.wait == .milliseconds(10))
        #expect(heard.packets == 7)
    }

    @Test func packetsOfAFormerSenderAreNoAudio() {
        var meter = ReceptionMeter(begun: .zero)
        meter.heard(at: .ms(0), from: 7)
        meter.heard(at: .ms(20), from: 7)
        // Its successor speaks 900 ms later; what the former one still sends closes none of the successor's gaps.
        meter.heard(at: .ms(920), from: 8)
        meter.heard(at: .ms(1_500), from: 7)
        meter.heard(at: .ms(2_120), from: 8)
        meter.end(at: .ms(2_130))
        #expect(meter.longestGap == .milliseconds(1_200))
        #expect(meter.packets == 4)
        #expect(meter.late == 1)
    }

    @Test func audioThatWentAwayForGoodIsAGap() {
        let heard = meter([0, 20, 40], end: 3_040)
        #expect(heard.longestGap == .seconds(3))
        #expect(heard.longestGapEnd == .ms(3_040))
        #expect(heard.isSilent(longerThan: .seconds(1)))
        // Two intervals in 3.04 s.
        let rate = heard.packetsPerSecond ?? 0
        #expect(abs(rate - 2 / 3.04) < 1e-9)
    }

    @Test func aSteadyStreamIs50PacketsASecond() {
        let heard = meter(stride(from: 5, to: 10_000, by: 20).map { $0 }, end: 10_003)
        #expect(heard.packetsPerSecond == 50)
        #expect(heard.longestGap == .milliseconds(20))
        #expect(!heard.isSilent(longerThan: .milliseconds(20)))
    }

    @Test func whoHearsNothingWaitedAllTheTime() {
        let heard = meter(begun: 500, [], end: 4_500)
        #expect(heard.wait == .seconds(4))
        #expect(heard.longestSilence == .seconds(4))
        #expect(heard.packetsPerSecond == nil)
        #expect(heard.isSilent(longerThan: .seconds(1)))
    }

    @Test func audioBeforeTheAnswerWasHandledIsNoWait() {
        #expect(meter(begun: 100, [98, 118], end: 130).wait == .zero)
    }

    @Test func aLateStartIsSilenceButNoGap() {
        let heard = meter([1_500, 1_520], end: 1_530)
        #expect(heard.longestGap == .milliseconds(20))
        #expect(heard.wait == .milliseconds(1_500))
        #expect(heard.isSilent(longerThan: .seconds(1)))
    }

    @Test func nothingIsExpectedWhileTheOtherSideHolds() {
        var heard = ReceptionMeter(begun: .zero)
        heard.heard(at: .ms(0))
        heard.heard(at: .ms(20))
        heard.hold(at: .ms(30))
        // What was still on its way.
        heard.heard(at: .ms(40))
        heard.resume(at: .ms(5_000))
        heard.heard(at: .ms(5_025))
        heard.heard(at: .ms(5_045))
        heard.end(at: .ms(5_050))
        #expect(heard.longestGap == .milliseconds(25))
        #expect(!heard.isSilent(longerThan: .seconds(1)))
    }

    @Test func aGapThatAHoldEndsCountsUpToTheHold() {
        var heard = ReceptionMeter(begun: .zero)
        heard.heard(at: .ms(0))
        heard.hold(at: .ms(700))
        heard.end(at: .ms(9_000))
        #expect(heard.longestGap == .milliseconds(700))
    }

    @Test func timesThatRunBackwardsCountAsNone() {
        let heard = meter([0, 20, 15, 40], end: 41)
        #expect(heard.longestGap == .milliseconds(20))
        #expect(heard.packets == 4)
    }
}
