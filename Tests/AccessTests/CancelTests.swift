import Primitives
import Routing
import SIP
import Testing

@testable import Access

@Suite struct CancelTests {
    private func cancel() throws -> Message { try Known.request("CANCEL") }

    @Test func cancelBeforeAnyResponseWaitsForOne() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        _ = stage.news()
        stage.receive(try cancel())
        // §9.1: "If no provisional response has been received, the CANCEL request MUST NOT be sent".
        #expect(stage.news() == ["200 → caller"])
        try stage.answer(100, from: .centerA)
        #expect(stage.news() == ["CANCEL → center-a"])
        try stage.answer(487, from: .centerA)
        #expect(stage.news() == ["ACK → center-a", "487 → caller"])
    }

    @Test func cancelledCallIsNotTriedAtTheNextCenter() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        stage.receive(try cancel())
        _ = stage.news()
        stage.advance(by: .milliseconds(300))
        #expect(stage.news() == ["OPTIONS → center-a", "487 → caller"])
    }

    @Test(arguments: [100, 180]) func cancelWhileRingingReachesTheCenter(status: Int) throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        try stage.answer(status, from: .centerA)
        _ = stage.news()
        stage.receive(try cancel())
        #expect(stage.news().sorted() == ["200 → caller", "CANCEL → center-a"])
        let invite = try stage.last(to: .centerA, "INVITE")
        let sent = try stage.last(to: .centerA, "CANCEL")
        #expect(sent.via.first?.branch == invite.via.first?.branch, "§9.1: the CANCEL has the INVITE's branch")
        try stage.answer(487, from: .centerA)
        #expect(stage.news() == ["ACK → center-a", "487 → caller"])
    }

    @Test func centerThatDiesWhileBeingCancelledEndsTheCall() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        try stage.answer(180, from: .centerA)
        stage.receive(try cancel())
        _ = stage.news()
        stage.tell(.unreachable(.centerA))
        #expect(stage.news() == ["487 → caller"])
    }

    @Test func cancelAfterTheAnswerChangesNothing() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        try stage.answer(200, from: .centerA)
        _ = stage.news()
        stage.receive(try cancel())
        #expect(stage.news() == ["200 → caller"])
    }

    @Test func cancelAtTheSecondCenterGoesThere() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        stage.advance(by: .milliseconds(300))
        try stage.answer(180, from: .centerB)
        _ = stage.news()
        stage.receive(try cancel())
        #expect(stage.news().contains("CANCEL → center-b"))
    }

    @Test func cancelOfNothingIs481() throws {
        var stage = try AccessStage()
        stage.receive(try cancel())
        #expect(stage.news() == ["481 → caller"])
    }

    // MARK: Answers of centers that were given up

    @Test func lateRingingIsCancelled() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        stage.advance(by: .milliseconds(300))
        _ = stage.news()
        try stage.answer(180, from: .centerA)
        #expect(stage.news() == ["CANCEL → center-a"])
    }

    @Test func lateAnswerIsAcknowledgedAndEnded() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        stage.advance(by: .milliseconds(300))
        try stage.answer(200, from: .centerB)
        _ = stage.news()
        try stage.answer(200, from: .centerA)
        #expect(stage.news() == ["ACK → center-a", "BYE → center-a"])
        let bye = try stage.last(to: .centerA, "BYE")
        #expect(bye.to.tag == Known.tagA)
        #expect(bye.from.tag == "c-1")
        #expect(bye.cseq.number == 2)
    }

    /// RFC 3261 §14.1: what becomes of a re-INVITE does not end its dialog. A stray ICMP message made another center
    /// answer it; the late 2xx, and each copy of it, is acknowledged and no more.
    @Test(arguments: [0, 100, 180]) func lateAnswerToAReinviteLeavesTheCallAlone(provisional: Int) throws {
        var stage = try AccessStage()
        _ = try stage.answeredCall()
        stage.receive(try Known.request("INVITE", branch: "z9hG4bKre", toTag: Known.tagA, cseq: 2))
        if provisional > 0 { try stage.answer(provisional, from: .centerA) }
        _ = stage.news()
        stage.tell(.unreachable(.centerA))
        #expect(stage.news().last == "INVITE → center-b")
        for _ in 0..<2 {
            try stage.answer(200, from: .centerA)
            #expect(stage.news() == ["ACK → center-a"])
        }
        let ack = try stage.last(to: .centerA, "ACK")
        #expect(ack.cseq.number == 2)
        #expect(ack.to.tag == Known.tagA && ack.from.tag == "c-1")
        #expect(stage.core.report.counters.lateAnswers == 0)
        try stage.answer(200, from: .centerB)
        #expect(stage.news() == ["200 → caller"])
        try stage.answer(200, from: .centerA)
        #expect(stage.news() == ["ACK → center-a"], "also after the request was answered")
    }

    @Test func repeatedLateAnswerGetsOneBYE() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        stage.advance(by: .milliseconds(300))
        try stage.answer(200, from: .centerA)
        let bye = try stage.last(to: .centerA, "BYE")
        stage.receive(try Known.answer(to: bye, 200, from: .centerA), from: .centerA)
        _ = stage.news()
        try stage.answer(200, from: .centerA)
        #expect(stage.news() == ["ACK → center-a"])
        #expect(stage.core.report.counters.lateAnswers == 1)
    }
}
