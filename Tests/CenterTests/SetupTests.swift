import Primitives
import Routing
import SDP
import SIP
import Session
import Store
import Testing

@testable import Center

@Suite struct SetupTests {
    @Test func checkpointIsCommittedBeforeTheAnswerLeaves() throws {
        let bench = try CenterBench()
        bench.storeMode = .silent
        let phone = try Phone(bench).invite()
        // 100 at once, then ports, then the store; nothing answers yet.
        let trying = try #require(bench.index { $0.sends("SIP/2.0 100") })
        let opening = try #require(bench.index { $0.opensSession })
        #expect(trying < opening)
        #expect(bench.responses(200).isEmpty)
        bench.answerStore()
        let answer = try #require(bench.responses(200).first)
        #expect(answer.flow == Phone.flow)
        #expect(bench.opened.count == 1)
        #expect(bench.opened[0].checkpoint.callID == phone.callID)
        #expect(!bench.notes.contains { if case .unprotected = $0 { true } else { false } })
    }

    /// RFC 3261 §13.3.1.4: what a 200 must say.
    @Test func answerHoldsDescriptionTagAndContact() throws {
        let bench = try CenterBench()
        try Phone(bench).invite()
        let answer = try #require(bench.responses(200).first?.message)
        #expect(answer.to.tag?.hasPrefix("center-a.k3f9x2.") == true)
        #expect(answer.contacts.first?.uri.host == "10.0.0.1")
        #expect(answer.contacts.first?.uri.port == 5081)
        #expect(answer.first(.allow)?.contains("UPDATE") == true)
        let description = try SessionDescription(parsing: answer.bytes[answer.body])
        #expect(description.media.first?.port == 10_002)
        // The caller's order decides.
        #expect(description.media.first?.formats.first == "8")
        #expect(answer.via.first?.rport == .filled(5060))
    }

    @Test func answersWithoutTheStoreAfterFiftyMilliseconds() throws {
        let bench = try CenterBench()
        bench.storeMode = .silent
        try Phone(bench).invite()
        bench.advance(by: .milliseconds(49))
        #expect(bench.responses(200).isEmpty)
        bench.advance(by: .milliseconds(1))
        #expect(bench.responses(200).count == 1)
        #expect(bench.notes.contains { if case .unprotected = $0 { true } else { false } })
        bench.answerStore()
        #expect(bench.responses(200).count == 1)
    }

    /// TAKEOVER.md, Checkpoints: the call goes on unprotected and is opened later; the store is asked at its pace.
    @Test func callWithoutARowIsOpenedWhenTheStoreIsBack() throws {
        let bench = try CenterBench()
        bench.storeMode = .away
        try Phone(bench).establish()
        #expect(bench.responses(200).count == 1)
        #expect(bench.opened.count == 1)
        bench.advance(by: .milliseconds(3_500))
        #expect(bench.opened.count == 4)
        bench.storeMode = .answers
        bench.advance(by: .seconds(1))
        #expect(bench.opened.count == 5)
        #expect(bench.opened[4].checkpoint.dialogs[0].state == .confirmed)
        bench.advance(by: .seconds(3))
        #expect(bench.opened.count == 5)
    }

    @Test func changesWhileTheFirstCheckpointIsOnItsWayAreSavedOnce() throws {
        let bench = try CenterBench()
        bench.storeMode = .silent
        try Phone(bench).invite()
        bench.advance(by: .milliseconds(50))
        try bench.press("2")
        try bench.press("2")
        #expect(bench.opened.count == 1)
        #expect(bench.checkpoints.isEmpty)
        bench.answerStore()
        #expect(bench.checkpoints.count == 1)
        #expect(bench.checkpoints[0].checkpoint.menu?.state == "rates")
    }

    /// RFC 3261 §17.2.1: a retransmission gets the last response again, and no second call.
    @Test func retransmittedInviteIsOneCall() throws {
        let bench = try CenterBench()
        bench.storeMode = .silent
        let phone = Phone(bench)
        let invite = phone.text("INVITE", body: Phone.offer)
        try phone.send(invite)
        try phone.send(invite)
        #expect(bench.callCount == 1)
        #expect(bench.responses(100).count == 2)
        bench.answerStore()
        try phone.send(invite)
        #expect(bench.callCount == 1)
        #expect(bench.opened.count == 1)
    }

