import Primitives
import Testing

@testable import SIP

@Suite struct AcceptedInviteTests {
    private let timers = TransactionTimers.standard

    /// §13.3.1.4: "an interval that starts at T1 seconds and doubles for each retransmission until it reaches T2".
    @Test func answerIsRepeatedUntilTheAck() {
        var machine = AcceptedInvite()
        #expect(
            machine.handle(.sent, timers: timers) == [
                .schedule(.repetition, .milliseconds(500)), .schedule(.patience, .seconds(32)),
            ])
        for milliseconds in [1_000, 2_000, 4_000, 4_000] {
            #expect(
                machine.handle(.fired(.repetition), timers: timers) == [
                    .repeatResponse, .schedule(.repetition, .milliseconds(milliseconds)),
                ])
        }
        #expect(
            machine.handle(.acknowledged, timers: timers) == [.cancel(.repetition), .cancel(.patience), .confirm])
        #expect(machine.handle(.acknowledged, timers: timers) == [], "a second ACK says nothing new")
    }

    @Test func missingAckEndsTheSession() {
        var machine = AcceptedInvite()
        _ = machine.handle(.sent, timers: timers)
        #expect(machine.handle(.fired(.patience), timers: timers) == [.cancel(.repetition), .giveUp])
        #expect(machine.handle(.acknowledged, timers: timers) == [])
    }

    @Test func endedCallStopsRepeating() {
        var machine = AcceptedInvite()
        _ = machine.handle(.sent, timers: timers)
        #expect(machine.handle(.ended, timers: timers) == [.cancel(.repetition), .cancel(.patience)])
        #expect(machine.handle(.fired(.repetition), timers: timers) == [])
    }
}

@Suite struct ReliableProvisionalTests {
    private let timers = TransactionTimers.standard

    /// RFC 3262 §3: one at a time, RSeq one higher each, repeated at T1 and doubled until the PRACK.
    @Test func oneResponseWaitsForItsPrack() throws {
        var random = SeededRandom(seed: 2)
        var machine = ReliableProvisional(cseq: CSeq(7, .invite), using: &random)
        var actions: [ReliableProvisional.Action] = []
        let sent = machine.send(timers: timers, actions: &actions)
        let rseq = try #require(sent)
        #expect((1...0x7FFF_FFFF).contains(rseq))
        #expect(actions == [.schedule(.repetition, .milliseconds(500)), .schedule(.patience, .seconds(32))])
        let early = machine.send(timers: timers, actions: &actions)
        #expect(early == nil)
        actions = []
        for milliseconds in [1_000, 2_000, 4_000, 8_000] {
            actions = []
            machine.fire(.repetition, timers: timers, actions: &actions)
            #expect(actions == [.repeatResponse, .schedule(.repetition, .milliseconds(milliseconds))])
        }
        actions = []
        let right = RAck(rseq: rseq, cseq: CSeq(7, .invite))
        for wrong in [RAck(rseq: rseq &+ 1, cseq: right.cseq), RAck(rseq: rseq, cseq: CSeq(8, .invite))] {
            let matched = machine.acknowledge(wrong, actions: &actions)
            #expect(!matched, "481")
        }
        let matched = machine.acknowledge(right, actions: &actions)
        #expect(matched)
        #expect(actions == [.cancel(.repetition), .cancel(.patience)])
        let again = machine.acknowledge(right, actions: &actions)
        #expect(!again, "already done")
        let following = machine.send(timers: timers, actions: &actions)
        #expect(following == rseq + 1)
    }

    @Test func missingPrackRejectsTheInvite() {
        var random = SeededRandom(seed: 2)
        var machine = ReliableProvisional(cseq: CSeq(7, .invite), using: &random)
        var actions: [ReliableProvisional.Action] = []
        _ = machine.send(timers: timers, actions: &actions)
        actions = []
        machine.fire(.patience, timers: timers, actions: &actions)
        #expect(actions == [.cancel(.repetition), .giveUp])
    }

