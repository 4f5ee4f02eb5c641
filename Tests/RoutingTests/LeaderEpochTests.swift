import Primitives
import Routing
import Testing

@Suite struct LeaderEpochTests {
    @Test func aFormerLeaderIsNotHeeded() {
        var leader = LeaderEpoch()
        #expect(!leader.isKnown)
        let start = MonotonicTime.zero
        let answers = [(7, 0), (8, 1), (7, 2), (8, 3)].map { epoch, second in
            leader.admits(UInt64(epoch), now: start + .seconds(second))
        }
        #expect(answers == [true, true, false, true])
    }

    @Test func anEpochThatNobodySpeaksUnderAnyMoreIsForgotten() {
        // A store that was made anew counts from 1 again.
        var leader = LeaderEpoch()
        let start = MonotonicTime.zero
        let answers = [(9_999, 0), (1, 5_000), (1, 5_001)].map { epoch, time_ms in
            leader.admits(UInt64(epoch), now: start + .milliseconds(time_ms))
        }
        #expect(answers == [true, false, true])
        #expect(leader.isKnown)
    }
}