    /// RFC 3261 §8.2.2.2.
    @Test func sameInviteByAnotherPathIsAMergedRequest() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).invite()
        try phone.send(
            phone.text("INVITE", branch: "z9hG4bK-other", body: Phone.offer, toTag: nil).replacing(
                ";tag=\(try #require(phone.toTag))", with: ""))
        #expect(bench.responses(482).count == 1)
        #expect(bench.callCount == 1)
    }

    /// RFC 3261 §13.3.1.4: the 2xx is sent "with an interval that starts at T1 seconds and doubles … until it reaches
    /// T2"; without an ACK in 64*T1 "the session SHOULD be terminated. This is accomplished with a BYE."
    @Test(arguments: [Transport.udp, .tcp])
    func answerIsRepeatedUntilItsACKAndGivenUp(_ transport: Transport) throws {
        let bench = try CenterBench()
        var flow = Phone.flow
        flow.transport = transport
        flow.connection = transport == .tcp ? 7 : 0
        try Phone(bench, flow: flow).invite()
        bench.advance(by: .milliseconds(31_999))
        let times = bench.responses(200, to: .invite).map { $0.at.nanoseconds / 1_000_000 }
        #expect(times == [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500])
        #expect(bench.requestsSent(.bye).isEmpty)
        bench.advance(by: .milliseconds(1))
        #expect(bench.requestsSent(.bye).count == 1)
        #expect(bench.records.map(\.end) == [.lost])
        #expect(bench.callCount == 0)
    }

    @Test func acknowledgedAnswerIsNotRepeated() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        bench.advance(by: .seconds(40))
        #expect(bench.responses(200, to: .invite).count == 1)
        // Nothing of the INVITE is kept for the call's life.
        let handle = try #require(bench.lastCall)
        let checkedOut = bench.core.calls.checkOut(handle)
        let call = try #require(checkedOut)
        #expect(call.invite == nil)
        #expect(call.acceptance == nil)
        bench.core.calls.checkIn(call)
        #expect(bench.serverTransactions == 0)
        try phone.hangUp()
    }

    // MARK: CANCEL

    /// RFC 3261 §9.2: 200 to the CANCEL, 487 to the INVITE.
    @Test func cancelBeforeTheAnswerEndsTheCall() throws {
        let bench = try CenterBench()
        bench.storeMode = .silent
        let phone = try Phone(bench).invite()
        try phone.send(phone.text("CANCEL", branch: phone.lastBranch))
        #expect(bench.responses(200, to: .cancel).count == 1)
        let refusal = try #require(bench.responses(487, to: .invite).first?.message)
        // "The To tag of the response to the CANCEL and … to the original request SHOULD be the same."
        #expect(bench.responses(200, to: .cancel).first?.message.to.tag == refusal.to.tag)
        #expect(bench.records.map(\.end) == [.caller])
        #expect(bench.callCount == 0)
        bench.answerStore()
        #expect(bench.responses(200, to: .invite).isEmpty)
        #expect(bench.isClosed(bench.lastCall))
    }

    /// RFC 3261 §9.2: after a final response a CANCEL "has no effect on the processing of the original request".
    @Test func cancelAfterTheAnswerChangesNothing() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).invite()
        try phone.send(
            phone.text("CANCEL", branch: phone.lastBranch).replacing(
                ";tag=\(try #require(phone.toTag))", with: ""))
        #expect(bench.responses(200, to: .cancel).count == 1)
        #expect(bench.responses(487).isEmpty)
        #expect(bench.callCount == 1)
    }

    @Test func cancelOfNothingIsAnswered481() throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        try phone.send(phone.text("CANCEL"))
        #expect(bench.responses(481, to: .cancel).count == 1)
    }

    // MARK: Refusals

    @Test func unknownLineIsNotFound() throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        phone.line = "12345"
        try phone.invite()
        #expect(bench.responses(404).count == 1)
        #expect(bench.requests.isEmpty)
    }

    /// RFC 3966 §5.1.1: "the visual separators … are removed" before numbers are compared.
    @Test func telephoneNumbersMayHaveVisualSeparators() throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        let invite = phone.text("INVITE", body: Phone.offer)
        try phone.send(invite.replacing("INVITE sip:95533@10.0.0.1:5081", with: "INVITE tel:9-55.33"))
        #expect(bench.responses(200, to: .invite).count == 1)
    }

    /// Over UDP a `sips:` address would be answered with a promise that is not kept.
    @Test func sipsIsRefusedWhereThereIsNoTLS() throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        let invite = phone.text("INVITE", body: Phone.offer)
        try phone.send(invite.replacing("INVITE sip:", with: "INVITE sips:"))
        #expect(bench.responses(416).count == 1)
    }

    /// What a caller calls itself is shown on operators' terminals.
    @Test func callersCommandNoTerminal() throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        let invite = phone.text("INVITE", body: Phone.offer)
        try phone.send(invite.replacing("<sip:alice@", with: "<sip:%1b%5b31m%0aEVIL@"))
        #expect(bench.opened.first?.checkpoint.record.from == "\u{FFFD}[31m\u{FFFD}EVIL")
    }

    @Test func callsBeyondTheLimitAreToldToTryLater() throws {
        let bench = try CenterBench { $0.callLimit = 1 }
        try Phone(bench).establish()
        try Phone(bench, callID: "call-2").invite()
        let refusal = try #require(bench.responses(503).first?.message)
        #expect(refusal.first(.retryAfter) != nil)
        #expect(bench.notes.contains(.rejected(reason: .capacity)))
        #expect(bench.callCount == 1)
    }

    @Test func setUpsBeyondTheRateAreToldToTryLater() throws {
        let bench = try CenterBench { $0.setUps = RateLimit(perSecond: 1, burst: 2) }
        for number in 1...3 { try Phone(bench, callID: "call-\(number)").invite() }
        #expect(bench.callCount == 2)
        #expect(bench.responses(503).first?.message.first(.retryAfter) == "1")
        bench.advance(by: .seconds(1))
        try Phone(bench, callID: "call-4").invite()
        #expect(bench.callCount == 3)
    }

    @Test(arguments: [AdministrativeState.draining, .disabled])
    func nodeOutOfUseTakesNoNewCallAndKeepsItsOwn(_ state: AdministrativeState) throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        bench.handle(.administered(state))
        try Phone(bench, callID: "call-2").invite()
        #expect(bench.responses(503).first?.message.first(.retryAfter) != nil)
        try phone.hangUp()
        #expect(bench.responses(200, to: .bye).count == 1)
        bench.handle(.administered(.enabled))
        try Phone(bench, callID: "call-3").establish()
    }

    @Test func nothingInCommonIs488WithAWarning() throws {
        let bench = try CenterBench()
        try Phone(bench).invite(Phone.sdp(formats: "18"))
        let refusal = try #require(bench.responses(488).first?.message)
        #expect(refusal.first(.warning)?.hasPrefix("305 center-a ") == true)
        #expect(bench.isClosed(bench.lastCall))
        // The store was never asked, so there is no session and no record.
        #expect(bench.requests.isEmpty)
        #expect(bench.callCount == 0)
    }

    @Test func noPortsLeftIs503() throws {
        let bench = try CenterBench()
        bench.hasPorts = false
        try Phone(bench).invite()
        #expect(bench.responses(503).first?.message.first(.retryAfter) != nil)
        #expect(bench.notes.contains(.rejected(reason: .noPorts)))
        #expect(bench.callCount == 0)
    }

    /// RFC 4028 §9.
    @Test func tooShortSessionIntervalIs422() throws {
        let bench = try CenterBench()
        try Phone(bench).invite(headers: ["Supported: timer", "Session-Expires: 30"])
        #expect(bench.responses(422).first?.message.first(.minSE) == "90")
        #expect(bench.callCount == 0)
    }

    @Test func sessionIDIsTakenFromTrustedSourcesOnly() throws {
        let id = "0b8a4c1e-2f6d-4e3a-9b7c-5d1e8f2a3c4b"
        let bench = try CenterBench()
        try Phone(bench).invite(headers: ["Tandem-Session: \(id)"])
        #expect(bench.opened[0].session.description != id)
        try Phone(bench, callID: "call-2", flow: Phone.master).invite(headers: ["Tandem-Session: \(id)"])
        #expect(bench.opened[1].session.description == id)
    }

    // MARK: Offer in the 200

    /// RFC 3261 §13.2.1: without an offer in the INVITE it is in the 2xx and the answer in the ACK.
    @Test func offerlessInviteIsAnsweredWithAnOfferAndStartsWithTheACK() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).invite("")
        #expect(bench.responses(200, to: .invite).first?.message.body.isEmpty == false)
        #expect(bench.agreements.isEmpty)
        try phone.acknowledge(Phone.sdp(port: 4444, formats: "0 101"))
        #expect(bench.agreements.first?.codec == .pcmu)
        #expect(bench.agreements.first?.remoteRTP.port == 4444)
        #expect(bench.media.contains { if case .play = $0.command { true } else { false } })
    }

    @Test func ackWithoutTheAnswerEndsTheCall() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).invite("")
        try phone.acknowledge()
        #expect(bench.requestsSent(.bye).count == 1)
        #expect(bench.records.map(\.end) == [.lost])
    }
}
