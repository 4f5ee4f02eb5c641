import Testing

@testable import SIP

@Suite struct InviteServerTransactionTests {
    /// §17.2.1: a retransmission gets "the most recent provisional response that was received from the TU".
    @Test func repeatedInviteGetsLastProvisional() {
        var machine = InviteServerTransaction(isReliable: false)
        #expect(machine.actions(on: .repeated) == [], "nothing was answered yet")
        #expect(machine.actions(on: .provisional) == [.sendResponse])
        #expect(machine.actions(on: .repeated) == [.repeatResponse])
    }

    /// §17.2.1: "timer G is set to fire in T1 seconds … timer H … 64*T1", then "MIN(2*T1, T2)".
    @Test func refusalIsRepeatedUntilAcknowledged() {
        var machine = InviteServerTransaction(isReliable: false)
        #expect(
            machine.actions(on: .failure) == [
                .sendResponse, .schedule(.g, .milliseconds(500)), .schedule(.h, .seconds(32)),
            ])
        for milliseconds in [1_000, 2_000, 4_000, 4_000] {
            #expect(
                machine.actions(on: .fired(.g)) == [.repeatResponse, .schedule(.g, .milliseconds(milliseconds))])
        }
        #expect(machine.actions(on: .repeated) == [.repeatResponse])
        #expect(
            machine.actions(on: .acknowledged) == [
                .cancel(.g), .cancel(.h), .releaseResponse, .schedule(.i, .seconds(5)),
            ])
        #expect(machine.state == .confirmed)
    }

    /// §17.2.1: Confirmed absorbs further ACKs until timer I.
    @Test func confirmedAbsorbsAcknowledgements() {
        var machine = InviteServerTransaction(isReliable: false)
        _ = machine.actions(on: .failure)
        _ = machine.actions(on: .acknowledged)
        #expect(machine.actions(on: .acknowledged) == [])
        #expect(machine.actions(on: .repeated) == [])
        #expect(machine.actions(on: .fired(.i)) == [.end])
    }

    /// Timer G is not set and timer I is zero over a reliable transport.
    @Test func refusalOverReliableTransportWaitsForAckOnly() {
        var machine = InviteServerTransaction(isReliable: true)
        #expect(machine.actions(on: .failure) == [.sendResponse, .schedule(.h, .seconds(32))])
        #expect(machine.actions(on: .acknowledged) == [.cancel(.h), .releaseResponse, .end])
    }

    /// §17.2.1: timer H "implies that the ACK was never received … MUST indicate to the TU".
    @Test func timerHReportsMissingAck() {
        var machine = InviteServerTransaction(isReliable: false)
        _ = machine.actions(on: .failure)
        #expect(machine.actions(on: .fired(.h)) == [.cancel(.g), .deliverTimeout, .end])
    }

    /// RFC 6026 §7.1: Accepted absorbs INVITEs, passes the ACK and further 2xx, and ends by timer L = 64*T1.
    @Test func acceptedPassesAckAndRepeatedSuccess() {
        var machine = InviteServerTransaction(isReliable: false)
        _ = machine.actions(on: .provisional)
        #expect(
            machine.actions(on: .success) == [.sendOnce, .releaseResponse, .schedule(.l, .seconds(32))])
        #expect(machine.actions(on: .repeated) == [])
        #expect(machine.actions(on: .success) == [.sendOnce])
        #expect(machine.actions(on: .acknowledged) == [.deliverAcknowledgement])
        #expect(machine.actions(on: .failure) == [], "an answered INVITE cannot be refused")
        #expect(machine.actions(on: .fired(.l)) == [.end])
    }

    /// RFC 6026 Figure 5: timer L is 64*T1 over reliable transports too.
    @Test func acceptedLingersOverReliableTransport() {
        var machine = InviteServerTransaction(isReliable: true)
        #expect(
            machine.actions(on: .success) == [.sendOnce, .releaseResponse, .schedule(.l, .seconds(32))])
    }

    /// §17.2.1: "Any other final responses passed by the TU … MUST be discarded while in the 'Completed' state."
    @Test func secondFinalResponseIsDropped() {
        var machine = InviteServerTransaction(isReliable: false)
        _ = machine.actions(on: .failure)
        #expect(machine.actions(on: .failure) == [])
        #expect(machine.actions(on: .success) == [])
        #expect(!machine.awaitsFinalResponse)
    }

    /// RFC 6026 Figure 5: "Transport Err. Inform TU" and the state stays.
    @Test func transportFailureIsReportedAndStays() {
        var machine = InviteServerTransaction(isReliable: false)
        #expect(machine.actions(on: .transportFailed) == [.deliverTransportFailure])
        #expect(machine.state == .proceeding)
    }
}