    @Test func rackIsRead() {
        #expect(RAck("776656 1 INVITE") == RAck(rseq: 776_656, cseq: CSeq(1, .invite)))
        for bad in [
            "", "1 INVITE", "0 1 INVITE", "4294967296 1 INVITE", "1 2147483648 INVITE", "-1 1 INVITE", "1 1 A B",
        ] {
            #expect(RAck(bad) == nil, "\(bad)")
        }
        #expect(RAck("5 6 INVITE")?.description == "5 6 INVITE")
    }

    /// RFC 3262 §4: only the next in order is acknowledged.
    @Test func clientAcknowledgesInOrder() {
        var receipt = ReliableReceipt()
        let cseq = CSeq(1, .invite)
        #expect(receipt.receive(rseq: 10, cseq: cseq) == .acknowledge(RAck(rseq: 10, cseq: cseq)))
        #expect(receipt.receive(rseq: 10, cseq: cseq) == .ignore)
        #expect(receipt.receive(rseq: 12, cseq: cseq) == .ignore)
        #expect(receipt.receive(rseq: 11, cseq: cseq) == .acknowledge(RAck(rseq: 11, cseq: cseq)))
    }
}

@Suite struct SessionTimerTests {
    private let policy = SessionTimerPolicy(preferred: 600, minimum: 120)

    /// RFC 4028 §9: too small an interval of a client that supports timers is answered with 422 and Min-SE.
    @Test func tooShortIntervalIsRefused() throws {
        let invite = try Sample.request("INVITE", more: "Supported: timer\nSession-Expires: 100")
        #expect(policy.answer(invite) == .reject(Rejection(422, headers: [(.minSE, "120")])))
        let old = try Sample.request("INVITE", more: "Session-Expires: 100")
        #expect(
            policy.answer(old)
                == .agreed(
                    SessionExpires(seconds: 100, refresher: .uas),
                    headers: [.init(.sessionExpires, "100;refresher=uas")]),
            "put in by a proxy; the client could not read a 422")
    }

    /// RFC 4028 §4: "The minimum value for this header field is 90 seconds", whoever put it in.
    @Test(arguments: ["0", "1", "89"])
    func absurdIntervalOfAClientWithoutTimersBecomesTheLeast(_ seconds: String) throws {
        let invite = try Sample.request("INVITE", more: "Session-Expires: \(seconds)")
        #expect(
            policy.answer(invite)
                == .agreed(
                    SessionExpires(seconds: 90, refresher: .uas),
                    headers: [.init(.sessionExpires, "90;refresher=uas")]))
    }

    /// RFC 4028 §9 and Table 2.
    @Test func intervalIsLoweredAndTheRefresherChosen() throws {
        let plain = try Sample.request("INVITE", more: "Supported: timer\nSession-Expires: 1800")
        #expect(
            policy.answer(plain)
                == .agreed(
                    SessionExpires(seconds: 600, refresher: .uac),
                    headers: [.init(.sessionExpires, "600;refresher=uac"), .init(.require, "timer")]))
        let floor = try Sample.request("INVITE", more: "Supported: timer\nx: 1800;Refresher=UAS\nMin-SE: 900")
        #expect(
            policy.answer(floor)
                == .agreed(
                    SessionExpires(seconds: 900, refresher: .uas),
                    headers: [.init(.sessionExpires, "900;refresher=uas")]))
        let none = try Sample.request("INVITE")
        #expect(policy.answer(none) == .agreed(SessionExpires(seconds: 600, refresher: .uas), headers: []))
    }

    @Test func nonsenseIsABadRequest() throws {
        for value in ["soon", "-5", "1800;refresher=me"] {
            let invite = try Sample.request("INVITE", more: "Supported: timer\nSession-Expires: \(value)")
            #expect(policy.answer(invite) == .reject(Rejection(400)), "\(value)")
        }
    }

    @Test func clientReadsWhatWasAgreed() throws {
        let invite = try Sample.request("INVITE")
        let answer = try Sample.response(to: invite, 200, headers: [(.sessionExpires, "900;refresher=uas")])
        #expect(policy.agreed(by: answer) == SessionExpires(seconds: 900, refresher: .uas))
        #expect(policy.agreed(by: try Sample.response(to: invite, 200)) == nil)
        let small = try Sample.response(to: invite, 422, headers: [(.minSE, "1200")])
        #expect(policy.interval(after: small) == 1_200)
    }

    /// RFC 4028 §10: refresh at half the interval; expiry min(32 s, a third) before its end.
    @Test func refresherRefreshesAndTheOtherExpires() {
        var refresher = SessionTimer()
        #expect(
            refresher.handle(.agreed(seconds: 600, weRefresh: true)) == [
                .schedule(.refresh, .seconds(300)), .schedule(.expiry, .seconds(568)),
            ])
        #expect(refresher.handle(.fired(.refresh)) == [.refresh])
        #expect(
            refresher.handle(.agreed(seconds: 600, weRefresh: false)) == [
                .cancel(.refresh), .cancel(.expiry), .schedule(.expiry, .seconds(568)),
            ])
        #expect(refresher.handle(.fired(.expiry)) == [.expire])
        #expect(refresher.interval == nil)
        var short = SessionTimer()
        #expect(short.handle(.agreed(seconds: 90, weRefresh: false)) == [.schedule(.expiry, .seconds(60))])
        #expect(short.handle(.stopped) == [.cancel(.expiry)])
        #expect(short.handle(.fired(.expiry)) == [])
    }
}

