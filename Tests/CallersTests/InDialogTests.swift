import Primitives
import SDP
import SIP
import Testing

@testable import Callers

@Suite struct InDialogTests {
    @Test func reinviteWithAChangedAddressMovesTheAudio() throws {
        let bench = try Bench()
        let (invite, _) = try #require(try bench.connect())
        bench.advance(by: .seconds(1))
        // A new owner of the call: its own address in Contact and c=, CSeq jumped ahead.
        try bench.deliver(
            bench.request(
                .invite, in: invite, cseq: 1001, from: Bench.otherCenter, branch: "r1",
                body: Bench.answer(port: 20_000, version: 2)), from: Bench.otherCenter)
        let response = try #require(bench.takeResponse(.invite))
        #expect(response.status == 200)
        #expect(response.contacts.first?.uri.port == 40_000)
        #expect(bench.agreements.last?.remoteRTP.port == 20_000)
        try bench.deliver(
            bench.request(.ack, in: invite, cseq: 1001, from: Bench.otherCenter, branch: "r2"),
            from: Bench.otherCenter)
        bench.advance(by: .seconds(9))
        // RFC 3261 §12.2.1.2: target refresh; our BYE goes to the new owner.
        let bye = try #require(bench.take(.bye))
        #expect(bye.flow.remote == Bench.otherCenter)
        try bench.respond(200, to: bye.message, from: Bench.otherCenter)
        #expect(bench.row?.reinvites == 1)
        #expect(bench.row?.moves == 1)
        #expect(bench.report.moved == 1)
        #expect(bench.row?.end == "held")
    }

    @Test func aRefreshThatChangesNoAddressIsNoMove() throws {
        let bench = try Bench()
        let (invite, _) = try #require(try bench.connect())
        try bench.deliver(
            bench.request(.invite, in: invite, cseq: 2, branch: "r1", body: Bench.answer(version: 2)))
        try bench.deliver(bench.request(.ack, in: invite, cseq: 2, branch: "r2"))
        #expect(bench.row?.reinvites == 1)
        #expect(bench.row?.moves == 0)
        #expect(bench.report.moved == 0)
    }

    @Test func our200IsRepeatedUntilItsACK() throws {
        let bench = try Bench(hold: 60)
        let (invite, _) = try #require(try bench.connect())
        let reinvite = bench.request(
            .invite, in: invite, cseq: 2, branch: "r1", body: Bench.answer(port: 10_002, version: 2))
        try bench.deliver(reinvite)
        // RFC 3261 §13.3.1.4: after T1, then doubled.
        bench.advance(by: .milliseconds(1_500))
        #expect(bench.sent.count { $0.message.status == 200 } == 3)
        // The peer's repetition brings no second re-INVITE.
        try bench.deliver(reinvite)
        #expect(bench.row?.reinvites == 1)
        bench.sent = []
        try bench.deliver(bench.request(.ack, in: invite, cseq: 2, branch: "r2"))
        bench.advance(by: .seconds(10))
        #expect(bench.sent.isEmpty)
    }

    @Test func aReinviteThatIsNeverAcknowledgedEndsTheCall() throws {
        let bench = try Bench(hold: 60)
        let (invite, _) = try #require(try bench.connect())
        try bench.deliver(
            bench.request(.invite, in: invite, cseq: 2, branch: "r1", body: Bench.answer(version: 2)))
        bench.advance(by: .seconds(32))
        #expect(bench.take(.bye) != nil)
        #expect(bench.report.dropped == 1)
    }

    @Test func holdAndResumeAreAnswered() throws {
        let bench = try Bench()
        let (invite, _) = try #require(try bench.connect())
        try bench.deliver(
            bench.request(
                .invite, in: invite, cseq: 2, branch: "h1", body: Bench.answer(version: 2, direction: "inactive")))
        #expect(bench.agreements.last?.direction == .inactive)
        try bench.deliver(bench.request(.ack, in: invite, cseq: 2, branch: "h2"))
        try bench.deliver(
            bench.request(.invite, in: invite, cseq: 3, branch: "h3", body: Bench.answer(version: 3)))
        #expect(bench.agreements.last?.direction == .sendrecv)
        #expect(bench.row?.reinvites == 2)
    }

    @Test func offerlessReinviteTakesItsAnswerFromTheACK() throws {
        let bench = try Bench()
        let (invite, _) = try #require(try bench.connect())
        try bench.deliver(bench.request(.invite, in: invite, cseq: 2, branch: "o1"))
        let response = try #require(bench.takeResponse(.invite))
        #expect(response.description?.media.first?.port == 30_001)
        #expect(bench.agreements.count == 1)
        try bench.deliver(
            bench.request(.ack, in: invite, cseq: 2, branch: "o2", body: Bench.answer(port: 10_008, version: 2)))
        #expect(bench.agreements.last?.remoteRTP.port == 10_008)
    }

    @Test func updateChangesTheSessionToo() throws {
        let bench = try Bench()
        let (invite, _) = try #require(try bench.connect())
        try bench.deliver(
            bench.request(.update, in: invite, cseq: 2, branch: "u1", body: Bench.answer(port: 10_004, version: 2)))
        // RFC 3311 §5.2: the answer is in the 2xx.
        #expect(bench.takeResponse(.update)?.description != nil)
        #expect(bench.agreements.last?.remoteRTP.port == 10_004)
        // Without a body it is a refresh.
        try bench.deliver(bench.request(.update, in: invite, cseq: 3, branch: "u2"))
        #expect(bench.takeResponse(.update)?.status == 200)
        #expect(bench.row?.updates == 2)
    }

