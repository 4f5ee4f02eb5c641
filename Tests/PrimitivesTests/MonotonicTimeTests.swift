import Primitives
import Testing

struct MonotonicTimeTests {
    @Test func additionSaturatesInsteadOfTrapping() {
        #expect(MonotonicTime(nanoseconds: .max - 1) + .seconds(1) == .distantFuture)
        #expect(MonotonicTime.zero + .seconds(Int64.max) == .distantFuture)
    }

    @Test func spansAreExactToTheNanosecond() {
        let start = MonotonicTime(nanoseconds: 5)
        #expect(start + .nanoseconds(7) - start == .nanoseconds(7))
        #expect(Duration.milliseconds(1500).wholeNanoseconds == 1_500_000_000)
        #expect(Duration.microseconds(1999).wholeMilliseconds == 1)
        #expect(Duration.seconds(Int64.min).wholeNanoseconds == .min)
    }

    @Test func civilAndMonotonicDeadlinesConvertBothWays() {
        let now = Moment(monotonic: MonotonicTime(nanoseconds: 1_000_000_000), wall: WallTime(milliseconds: 50_000))
        let deadline = now.monotonic + .seconds(3)
        #expect(now.wall(at: deadline) == WallTime(milliseconds: 53_000))
        #expect(now.monotonic(at: WallTime(milliseconds: 53_000)) == deadline)
    }

    @Test func theSameSeedGivesTheSameNumbers() {
        var one = SeededRandom(seed: 42)
        var other = SeededRandom(seed: 42)
        #expect((0..<100).map { _ in one.next() } == (0..<100).map { _ in other.next() })
        #expect(one.hex(20) == other.hex(20))
        #expect(one.hex(33).utf8.count == 33)
        #expect(one.hex(40).utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) })
    }
}
