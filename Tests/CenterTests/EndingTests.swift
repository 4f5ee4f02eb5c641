import Media
import Primitives
import SIP
import Session
import Store
import Testing

@testable import Center

@Suite struct EndingTests {
    @Test func hangUpByTheCallerIsOneRecord() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        bench.advance(by: .seconds(5))
        let bye = phone.text("BYE", cseq: 2)
        try phone.send(bye)
        try phone.send(bye)
        #expect(bench.responses(200, to: .bye).count == 2)
        let record = try #require(bench.records.first)
        #expect(bench.records.count == 1)
        #expect(record.end == .caller)
        #expect(record.duration == .seconds(5))
        #expect(record.path == ["language"])
        #expect(record.from == "alice")
        #expect(record.centers == ["center-a"])
        #expect(bench.isClosed(bench.lastCall))
        #expect(bench.isIdle)
        bench.advance(by: .seconds(1))
        #expect(bench.timerCount == 0)
    }

    /// RFC 3261 §15: a BYE may end an early dialog; its INVITE gets 487.
    @Test func byeBeforeTheAnswer() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).invite(headers: ["Require: 100rel"])
        try phone.hangUp()
        #expect(bench.responses(200, to: .bye).count == 1)
        #expect(bench.responses(487, to: .invite).count == 1)
        #expect(bench.records.map(\.end) == [.caller])
    }

    @Test func goodbyeOfTheMenuIsABYEAndARecord() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        try bench.press("2")
        try bench.listen()
        // Three silences.
        for _ in 0..<4 {
            bench.advance(by: .seconds(6))
            try bench.listen()
        }
        let bye = try #require(bench.requestsSent(.bye).first)
        #expect(bye.message.to.tag == "caller")
        #expect(bye.message.from.tag == phone.toTag)
        #expect(bye.message.first(.reason) == nil)
        #expect(bench.records.map(\.end) == [.menu])
        #expect(bench.records[0].path == ["language", "main", "goodbye"])
        #expect(!bench.isIdle)
        try phone.answer(200)
        #expect(bench.isIdle)
    }

    @Test func bothSidesHangUpAtOnce() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        bench.handle(.endAllCalls)
        try phone.hangUp()
        #expect(bench.responses(200, to: .bye).count == 1)
        #expect(bench.responses(481).isEmpty)
        try phone.answer(200)
        #expect(bench.records.count == 1)
        // Once the BYE's transaction is over, the dialog is gone.
        bench.advance(by: .seconds(5))
        try phone.hangUp()
        #expect(bench.responses(481, to: .bye).count == 1)
    }

    /// RFC 3261 §15: "the callee's UA … MUST NOT send a BYE on a confirmed dialog until it has received an ACK for its
    /// 2xx response or until the server transaction times out".
    @Test func byeWaitsForTheACK() throws {
        let bench = try CenterBench { $0.longestCall = .seconds(10) }
        let phone = try Phone(bench).invite()
        bench.advance(by: .seconds(11))
        #expect(bench.requestsSent(.bye).isEmpty)
        try phone.acknowledge()
        #expect(bench.requestsSent(.bye).count == 1)
        #expect(bench.records.map(\.end) == [.limit])
    }

    /// §13.3.1.4: "the dialog is confirmed, but the session SHOULD be terminated"; not while the caller is heard.
    @Test(arguments: ["audio", "digit", "OPTIONS"])
    func heardCallerNeedsNoACK(_ sign: String) throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        phone.line = "9664"
        try phone.invite()
        switch sign {
        case "audio":
            let source = try #require(Endpoint("192.0.2.5:4000"))
            bench.handle(.media(try #require(bench.lastCall), .latched(source)))
        case "digit": try bench.press("1")
        default: try phone.request(sign)
        }
        bench.advance(by: .seconds(40))
        #expect(bench.callCount == 1)
        #expect(bench.requestsSent(.bye).isEmpty)
        #expect(bench.responses(200, to: .invite).count > 8, "it is repeated to its limit")
        #expect(bench.call?.phase == .established)
        #expect(bench.checkpoints.last?.checkpoint.dialogs.first?.invite.acknowledged == true)
        try phone.hangUp()
        #expect(bench.records.map(\.end) == [.caller])
    }

    /// Our offer was in the 200: without the answer in the ACK there is nothing to hear.
    @Test func missingAnswerInTheACKEndsTheCallAllTheSame() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).invite("")
        try phone.request("OPTIONS")
        bench.advance(by: .seconds(40))
        #expect(Set(bench.requestsSent(.bye).map(\.message.cseq.number)).count == 1)
        #expect(bench.records.map(\.end) == [.lost])
    }

    /// The menu's end waits for the ACK, not for ever.
    @Test func endThatWaitsForTheACKComesThoughTheCallerIsHeard() throws {
        let bench = try CenterBench { $0.longestCall = .seconds(10) }
        try Phone(bench).invite()
        try bench.press("1")
        bench.advance(by: .seconds(40))
        #expect(Set(bench.requestsSent(.bye).map(\.message.cseq.number)).count == 1)
        #expect(bench.records.map(\.end) == [.limit])
    }

    @Test func longestCallIsEnded() throws {
        let bench = try CenterBench { $0.longestCall = .seconds(600) }
        let phone = Phone(bench)
        phone.line = "9664"
        try phone.establish()
        bench.advance(by: .seconds(599))
        #expect(bench.callCount == 1)
        bench.advance(by: .seconds(1))
        #expect(bench.requestsSent(.bye).first?.message.first(.reason)?.contains("SIP") == true)
        #expect(bench.records.map(\.end) == [.limit])
    }

    @Test func silenceForTheProfilesTimeEndsTheCallByThatLimit() throws {
        let bench = try CenterBench()
        try Phone(bench).establish()
        bench.handle(.media(try #require(bench.lastCall), .timedOut))
        #expect(bench.requestsSent(.bye).count == 1)
        #expect(bench.records.map(\.end) == [.limit])
    }

    @Test func endOfTheNodeEndsEveryCall() throws {
        let bench = try CenterBench()
        for number in 1...3 { try Phone(bench, callID: "call-\(number)").establish() }
        try Phone(bench, callID: "call-4").invite()
        bench.handle(.shutDown)
        #expect(bench.callCount == 4)
        bench.handle(.endAllCalls)
        #expect(bench.requestsSent(.bye).count == 4)
        #expect(bench.records.map(\.end) == [.operator, .operator, .operator, .operator])
    }

    // MARK: Session timers (RFC 4028)

    /// §10: the refresher sends its refresh at half the interval.
    @Test(arguments: [true, false])
    func sessionIsRefreshedByUs(_ allowsUPDATE: Bool) throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        phone.line = "9664"
        let allow = allowsUPDATE ? "Allow: INVITE, ACK, BYE, UPDATE" : "Allow: INVITE, ACK, BYE"
        try phone.establish(headers: ["Supported: timer", "Session-Expires: 600;refresher=uas", allow])
        #expect(bench.responses(200).first?.message.first(.sessionExpires) == "600;refresher=uas")
        let method: SIP.Method = allowsUPDATE ? .update : .invite
        bench.advance(by: .seconds(299))
        #expect(bench.requestsSent(method).isEmpty)
        for round in 1...3 {
            bench.advance(by: .seconds(round == 1 ? 1 : 300))
            let refresh = try #require(bench.requestsSent(method).last?.message)
            #expect(bench.requestsSent(method).count == round)
            #expect(refresh.first(.sessionExpires) == "600;refresher=uac")
            #expect(refresh.body.isEmpty == allowsUPDATE)
            try phone.answer(
                200, headers: ["Require: timer", "Session-Expires: 600;refresher=uac"],
                body: allowsUPDATE ? "" : Phone.offer)
            if !allowsUPDATE { #expect(bench.requestsSent(.ack).count == round) }
        }
        #expect(bench.callCount == 1)
        try phone.hangUp()
    }

    /// §10: without a refresh of the caller's, the session is over.
    @Test func sessionThatTheCallerDoesNotRefreshExpires() throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        phone.line = "9664"
        try phone.establish(headers: ["Supported: timer", "Session-Expires: 600;refresher=uac"])
        bench.advance(by: .seconds(500))
        try phone.request("UPDATE", headers: ["Supported: timer", "Session-Expires: 600;refresher=uac"])
        bench.advance(by: .seconds(567))
        #expect(bench.callCount == 1)
        bench.advance(by: .seconds(1))
        #expect(bench.requestsSent(.bye).count == 1)
        #expect(bench.records.map(\.end) == [.lost])
    }

    @Test func phoneWithoutSessionTimersGetsNone() throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        phone.line = "9664"
        try phone.establish()
        #expect(bench.responses(200).first?.message.first(.sessionExpires) == nil)
        bench.advance(by: .seconds(7_000))
        #expect(bench.callCount == 1)
    }

    @Test func refreshThatMetAnotherIsTriedAgain() throws {
        let bench = try CenterBench()
        let phone = try refreshing(bench)
        try phone.answer(491)
        bench.advance(by: .seconds(2))
        #expect(Set(bench.requestsSent(.update).map(\.message.cseq.number)).count == 2)
        try phone.answer(200, headers: ["Session-Expires: 600;refresher=uac"])
        bench.advance(by: .seconds(299))
        #expect(bench.callCount == 1)
    }

    @Test func updateThatIsNotServedIsFollowedByAReinvite() throws {
        let bench = try CenterBench()
        let phone = try refreshing(bench)
        try phone.answer(405)
        #expect(bench.requestsSent(.invite).count == 1)
        try phone.answer(200, headers: ["Session-Expires: 600;refresher=uac"], body: Phone.offer)
        #expect(bench.callCount == 1)
    }

    /// §7.3.
    @Test func longerIntervalIsTaken() throws {
        let bench = try CenterBench()
        let phone = try refreshing(bench)
        try phone.answer(422, headers: ["Min-SE: 3600"])
        #expect(bench.requestsSent(.update).last?.message.first(.sessionExpires) == "3600;refresher=uac")
        try phone.answer(200, headers: ["Session-Expires: 3600;refresher=uac"])
        bench.advance(by: .seconds(1_799))
        #expect(bench.requestsSent(.update).count == 2)
    }

    /// RFC 3261 §12.2.1.2.
    @Test func phoneThatForgotTheCallEndsIt() throws {
        let bench = try CenterBench()
        let phone = try refreshing(bench)
        try phone.answer(481)
        #expect(bench.requestsSent(.bye).isEmpty)
        #expect(bench.records.map(\.end) == [.caller])
    }

    @Test func phoneThatDoesNotAnswerARefreshIsLost() throws {
        let bench = try CenterBench()
        _ = try refreshing(bench)
        bench.advance(by: .seconds(32))
        #expect(bench.requestsSent(.bye).count == 1)
        #expect(bench.records.map(\.end) == [.lost])
    }

    /// A re-INVITE of ours is on its way when the caller's comes.
    @Test func glareIs491() throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        phone.line = "9664"
        try phone.establish(headers: ["Supported: timer", "Session-Expires: 600;refresher=uas"])
        bench.advance(by: .seconds(300))
        #expect(bench.requestsSent(.invite).count == 1)
        try phone.request("INVITE", body: Phone.offer)
        #expect(bench.responses(491, to: .invite).count == 1)
        try phone.request("UPDATE", body: Phone.offer)
        #expect(bench.responses(491, to: .update).count == 1)
    }

    /// Its 2xx comes after our BYE: it is acknowledged all the same (RFC 3261 §13.2.2.4).
    @Test func lateAnswerToOurReinviteIsAcknowledged() throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        phone.line = "9664"
        try phone.establish(headers: ["Supported: timer", "Session-Expires: 600;refresher=uas"])
        bench.advance(by: .seconds(300))
        let reinvite = try #require(bench.requestsSent(.invite).last)
        bench.handle(.endAllCalls)
        #expect(reinvite.message.cseq.number == 1)
        let answer = try phone.reply(200, to: reinvite.message, body: Phone.offer)
        try phone.send(answer)
        try phone.send(answer)
        #expect(bench.requestsSent(.ack).count == 2)
        #expect(bench.requestsSent(.ack).first?.message.cseq.number == 1)
    }

    private func refreshing(_ bench: CenterBench) throws -> Phone {
        let phone = Phone(bench)
        phone.line = "9664"
        try phone.establish(headers: ["Supported: timer", "Session-Expires: 600;refresher=uas", "Allow: UPDATE, BYE"])
        bench.advance(by: .seconds(300))
        #expect(bench.requestsSent(.update).count == 1)
        return phone
    }
}
