import Testing

@testable import SIP

@Suite struct NonInviteServerTransactionTests {
    /// §17.2.2: "Once in the 'Trying' state, any further request retransmissions are discarded."
    @Test func tryingAbsorbsRepetition() {
        var machine = NonInviteServerTransaction(isReliable: false)
        #expect(machine.actions(on: .repeated) == [])
    }

    /// §17.2.2: in Proceeding "the most recently sent provisional response MUST be passed to the transport layer".
    @Test func proceedingRepeatsProvisional() {
        var machine = NonInviteServerTransaction(isReliable: false)
        #expect(machine.actions(on: .provisional) == [.sendResponse])
        #expect(machine.actions(on: .repeated) == [.repeatResponse])
    }

    /// §17.2.2: Completed repeats the final response for timer J = 64*T1 over unreliable transports.
    @Test func finalResponseIsRepeatedUntilTimerJ() {
        var machine = NonInviteServerTransaction(isReliable: false)
        #expect(machine.actions(on: .final) == [.sendResponse, .schedule(.j, .seconds(32))])
        #expect(machine.actions(on: .repeated) == [.repeatResponse])
        #expect(machine.actions(on: .final) == [], "a second final response is discarded")
        #expect(machine.actions(on: .fired(.j)) == [.end])
    }

    /// Timer J is "zero seconds for reliable transports".
    @Test func finalResponseOverReliableTransportEnds() {
        var machine = NonInviteServerTransaction(isReliable: true)
        #expect(machine.actions(on: .final) == [.sendResponse, .end])
    }

    /// §17.2.4: transport failure of a response: inform the user and terminate.
    @Test func transportFailureOfResponseEnds() {
        var machine = NonInviteServerTransaction(isReliable: false)
        _ = machine.actions(on: .final)
        #expect(machine.actions(on: .transportFailed) == [.cancel(.j), .deliverTransportFailure, .end])
    }
}
