import Testing

@testable import SIP

@Suite struct InviteClientTransactionTests {
    private func started(reliable: Bool = false, proxied: Bool = false) -> InviteClientTransaction {
        var machine = InviteClientTransaction(isReliable: reliable, isProxied: proxied)
        _ = machine.actions(on: .started)
        return machine
    }

    private func proceeding(reliable: Bool = false, proxied: Bool = false) -> InviteClientTransaction {
        var machine = started(reliable: reliable, proxied: proxied)
        _ = machine.actions(on: .provisional(isTrying: true))
        return machine
    }

    /// §17.1.1.2: "the client transaction MUST start timer A with a value of T1 … start timer B with a value of 64*T1".
    @Test func startSendsAndSetsTimersAAndB() {
        var machine = InviteClientTransaction(isReliable: false, isProxied: false)
        #expect(
            machine.actions(on: .started) == [
                .sendRequest, .schedule(.a, .milliseconds(500)), .schedule(.b, .seconds(32)),
            ])
        #expect(machine.state == .calling)
    }

    /// §17.1.1.2: "If a reliable transport is being used, the client transaction SHOULD NOT start timer A".
    @Test func reliableTransportHasNoTimerA() {
        var machine = InviteClientTransaction(isReliable: true, isProxied: false)
        #expect(machine.actions(on: .started) == [.sendRequest, .schedule(.b, .seconds(32))])
    }

    /// §17.1.1.2: "these retransmissions occur with intervals that double after each transmission", uncapped by T2.
    @Test func timerADoublesWithoutLimit() {
        var machine = started()
        for milliseconds in [1_000, 2_000, 4_000, 8_000, 16_000] {
            #expect(
                machine.actions(on: .fired(.a)) == [.sendRequest, .schedule(.a, .milliseconds(milliseconds))])
        }
    }

    /// §17.1.1.2: "If the client transaction is still in the 'Calling' state when timer B fires, the client transaction
    /// SHOULD inform the TU that a timeout has occurred. The client transaction MUST NOT generate an ACK."
    @Test func timerBEndsInTimeout() {
        var machine = started()
        #expect(machine.actions(on: .fired(.b)) == [.cancel(.a), .deliverTimeout, .end])
        #expect(machine.state == .terminated)
    }

    /// §17.1.1.2: "the client transaction SHOULD NOT retransmit the request any further" after a provisional response.
    @Test func provisionalStopsRetransmission() {
        var machine = started()
        #expect(machine.actions(on: .provisional(isTrying: false)) == [.cancel(.a), .cancel(.b), .deliver])
        #expect(machine.state == .proceeding)
        #expect(machine.actions(on: .provisional(isTrying: false)) == [.deliver])
    }

    /// RFC 6026 §7.2: "the client transaction MUST transition to the 'Accepted' state, and Timer M MUST be started".
    @Test func successWaitsForFurtherAnswersUntilTimerM() {
        var machine = proceeding()
        #expect(machine.actions(on: .success) == [.releaseRequest, .deliver, .schedule(.m, .seconds(32))])
        #expect(machine.actions(on: .success) == [.deliver])
        #expect(machine.actions(on: .failure) == [])
        #expect(machine.actions(on: .fired(.m)) == [.end])
    }

    /// §17.1.1.2: a 300–699 "MUST be passed up to the TU, and the client transaction MUST generate an ACK request".
    @Test func refusalIsAcknowledgedAndDeliveredOnce() {
        var machine = started()
        #expect(
            machine.actions(on: .failure) == [
                .cancel(.a), .cancel(.b), .sendAcknowledgement, .releaseRequest, .deliver, .schedule(.d, .seconds(32)),
            ])
        #expect(machine.actions(on: .failure) == [.repeatAcknowledgement])
        #expect(machine.actions(on: .fired(.d)) == [.end])
    }

    /// Timer D is "a value of zero seconds for reliable transports".
    @Test func refusalOverReliableTransportEndsAtOnce() {
        var machine = proceeding(reliable: true)
        #expect(machine.actions(on: .failure) == [.sendAcknowledgement, .releaseRequest, .deliver, .end])
    }

    /// §9.1: "If no provisional response has been received, the CANCEL request MUST NOT be sent; rather, the client
    /// MUST wait for the arrival of a provisional response before sending the request."
    @Test func cancelWaitsForProvisional() {
        var machine = started()
        #expect(machine.actions(on: .cancelRequested) == [])
        #expect(
            machine.actions(on: .provisional(isTrying: true)) == [
                .cancel(.a), .cancel(.b), .deliver, .sendCancel, .schedule(.cancelled, .seconds(32)),
            ])
    }

    /// §9.1: "If there is no final response for the original request in 64*T1 seconds … the client SHOULD then consider
    /// the original transaction cancelled and SHOULD destroy the client transaction".
    @Test func cancelledRequestWithoutFinalResponseTimesOut() {
        var machine = proceeding()
        #expect(machine.actions(on: .cancelRequested) == [.sendCancel, .schedule(.cancelled, .seconds(32))])
        #expect(machine.actions(on: .cancelRequested) == [], "one CANCEL is enough")
        #expect(machine.actions(on: .fired(.cancelled)) == [.deliverTimeout, .end])
    }

    @Test func finalResponseAfterCancelStopsItsTimer() {
        var machine = proceeding()
        _ = machine.actions(on: .cancelRequested)
        #expect(
            machine.actions(on: .failure) == [
                .cancel(.cancelled), .sendAcknowledgement, .releaseRequest, .deliver, .schedule(.d, .seconds(32)),
            ])
    }

    /// §16.7 step 2: the proxy resets timer C on 101–199; §16.8: it then generates a CANCEL.
    @Test func timerCIsRestartedByRingingAndCancels() {
        var machine = started(proxied: true)
        #expect(
            machine.actions(on: .provisional(isTrying: true)) == [
                .cancel(.a), .cancel(.b), .deliver, .schedule(.c, .seconds(181)),
            ])
        #expect(machine.actions(on: .provisional(isTrying: true)) == [.deliver])
        #expect(
            machine.actions(on: .provisional(isTrying: false)) == [
                .deliver, .cancel(.c), .schedule(.c, .seconds(181)),
            ])
        #expect(machine.actions(on: .fired(.c)) == [.sendCancel, .schedule(.cancelled, .seconds(32))])
    }

    @Test func abandonedRequestIsNotRepeated() {
        var machine = started(proxied: true)
        #expect(machine.actions(on: .abandoned) == [.cancel(.a)])
        #expect(
            machine.actions(on: .provisional(isTrying: true)) == [
                .cancel(.a), .cancel(.b), .deliver, .sendCancel, .schedule(.cancelled, .seconds(32)),
            ])
    }

    @Test func abandonedAfterRingingCancelsAtOnce() {
        var machine = proceeding(proxied: true)
        #expect(
            machine.actions(on: .abandoned) == [.cancel(.c), .sendCancel, .schedule(.cancelled, .seconds(32))])
    }

    /// §17.1.4: "the client transaction SHOULD inform the TU that a transport failure has occurred, and … transition
    /// directly to the 'Terminated' state".
    @Test func transportFailureWhileCallingEnds() {
        var machine = started()
        #expect(
            machine.actions(on: .transportFailed) == [.cancel(.a), .cancel(.b), .deliverTransportFailure, .end])
        #expect(machine.actions(on: .success) == [], "a terminated machine does nothing")
    }

    /// §18.4: "over a reliable transport, and the result is a connection failure, the transport layer SHOULD inform the
    /// transport user of a failure in sending". Without timer C nothing else would end it.
    @Test func brokenConnectionEndsAnINVITEThatRings() {
        var machine = proceeding(reliable: true)
        #expect(machine.actions(on: .transportFailed) == [.deliverTransportFailure, .end])
        #expect(machine.state == .terminated)
    }

    @Test func brokenConnectionStopsTheTimerThatRuns() {
        var proxied = proceeding(reliable: true, proxied: true)
        #expect(proxied.actions(on: .transportFailed) == [.cancel(.c), .deliverTransportFailure, .end])
        var cancelled = proceeding(reliable: true, proxied: true)
        _ = cancelled.actions(on: .cancelRequested)
        #expect(cancelled.actions(on: .transportFailed) == [.cancel(.cancelled), .deliverTransportFailure, .end])
    }

    @Test func refusedDatagramSaysNothingAboutAnINVITEThatRings() {
        var machine = proceeding(proxied: true)
        #expect(machine.actions(on: .transportFailed) == [])
        #expect(machine.state == .proceeding)
    }
}