@Suite struct SessionChangesTests {
    /// §14.2: a second INVITE before the final response to the first: 500 with Retry-After.
    @Test func secondInviteIsTooEarly() {
        var changes = SessionChanges()
        #expect(changes.receiveInvite(hasOffer: true) == .proceed)
        #expect(changes.receiveInvite(hasOffer: true) == .tooEarly)
        changes.answeredInvite()
        #expect(changes.receiveInvite(hasOffer: true) == .proceed)
    }

    /// §14.2: "while an INVITE it had sent on that dialog is in progress MUST return a 491".
    @Test func glareIs491() {
        var changes = SessionChanges()
        changes.sentInvite(hasOffer: true)
        #expect(changes.receiveInvite(hasOffer: true) == .pending)
        #expect(!changes.mayInvite)
        changes.inviteAnswered()
        #expect(changes.receiveInvite(hasOffer: true) == .proceed)
        #expect(!changes.mayInvite)
    }

    /// RFC 3311 §5.2.
    @Test func updateRespectsOffersInFlight() {
        var changes = SessionChanges()
        #expect(changes.receiveInvite(hasOffer: false) == .proceed)
        #expect(changes.receiveUpdate(hasOffer: false) == .proceed)
        changes.sentOfferInResponse()
        #expect(changes.receiveUpdate(hasOffer: true) == .pending)
        changes.answeredInvite()
        #expect(changes.receiveUpdate(hasOffer: true) == .pending, "the answer comes in the ACK")
        changes.settledLocalOffer()
        #expect(changes.receiveUpdate(hasOffer: true) == .proceed)
        #expect(changes.receiveUpdate(hasOffer: true) == .tooEarly)
        #expect(!changes.mayOffer)
        changes.settledRemoteOffer()
        #expect(changes.mayOffer)
    }

    /// §14.1: 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other, in steps of 10 ms.
    @Test func glareDelaysDoNotMeet() {
        var random = SeededRandom(seed: 1)
        for _ in 0..<500 {
            let owner = SessionChanges.retryDelay(ownsCallID: true, using: &random)
            let other = SessionChanges.retryDelay(ownsCallID: false, using: &random)
            #expect(owner >= .milliseconds(2_100) && owner <= .seconds(4))
            #expect(other >= .zero && other <= .seconds(2))
            #expect(owner.wholeMilliseconds % 10 == 0)
        }
    }
}
