import Media
import Primitives
import SDP
import SIP
import Session
import Store
import Testing

@testable import Center

@Suite struct DialogTests {
    // MARK: Checks of a user agent server (RFC 3261 §8.2)

    @Test(arguments: [
        ("REGISTER", 405, "Allow"), ("SUBSCRIBE", 405, "Allow"), ("BREW", 501, "Allow"),
    ])
    func methodsThatAreNotServed(_ method: String, _ status: Int, _ header: String) throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        try phone.send(phone.text(method))
        let refusal = try #require(bench.responses(status).first?.message)
        #expect(refusal.first(HeaderName.allow)?.contains("INVITE") == true)
    }

    @Test func requiredExtensionsThatAreUnknownAreNamed() throws {
        let bench = try CenterBench()
        try Phone(bench).invite(headers: ["Require: 100rel, replaces"])
        #expect(bench.responses(420).first?.message.first(.unsupported) == "replaces")
    }

    @Test func bodiesOfOtherKindsAre415() throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        try phone.send(phone.text("INVITE", body: "hello", type: "text/plain"))
        #expect(bench.responses(415).first?.message.first(.accept)?.contains("application/sdp") == true)
        // A digit is no offer.
        let other = Phone(bench, callID: "call-2")
        try other.send(other.text("INVITE", body: "5", type: "application/dtmf"))
        #expect(bench.responses(415).last?.message.first(.accept) == "application/sdp")
        #expect(bench.callCount == 0)
    }

    /// RFC 3261 §20.11: a part that need not be understood is passed over.
    @Test func optionalBodyOfAnotherKindIsNoOffer() throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        try phone.send(
            phone.text(
                "INVITE", headers: ["Content-Disposition: render;handling=optional"], body: "hi", type: "text/plain"))
        #expect(bench.responses(200, to: .invite).first?.message.body.isEmpty == false)
        #expect(bench.agreements.isEmpty)
    }

    @Test(arguments: ["BYE", "INFO", "UPDATE", "PRACK", "INVITE", "OPTIONS"])
    func requestsInADialogThatIsNotHereAre481(_ method: String) throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        phone.toTag = "center-a.k3f9x2.0123456789abcdef"
        try phone.send(phone.text(method))
        #expect(bench.responses(481).count == 1)
    }

    @Test func dialogOfAnotherCallerIsNotFoundByItsTagAlone() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        let stranger = Phone(bench, callID: "call-2")
        stranger.toTag = phone.toTag
        try stranger.hangUp()
        #expect(bench.responses(481, to: .bye).count == 1)
        #expect(bench.callCount == 1)
    }

    /// RFC 3261 §12.2.2.
    @Test func lowerSequenceNumberIs500() throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        phone.cseq = 10
        try phone.establish()
        try phone.send(phone.text("INFO", cseq: 9))
        #expect(bench.responses(500, to: .info).count == 1)
        try phone.request("INFO")
        #expect(bench.responses(200, to: .info).count == 1)
    }

    // MARK: Re-INVITE

    @Test func holdAndResumeChangeTheDirection() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        try phone.request("INVITE", body: Phone.sdp(direction: "sendonly", version: 2))
        let hold = try #require(bench.responses(200, to: .invite).last?.message)
        #expect(hold.bodyText.contains("a=recvonly"))
        #expect(bench.agreements.last?.direction == .recvonly)
        try phone.acknowledge()
        try phone.request("INVITE", body: Phone.sdp(version: 3))
        try phone.acknowledge()
        #expect(bench.agreements.last?.direction == .sendrecv)
        #expect(bench.callCount == 1)
        // RFC 3264 §8: the version grows by one with each change.
        let versions = try bench.responses(200, to: .invite).map {
            try SessionDescription(parsing: $0.message.bytes[$0.message.body]).origin.version
        }
        #expect(versions == [versions[0], versions[0] + 1, versions[0] + 2])
    }

    @Test func newAddressOfTheCallerIsTaken() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        phone.contact = "<sip:alice@192.0.2.77:5070>"
        try phone.request("INVITE", body: Phone.sdp(address: "192.0.2.77", port: 4010, version: 2))
        try phone.acknowledge()
        #expect(bench.agreements.last?.remoteRTP.description == "192.0.2.77:4010")
        bench.handle(.endAllCalls)
        #expect(bench.requestsSent(.bye).first?.flow.remote.description == "192.0.2.77:5070")
        #expect(bench.requestsSent(.bye).first?.message.requestURI?.host == "192.0.2.77")
    }

    /// RFC 3261 §14.2: after a 488 "the session … remains unchanged".
    @Test func reinviteWithNothingInCommonLeavesTheCallAsItWas() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        let agreed = bench.agreements.count
        try phone.request("INVITE", body: Phone.sdp(port: 4010, formats: "18", version: 2))
        #expect(bench.responses(488).first?.message.first(.warning) != nil)
        #expect(bench.agreements.count == agreed)
        try phone.acknowledge()
        try phone.hangUp()
        #expect(bench.records.map(\.end) == [.caller])
    }

    /// RFC 3261 §14.2 and RFC 5407: while the ACK is out, another INVITE has to wait.
    @Test func reinviteBeforeTheACKIs491() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).invite()
        try phone.request("INVITE", body: Phone.offer)
        #expect(bench.responses(491).count == 1)
        #expect(bench.callCount == 1)
    }

    @Test func reinviteBeforeTheAnswerIs500WithRetryAfter() throws {
        let bench = try CenterBench()
        bench.storeMode = .silent
        let phone = try Phone(bench).invite(headers: ["Require: 100rel"])
        bench.answerStore()
        phone.toTag = bench.responses(180).first?.message.to.tag
        try phone.request("INVITE", body: Phone.offer)
        let refusal = try #require(bench.responses(500).first?.message)
        let wait = try #require(refusal.first(.retryAfter).flatMap { Int($0) })
        #expect((0...10).contains(wait))
    }

    @Test func offerlessReinviteRepeatsOurDescription() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        try phone.request("INVITE")
        let offer = try #require(bench.responses(200, to: .invite).last?.message)
        #expect(offer.bodyText.contains("m=audio"))
        try phone.acknowledge(Phone.sdp(port: 4020, formats: "8 101", version: 2))
        #expect(bench.agreements.last?.remoteRTP.port == 4020)
        try phone.hangUp()
        #expect(bench.records.map(\.end) == [.caller])
    }

    @Test func tooShortIntervalInARefreshIs422AndChangesNothing() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish(headers: ["Supported: timer", "Session-Expires: 1800;refresher=uac"])
        try phone.request("UPDATE", headers: ["Supported: timer", "Session-Expires: 20"])
        #expect(bench.responses(422, to: .update).first?.message.first(.minSE) == "90")
        bench.advance(by: .seconds(1_000))
        #expect(bench.callCount == 1)
    }

    // MARK: UPDATE (RFC 3311)

    @Test func updateWithoutAnOfferRefreshesTheTarget() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        phone.contact = "<sip:alice@192.0.2.78>"
        try phone.request("UPDATE")
        let answer = try #require(bench.responses(200, to: .update).first?.message)
        #expect(answer.body.isEmpty)
        #expect(answer.contacts.count == 1)
        bench.handle(.endAllCalls)
        #expect(bench.requestsSent(.bye).first?.flow.remote.description == "192.0.2.78:5060")
    }

    @Test func updateWithAnOfferIsAnsweredWithADescription() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        try phone.request("UPDATE", body: Phone.sdp(direction: "inactive", version: 2))
        #expect(bench.responses(200, to: .update).first?.message.bodyText.contains("a=inactive") == true)
        #expect(bench.agreements.last?.direction == .inactive)
    }

    @Test func updateWithAnOfferBeforeTheAnswerHasToWait() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).invite(headers: ["Require: 100rel"])
        try phone.request("UPDATE", body: Phone.offer)
        #expect(bench.responses(500, to: .update).first?.message.first(.retryAfter) != nil)
        #expect(bench.agreements.isEmpty)
    }

    /// Of a re-INVITE without a description our offer stays unanswered: all is as it was (RFC 3261 §14.1).
    @Test func offerlessReInviteWithoutAnAnswerChangesNothing() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        let before = bench.call?.negotiation.agreement
        try phone.request("INVITE")
        #expect(bench.responses(200, to: .invite).count == 2)
        try phone.acknowledge()
        #expect(bench.callCount == 1)
        #expect(bench.call?.negotiation.agreement == before)
        #expect(bench.call?.negotiation.pendingOffer == nil)
        try phone.request("INVITE", body: Phone.sdp(direction: "sendonly", version: 2))
        #expect(bench.responses(200, to: .invite).count == 3)
    }

    // MARK: INFO

    /// RFC 3261 §12.2.1.1: numbers grow with each request, so the same one by another way is the same request: access
    /// may have sent it to two centers, of which one passed it on.
    @Test func sameRequestByTwoWaysPressesOneKey() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        for _ in 0..<2 {
            try phone.send(
                phone.text("INFO", cseq: phone.cseq + 1, body: "Signal=2", type: "application/dtmf-relay"))
        }
        #expect(bench.responses(200, to: .info).count == 2)
        #expect(bench.call?.menu?.state == "main")
    }

    @Test(arguments: [
        ("application/dtmf-relay", "Signal=2\r\nDuration=160\r\n"), ("Application/DTMF-Relay;x=y", "signal = 2\r\n"),
        ("application/dtmf", "2"), ("APPLICATION/DTMF", " 2\r\n"),
    ])
    func digitsComeByINFO(_ type: String, _ body: String) throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        try phone.request("INFO", body: body, type: type)
        #expect(bench.responses(200, to: .info).count == 1)
        #expect(bench.timeline.contains { $0.detail == "language en" })
    }

    @Test(arguments: [
        ("10", "*"), ("11", "#"), ("12", "A"), ("15", "D"), ("*", "*"), ("#", "#"), ("a", "A"), ("D", "D"), ("0", "0"),
    ])
    func namesOfKeys(_ text: String, _ key: Character) throws {
        let digit = try #require(Digit(key))
        #expect(InfoSignal(body: "Signal=\(text)", contentType: "application/dtmf-relay") == .key(digit))
        #expect(InfoSignal(body: text, contentType: "application/dtmf") == .key(digit))
    }

    @Test(arguments: ["16", "!", "hf", "55", "05", "x", "flash", "-1", "🙂"])
    func otherSignalsAreNoKeys(_ text: String) {
        #expect(InfoSignal(body: "Signal=\(text)", contentType: "application/dtmf-relay") == .outOfRange)
        #expect(InfoSignal(body: text, contentType: "application/dtmf") == .outOfRange)
    }

    @Test(arguments: ["Signal=", "Duration=100", "", "Signal", "=5", " \r\n"])
    func junkIsNoSignal(_ body: String) {
        #expect(InfoSignal(body: body, contentType: "application/dtmf-relay") == nil)
        #expect(InfoSignal(body: " \r\n", contentType: "application/dtmf") == nil)
        #expect(InfoSignal(body: "5", contentType: "text/plain") == nil)
    }

    @Test func aHookFlashIsTakenAndPassedOver() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        let before = bench.timeline.count
        for body in ["Signal=16\r\nDuration=160\r\n", "Signal=!"] {
            try phone.request("INFO", body: body, type: "application/dtmf-relay")
        }
        #expect(bench.responses(200, to: .info).count == 2)
        #expect(bench.timeline.count == before)
        #expect(bench.notes.count { $0 == .rejected(reason: .body) } == 2)
    }

    @Test func junkIsAnswered415() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        try phone.request("INFO", body: "Duration=100", type: "application/dtmf-relay")
        #expect(bench.responses(415).first?.message.first(.accept) == "application/dtmf-relay, application/dtmf")
        try phone.request("INFO")
        #expect(bench.responses(200, to: .info).count == 1)
    }

    // MARK: 100rel (RFC 3262)

    @Test func reliableRingingWaitsForItsPRACK() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).invite(headers: ["Require: 100rel"])
        let ringing = try #require(bench.responses(180).first?.message)
        #expect(ringing.first(.require) == "100rel")
        let rseq = try #require(ringing.first(.rseq))
        #expect(bench.responses(200).isEmpty)
        // §3: repeated at T1, doubling.
        bench.advance(by: .milliseconds(1_500))
        #expect(bench.responses(180).count == 3)
        try phone.request("PRACK", headers: ["RAck: \(rseq) 7 INVITE"])
        #expect(bench.responses(481, to: .prack).count == 1)
        try phone.request("PRACK", headers: ["RAck: \(rseq) 1 INVITE"])
        #expect(bench.responses(200, to: .prack).count == 1)
        #expect(bench.responses(200, to: .invite).count == 1)
        bench.advance(by: .milliseconds(400))
        #expect(bench.responses(180).count == 3)
        try phone.acknowledge(cseq: 1)
        try phone.hangUp()
        #expect(bench.records.map(\.end) == [.caller])
    }

    @Test func ringingWithoutPRACKIsGivenUpWithARecord() throws {
        let bench = try CenterBench()
        try Phone(bench).invite(headers: ["Require: 100rel"])
        bench.advance(by: .seconds(32))
        #expect(bench.responses(504, to: .invite).first?.at.nanoseconds == 32_000_000_000)
        #expect(bench.records.map(\.end) == [.lost])
        #expect(bench.callCount == 0)
    }

    /// RFC 3261 §13.2.1: without an offer in the INVITE, ours is in the first reliable response.
    @Test func offerInTheReliableResponseHasItsAnswerInThePRACK() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).invite("", headers: ["Require: 100rel"])
        let ringing = try #require(bench.responses(180).first?.message)
        #expect(ringing.bodyText.contains("m=audio"))
        let rseq = try #require(ringing.first(.rseq))
        try phone.request("PRACK", headers: ["RAck: \(rseq) 1 INVITE"], body: Phone.sdp(port: 4100, formats: "0 101"))
        #expect(bench.responses(200, to: .invite).first?.message.body.isEmpty == true)
        #expect(bench.agreements.last?.remoteRTP.port == 4100)
        try phone.acknowledge(cseq: 1)
        #expect(bench.callCount == 1)
        #expect(bench.requestsSent(.bye).isEmpty)
    }

    @Test func cancelWhileRingingReliably() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).invite(headers: ["Require: 100rel"])
        let cancel = phone.text("CANCEL", branch: phone.lastBranch)
        try phone.send(cancel.replacing(";tag=\(try #require(phone.toTag))", with: ""))
        #expect(bench.responses(487, to: .invite).count == 1)
        bench.forgetSent()
        bench.advance(by: .seconds(10))
        #expect(bench.responses(180).isEmpty)
        #expect(bench.records.map(\.end) == [.caller])
    }

    // MARK: The way of our requests

    @Test func requestsFollowTheRouteSet() throws {
        let bench = try CenterBench()
        let phone = Phone(bench, flow: Phone.master)
        phone.recordRoutes = ["<sip:10.0.0.5:5060;lr>", "<sip:10.0.0.6:5062;lr>"]
        try phone.establish()
        bench.handle(.endAllCalls)
        let bye = try #require(bench.requestsSent(.bye).first)
        #expect(bye.flow.remote.description == "10.0.0.5:5060")
        #expect(bye.message.routes.map(\.uri.host) == ["10.0.0.5", "10.0.0.6"])
        #expect(bye.message.requestURI?.host == "192.0.2.5")
    }

    @Test(arguments: [
        ("sip:alice@phone.example.org", "192.0.2.5:5060", Transport.udp),
        ("sip:alice@phone.example.org;maddr=192.0.2.9", "192.0.2.9:5060", .udp),
        ("sip:alice@192.0.2.9:5099;transport=tcp", "192.0.2.9:5099", .tcp),
        ("sip:alice@192.0.2.9;transport=UDP", "192.0.2.9:5060", .udp),
        ("sip:alice@192.0.2.9;transport=sctp", "192.0.2.9:5060", .udp),
    ])
    func nextHops(_ contact: String, _ remote: String, _ transport: Transport) throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        phone.contact = "<\(contact)>"
        try phone.establish()
        bench.handle(.endAllCalls)
        let bye = try #require(bench.requestsSent(.bye).first)
        #expect(bye.flow.remote.description == remote)
        #expect(bye.flow.transport == transport)
        #expect(bye.message.via.first?.transport == transport)
    }

    @Test func requestsUseTheConnectionOfTheCallerWhileThereIsOne() throws {
        let bench = try CenterBench()
        let flow = Flow(transport: .tcp, remote: Endpoint(.v4(0xC000_0205), port: 40_001), connection: 7)
        let phone = Phone(bench, flow: flow)
        phone.contact = "<sip:alice@192.0.2.5:5060;transport=tcp>"
        try phone.establish()
        #expect(bench.responses(200, to: .invite).first?.message.contacts.first?.uri.parameters.count == 1)
        // It came back by another.
        phone.flow.connection = 8
        try phone.request("INFO")
        bench.handle(.unreachable(flow))
        bench.handle(.endAllCalls)
        #expect(bench.requestsSent(.bye).first?.flow.connection == 8)
    }

    @Test func byeGoesByANewConnectionWhenTheOldOneIsGone() throws {
        let bench = try CenterBench()
        let flow = Flow(transport: .tcp, remote: Endpoint(.v4(0xC000_0205), port: 40_001), connection: 7)
        let phone = Phone(bench, flow: flow)
        phone.contact = "<sip:alice@192.0.2.5:5060;transport=tcp>"
        try phone.establish()
        bench.handle(.unreachable(flow))
        bench.handle(.endAllCalls)
        let bye = try #require(bench.requestsSent(.bye).first)
        #expect(bye.flow == Flow(transport: .tcp, remote: Endpoint(.v4(0xC000_0205), port: 5060)))
    }

    @Test func byeIsSaidAgainWhenItsConnectionBreaks() throws {
        let bench = try CenterBench()
        let flow = Flow(transport: .tcp, remote: Endpoint(.v4(0xC000_0205), port: 40_001), connection: 7)
        let phone = Phone(bench, flow: flow)
        phone.contact = "<sip:alice@192.0.2.5:5060;transport=tcp>"
        try phone.establish()
        bench.handle(.endAllCalls)
        bench.handle(.unreachable(flow))
        #expect(bench.requestsSent(.bye).map(\.flow.connection) == [7, 0])
        #expect(!bench.isIdle)
        try phone.answer(200)
        #expect(bench.isIdle)
        #expect(bench.records.count == 1)
    }
}
