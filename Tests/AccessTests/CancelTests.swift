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
