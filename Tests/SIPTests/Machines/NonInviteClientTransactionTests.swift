import Testing

@testable import SIP

@Suite struct NonInviteClientTransactionTests {
    private func started(reliable: Bool = false) -> NonInviteClientTransaction {
        var machine = NonInviteClientTransaction(isReliable: reliable)
        _ = machine.actions(on: .started)
        return machine
    }

    /// §17.1.2.2: timer F is 64*T1; over an unreliable transport timer E is T1.
    @Test func startSendsAndSetsTimersEAndF() {
        var machine = NonInviteClientTransaction(isReliable: false)
        #expect(
            machine.actions(on: .started) == [
                .sendRequest, .schedule(.e, .milliseconds(500)), .schedule(.f, .seconds(32)),
            ])
        var reliable = NonInviteClientTransaction(isReliable: true)
        #expect(reliable.actions(on: .started) == [.sendRequest, .schedule(.f, .seconds(32))])
    }

    /// §17.1.2.2: "the timer is reset … with a value of MIN(2*T1, T2)": 500 ms, 1 s, 2 s, 4 s, 4 s, 4 s.
    @Test func timerEDoublesUpToT2() {
        var machine = started()
        for milliseconds in [1_000, 2_000, 4_000, 4_000, 4_000] {
            #expect(
                machine.actions(on: .fired(.e)) == [.sendRequest, .schedule(.e, .milliseconds(milliseconds))])
        }
    }

    /// §17.1.2.2: in Proceeding "Timer E MUST be reset with a value of T2 seconds".
    @Test func proceedingRepeatsEveryT2() {
        var machine = started()
        #expect(machine.actions(on: .provisional) == [.deliver])
        #expect(machine.actions(on: .fired(.e)) == [.sendRequest, .schedule(.e, .seconds(4))])
        #expect(machine.actions(on: .provisional) == [.deliver])
    }

    /// §17.1.2.2: timer F in Trying or Proceeding: "the client transaction SHOULD inform the TU about the timeout".
    @Test func timerFEndsInTimeout() {
        var trying = started()
        #expect(trying.actions(on: .fired(.f)) == [.cancel(.e), .deliverTimeout, .end])
        var proceeding = started(reliable: true)
        _ = proceeding.actions(on: .provisional)
        #expect(proceeding.actions(on: .fired(.f)) == [.deliverTimeout, .end])
    }

    /// §17.1.2.2: "set Timer K to fire in T4 seconds for unreliable transports"; retransmissions are not delivered.
    @Test func finalResponseIsDeliveredOnce() {
        var machine = started()
        #expect(
            machine.actions(on: .final) == [
                .cancel(.e), .cancel(.f), .releaseRequest, .deliver, .schedule(.k, .seconds(5)),
            ])
        #expect(machine.actions(on: .final) == [])
        #expect(machine.actions(on: .fired(.k)) == [.end])
    }

    /// Timer K is "zero seconds for reliable transports".
    @Test func finalResponseOverReliableTransportEnds() {
        var machine = started(reliable: true)
        #expect(machine.actions(on: .final) == [.cancel(.f), .releaseRequest, .deliver, .end])
        #expect(machine.state == .terminated)
    }

    @Test func transportFailureEnds() {
        var machine = started()
        #expect(
            machine.actions(on: .transportFailed) == [.cancel(.e), .cancel(.f), .deliverTransportFailure, .end])
    }

    @Test func abandonedRequestIsNotRepeatedButStillTimesOut() {
        var machine = started()
        #expect(machine.actions(on: .abandoned) == [.cancel(.e)])
        #expect(machine.actions(on: .fired(.f)) == [.cancel(.e), .deliverTimeout, .end])
    }
}
