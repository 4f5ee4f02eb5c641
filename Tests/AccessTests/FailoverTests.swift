import Foundation
import Primitives
import Routing
import SIP
import Testing

@testable import Access

@Suite struct FailoverTests {
    @Test func inviteIsAnswered100AndGoesToTheHomeCenter() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        #expect(stage.news() == ["100 → caller", "INVITE → center-a"])
        try stage.answer(180, from: .centerA)
        try stage.answer(200, from: .centerA)
        #expect(stage.news() == ["180 → caller", "200 → caller"])
        #expect(stage.core.isIdle)
    }

    @Test func silentCenterIsPassedOverAfterItsTime() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        _ = stage.news()
        stage.advance(by: .milliseconds(299))
        #expect(stage.news() == [])
        stage.advance(by: .milliseconds(1))
        #expect(stage.news() == ["OPTIONS → center-a", "INVITE → center-b"])
        #expect(stage.reports == ["center-a unanswered"])
        try stage.answer(200, from: .centerB)
        #expect(stage.news() == ["200 → caller"])
    }

    @Test func tryingEndsTheWaitForAFirstResponse() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        try stage.answer(100, from: .centerA)
        _ = stage.news()
        stage.advance(by: .seconds(5))
        #expect(stage.news() == [], "100 is not passed on, and nothing is repeated")
    }

    @Test(arguments: [100, 180]) func centerThatFallsByTableIsReplacedThoughItAnswered(status: Int) throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        try stage.answer(status, from: .centerA)
        _ = stage.news()
        stage.tell(.table(Known.table(2, [.centerA.with(state: .down), .centerB])))
        #expect(stage.news().contains("INVITE → center-b"))
        try stage.answer(200, from: .centerB)
        #expect(stage.news().last == "200 → caller")
    }

    @Test func restartedCenterCountsAsFallen() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        try stage.answer(180, from: .centerA)
        _ = stage.news()
        stage.tell(.table(Known.table(2, [.centerA.with(state: .up, incarnation: "k9"), .centerB])))
        #expect(stage.news().contains("INVITE → center-b"))
    }

    @Test(arguments: [100, 180]) func refusalByICMPReplacesACenterThatAnswered(status: Int) throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        try stage.answer(status, from: .centerA)
        _ = stage.news()
        stage.tell(.unreachable(.centerA))
        #expect(stage.news().contains("INVITE → center-b"))
        #expect(stage.reports == ["center-a refused"])
    }

    @Test func suspectedCenterGetsNoNewCall() throws {
        var stage = try AccessStage()
        stage.tell(.unreachable(.centerA))
        stage.receive(try Known.request("INVITE"))
        #expect(stage.news() == ["100 → caller", "INVITE → center-b"])
    }

    @Test func thirdSilenceMakesEveryWaitingCallMoveOn() throws {
        var stage = try AccessStage()
        // A call that rings at the center which then falls silent for three others.
        stage.receive(try Known.request("INVITE", branch: "z9hG4bKr", fromTag: "r", callID: "ringing"))
        try stage.answer(180, from: .centerA)
        for index in 0..<3 {
            stage.receive(
                try Known.request("INVITE", branch: "z9hG4bK\(index)", fromTag: "f\(index)", callID: "call-\(index)"))
        }
        _ = stage.news()
        stage.advance(by: .milliseconds(300))
        let invites = stage.news().filter { $0 == "INVITE → center-b" }
        #expect(invites.count == 4, "three by silence, the ringing one because the center is suspected")
    }

    @Test func busyCenterIsPassedOver() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        try stage.answer(503, from: .centerA)
        #expect(stage.news() == ["100 → caller", "INVITE → center-a", "ACK → center-a", "INVITE → center-b"])
    }

    @Test(arguments: [403, 404, 486, 488, 500, 600, 603]) func declineIsPassedOnAtOnce(status: Int) throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        _ = stage.news()
        try stage.answer(status, from: .centerA)
        #expect(stage.news() == ["ACK → center-a", "\(status) → caller"])
    }

    @Test func redirectionIsPassedOn() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        try stage.answer(302, from: .centerA)
        #expect(stage.news().last == "302 → caller")
    }

    @Test func whatACenterSaidIsBetterThanTheSilenceOfAnother() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        stage.advance(by: .milliseconds(300))
        _ = stage.news()
        try stage.answer(486, from: .centerB)
        #expect(stage.news() == ["ACK → center-b", "486 → caller"])
    }

    @Test func noCenterLeftIs503WithRetryAfter() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        stage.advance(by: .milliseconds(600))
        let final = try stage.last(to: .caller)
        #expect(final.status == 503)
        #expect(final.first(.retryAfter) == "2")
    }

    @Test func all503IsAnsweredWithARetryAfterOfOurOwn() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        try stage.answer(503, from: .centerA, headers: [(.retryAfter, "99")])
        try stage.answer(503, from: .centerB, headers: [(.retryAfter, "99")])
        let final = try stage.last(to: .caller)
        #expect(final.status == 503)
        #expect(final.values(of: .retryAfter) == ["2"])
    }

    @Test func withoutAnyCenterTheCallerHearsAtOnce() throws {
        var stage = try AccessStage(centers: [])
        stage.receive(try Known.request("INVITE"))
        #expect(stage.news() == ["100 → caller", "503 → caller"])
    }

    @Test func attemptsAreLimited() throws {
        var stage = try AccessStage { $0.attempts = 1 }
        stage.receive(try Known.request("INVITE"))
        _ = stage.news()
        stage.advance(by: .milliseconds(300))
        #expect(stage.news() == ["OPTIONS → center-a", "503 → caller"])
    }

    @Test func ringingForTooLongIsCancelled() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        try stage.answer(180, from: .centerA)
        _ = stage.news()
        stage.advance(by: .seconds(180))
        #expect(stage.news() == [])
        stage.advance(by: .seconds(1))
        #expect(stage.news() == ["CANCEL → center-a"])
        try stage.answer(487, from: .centerA)
        #expect(stage.news() == ["ACK → center-a", "487 → caller"])
    }

    @Test func repeatedINVITEIsAbsorbed() throws {
        var stage = try AccessStage()
        let invite = try Known.request("INVITE")
        stage.receive(invite)
        _ = stage.news()
        stage.receive(invite)
        #expect(stage.news() == ["100 → caller"])
        try stage.answer(180, from: .centerA)
        _ = stage.news()
        stage.receive(invite)
        #expect(stage.news() == ["180 → caller"])
    }

    @Test func repeatedAnswerReachesTheCallerUntilItIsAcknowledged() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        try stage.answer(200, from: .centerA)
        _ = stage.news()
        // RFC 6026 §7.1: "any retransmissions of the 2xx … are passed up to the TU".
        stage.advance(by: .milliseconds(500))
        try stage.answer(200, from: .centerA)
        #expect(stage.news() == ["200 → caller"])
    }

    @Test func everyAttemptHasItsOwnBranchAndSession() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        stage.advance(by: .milliseconds(300))
        let first = try stage.last(to: .centerA, "INVITE")
        let second = try stage.last(to: .centerB, "INVITE")
        #expect(first.via.first?.branch != second.via.first?.branch)
        // The center that fell may have stored its session: under the same id the next one would not be its owner.
        #expect(first.first(.tandemSession) != second.first(.tandemSession))
        #expect(second.values(of: .tandemSession).count == 1)
        #expect(second.maxForwards == 69)
    }

    @Test func standstillOfThisNodeIsNotBlamedOnCenters() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        _ = stage.news()
        stage.now = stage.now + .seconds(2)
        stage.tell(.starved)
        stage.advance(by: .milliseconds(100))
        #expect(!stage.news().contains("INVITE → center-b"))
        #expect(stage.reports == [])
        stage.advance(by: .milliseconds(200))
        #expect(stage.news().contains("INVITE → center-b"))
    }

    @Test func mastersHearOfACenterAtMostTwiceASecond() throws {
        var stage = try AccessStage()
        for _ in 0..<100 {
            stage.tell(.unreachable(.centerA))
            stage.advance(by: .milliseconds(10))
        }
        #expect(stage.reports == ["center-a refused", "center-a refused"])
    }

    @Test func timeFromINVITEToAnswerIsKept() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        stage.advance(by: .milliseconds(20))
        try stage.answer(200, from: .centerA)
        #expect(stage.core.takeSetUpTimes() == [.milliseconds(20)])
        #expect(stage.core.takeSetUpTimes() == [])
    }

    @Test func answerWithoutTheCallersViaIsReplaced() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        let answer = try Known.answer(to: stage.last(to: .centerA, "INVITE"), 200, from: .centerA)
        _ = stage.news()
        let text = String(decoding: answer.bytes, as: UTF8.self)
        let lines = text.components(separatedBy: "\r\n").filter { !$0.contains("192.0.2.5:5062;branch") }
        try stage.receive(Array(lines.joined(separator: "\r\n").utf8), from: .centerA)
        #expect(stage.news() == ["502 → caller"])
    }

    @Test func refusalBelowTheLimitMovesOnlyWhatHasNoResponse() throws {
        var stage = try AccessStage { $0.passive.refusalsToSuspect = 2 }
        stage.receive(try Known.request("INVITE", branch: "z9hG4bKr", fromTag: "r", callID: "ringing"))
        try stage.answer(180, from: .centerA)
        stage.receive(try Known.request("INVITE"))
        _ = stage.news()
        stage.tell(.unreachable(.centerA))
        #expect(stage.news() == ["INVITE → center-b"])
    }
}