    @Test func byeOfTheOtherSideIsADroppedCall() throws {
        let bench = try Bench()
        let (invite, _) = try #require(try bench.connect())
        bench.advance(by: .seconds(3))
        try bench.deliver(
            bench.request(
                .bye, in: invite, cseq: 2, branch: "b1", headers: [(.reason, "SIP;cause=480;text=\"the node ends\"")]))
        #expect(bench.takeResponse(.bye)?.status == 200)
        #expect(bench.closed[1] == MonotonicTime(nanoseconds: 3_000_000_000))
        #expect(bench.isFinished)
        #expect(bench.report.dropped == 1)
        #expect(bench.report.lost == 1)
        #expect(bench.row?.detail == "SIP;cause=480;text=\"the node ends\"")
    }

    @Test func byeWhereThePlanExpectsItIsNoLoss() throws {
        let bench = try Bench(plan: "1e")
        let (invite, _) = try #require(try bench.connect())
        bench.handle(.pressed(1))
        try bench.deliver(bench.request(.bye, in: invite, cseq: 2, branch: "b1"))
        #expect(bench.report.dropped == 0)
        #expect(bench.report.hungUpOn == 1)
        #expect(bench.row?.end == "expected")
    }

    @Test func aMenusGoodbyeAfterThePlanIsNoLossButOneBeforeItsEndIs() throws {
        for (isDone, end) in [(true, "menu"), (false, "dropped")] {
            let bench = try Bench(plan: "1")
            let (invite, _) = try #require(try bench.connect())
            if isDone { bench.handle(.pressed(1)) }
            // Longer without audio would be a loss of its own.
            bench.advance(by: .seconds(1))
            try bench.deliver(bench.request(.bye, in: invite, cseq: 2, branch: "b1"))
            #expect(bench.row?.end == end)
            #expect(bench.report.lost == (isDone ? 0 : 1))
            #expect(bench.report.hungUpOn == (isDone ? 1 : 0))
        }
    }

    /// RFC 3326: a node that goes down or moves its calls away says so.
    @Test func anEndWithAReasonIsADroppedCallAlsoAfterThePlan() throws {
        let bench = try Bench(plan: "1")
        let (invite, _) = try #require(try bench.connect())
        bench.handle(.pressed(1))
        try bench.deliver(
            bench.request(
                .bye, in: invite, cseq: 2, branch: "b1", headers: [(.reason, "SIP;cause=480;text=\"drained\"")]))
        #expect(bench.row?.end == "dropped")
        #expect(bench.report.lost == 1)
    }

    @Test func aCallThatTheOtherSideForgotIsDropped() throws {
        let bench = try Bench(hold: 1)
        _ = try #require(try bench.connect())
        bench.advance(by: .seconds(1))
        let bye = try #require(bench.take(.bye))
        try bench.respond(481, to: bye.message)
        #expect(bench.report.dropped == 1)
    }

    @Test func anUnansweredByeDoesNotHoldUpTheReport() throws {
        let bench = try Bench(hold: 1)
        _ = try #require(try bench.connect())
        bench.advance(by: .seconds(1))
        #expect(!bench.isFinished)
        bench.advance(by: .seconds(4))
        #expect(bench.isFinished)
        #expect(bench.row?.end == "held")
        #expect(bench.row?.talkMs == 1000)
    }

    @Test func optionsIsAnsweredInsideAndOutsideADialog() throws {
        let bench = try Bench()
        let (invite, _) = try #require(try bench.connect())
        try bench.deliver(bench.request(.options, in: invite, cseq: 2, branch: "p1"))
        #expect(bench.takeResponse(.options)?.status == 200)
        let outside = MessageWriter.request(
            method: .options, uri: invite.contacts[0].uri,
            via: Via(transport: .udp, host: "127.0.0.1", port: 5081, branch: "z9hG4bKp2"),
            from: NameAddress(uri: URI(host: "127.0.0.1"), parameters: [Parameter("tag", "x")]),
            to: NameAddress(uri: URI(host: "127.0.0.1")), callID: "elsewhere", cseq: 1)
        try bench.deliver(outside)
        #expect(bench.takeResponse(.options)?.status == 200)
    }

    @Test func requestsOfNoDialogAreRefused() throws {
        let bench = try Bench()
        let (invite, _) = try #require(try bench.connect())
        // RFC 3261 §12.2.2: no dialog matches: 481.
        try bench.deliver(bench.request(.bye, in: invite, cseq: 2, tag: "stranger", branch: "x1"))
        #expect(bench.takeResponse(.bye)?.status == 481)
        try bench.deliver(bench.request(.info, in: invite, cseq: 2, branch: "x2"))
        #expect(bench.takeResponse(.info)?.status == 405)
        #expect(bench.report.callers.first?.end == "interrupted")
    }

    @Test func aLowerSequenceNumberIsRefused() throws {
        let bench = try Bench()
        let (invite, _) = try #require(try bench.connect())
        try bench.deliver(
            bench.request(.invite, in: invite, cseq: 50, branch: "s1", body: Bench.answer(version: 2)))
        try bench.deliver(bench.request(.update, in: invite, cseq: 49, branch: "s2"))
        // RFC 3261 §12.2.2: "the request is out of order and MUST be rejected with a 500".
        #expect(bench.takeResponse(.update)?.status == 500)
    }
}
