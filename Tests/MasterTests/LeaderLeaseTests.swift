import Master
import Primitives
import Session
import Testing

@Suite struct LeaderLeaseTests {
    private let me = MasterBench.identity("master-a", "m1")
    private let other = MasterBench.identity("master-b", "n7")

    private func fired(_ lease: inout LeaderLease, at now: MonotonicTime) -> [LeaderLease.Action] {
        var actions: [LeaderLease.Action] = []
        lease.fire(now: now, into: &actions)
        return actions
    }

    private func answered(
        _ lease: inout LeaderLease, _ reply: LeaderLease.Reply, _ number: UInt64, at now: MonotonicTime
    ) -> [LeaderLease.Action] {
        var actions: [LeaderLease.Action] = []
        lease.answered(reply, number: number, now: now, into: &actions)
        return actions
    }

    @Test func theLeaseIsAskedForAndRenewedEveryQuarterSecond() {
        var lease = LeaderLease(identity: me, now: .zero)
        #expect(fired(&lease, at: .zero) == [.ask(number: 1)])
        let won = answered(&lease, .held(by: me, epoch: 3), 1, at: .ms(5))
        #expect(won == [.changed(.leading(epoch: 3))])
        #expect(lease.nextDeadline == .ms(250))
        #expect(fired(&lease, at: .ms(250)) == [.ask(number: 2)])
        #expect(answered(&lease, .held(by: me, epoch: 3), 2, at: .ms(260)).isEmpty)
        #expect(lease.standing == .leading(epoch: 3))
    }

    @Test func theLeaseCountsFromTheAskingNotFromTheAnswer() {
        var lease = LeaderLease(identity: me, now: .zero)
        _ = fired(&lease, at: .zero)
        _ = answered(&lease, .held(by: me, epoch: 1), 1, at: .ms(900))
        _ = fired(&lease, at: .ms(900))
        #expect(fired(&lease, at: .ms(999)).isEmpty)
        #expect(fired(&lease, at: .ms(1_000)).first == .changed(.cutOff(epoch: 1)))
    }

    @Test func anAnswerThatTookLongerThanTheLeaseIsNone() {
        var lease = LeaderLease(identity: me, now: .zero)
        _ = fired(&lease, at: .zero)
        #expect(answered(&lease, .held(by: me, epoch: 1), 1, at: .ms(1_000)).isEmpty)
        #expect(lease.standing == .standby(leader: nil))
    }

    @Test func aSilentStoreIsAskedOnceALease() {
        var lease = LeaderLease(identity: me, now: .zero)
        var asked = 0
        for millisecond in 0..<10_000 {
            asked += fired(&lease, at: .ms(Int64(millisecond))).count
        }
        #expect(asked == 10)
    }

    @Test func anotherHolderMakesAStandby() {
        var lease = LeaderLease(identity: me, now: .zero)
        _ = fired(&lease, at: .zero)
        #expect(answered(&lease, .held(by: other, epoch: 9), 1, at: .ms(1)) == [.changed(.standby(leader: other))])
        _ = fired(&lease, at: .ms(250))
        #expect(answered(&lease, .held(by: me, epoch: 10), 2, at: .ms(251)) == [.changed(.leading(epoch: 10))])
        #expect(lease.standing.writingEpoch == 10)
    }

    @Test func aFrozenLeaderLeadsNoMoreWhenItWakes() {
        var lease = LeaderLease(identity: me, now: .zero)
        _ = fired(&lease, at: .zero)
        _ = answered(&lease, .held(by: me, epoch: 1), 1, at: .ms(1))
        #expect(fired(&lease, at: .ms(60_000)) == [.changed(.cutOff(epoch: 1)), .ask(number: 2)])
        #expect(lease.standing.writingEpoch == nil)
        #expect(lease.standing.publishingEpoch == 1)
        #expect(answered(&lease, .held(by: other, epoch: 2), 2, at: .ms(60_001)) == [.changed(.standby(leader: other))])
        #expect(lease.standing.publishingEpoch == nil)
    }

    @Test func repliesToAnEarlierAskingAreIgnored() {
        var lease = LeaderLease(identity: me, now: .zero)
        _ = fired(&lease, at: .zero)
        _ = fired(&lease, at: .ms(1_000))
        #expect(answered(&lease, .held(by: me, epoch: 1), 1, at: .ms(1_001)).isEmpty)
        #expect(lease.standing == .standby(leader: nil))
        #expect(!answered(&lease, .held(by: me, epoch: 1), 2, at: .ms(1_002)).isEmpty)
    }

    @Test func aRefusalChangesNothingAtOnce() {
        var lease = LeaderLease(identity: me, now: .zero)
        _ = fired(&lease, at: .zero)
        _ = answered(&lease, .held(by: me, epoch: 1), 1, at: .ms(1))
        _ = fired(&lease, at: .ms(250))
        #expect(answered(&lease, .refused(reason: "locked"), 2, at: .ms(260)).isEmpty)
        #expect(lease.standing == .leading(epoch: 1))
        #expect(fired(&lease, at: .ms(500)) == [.ask(number: 3)])
    }

    /// A standby that only asked every quarter of a second would lead that much later.
    @Test func aStandbyAsksTheMomentTheLeadersLeaseIsOver() {
        var lease = LeaderLease(identity: me, now: .zero)
        _ = fired(&lease, at: .ms(2_000))
        _ = answered(&lease, .held(by: other, epoch: 9, remaining: .milliseconds(900)), 1, at: .ms(2_001))
        #expect(lease.nextDeadline == .ms(2_250))
        _ = fired(&lease, at: .ms(2_250))
        _ = answered(&lease, .held(by: other, epoch: 9, remaining: .milliseconds(100)), 2, at: .ms(2_251))
        #expect(lease.nextDeadline == .ms(2_356))
        #expect(fired(&lease, at: .ms(2_356)) == [.ask(number: 3)])
    }

    /// It may be the dead leader itself, started again; of a center that died with it only the other master knows.
    @Test func whoHasJustBegunLetsAnotherFollowTheDeadLeader() {
        var lease = LeaderLease(identity: me, now: .zero)
        _ = fired(&lease, at: .zero)
        _ = answered(&lease, .held(by: other, epoch: 9, remaining: .milliseconds(300)), 1, at: .ms(1))
        #expect(lease.nextDeadline == .ms(250))
        _ = fired(&lease, at: .ms(250))
        _ = answered(&lease, .held(by: other, epoch: 9, remaining: .milliseconds(50)), 2, at: .ms(251))
        #expect(lease.nextDeadline == .ms(551))
        // Nobody else was there.
        _ = fired(&lease, at: .ms(551))
        let won = answered(&lease, .held(by: me, epoch: 10, remaining: .seconds(1)), 3, at: .ms(552))
        #expect(won == [.changed(.leading(epoch: 10))])
    }
}
