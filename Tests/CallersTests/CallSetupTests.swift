import Primitives
import SDP
import SIP
import Testing

@testable import Callers

@Suite struct CallSetupTests {
    @Test func aCallIsAnsweredHeldAndEnded() throws {
        let bench = try Bench(hold: 10)
        let (invite, flow) = try #require(bench.take(.invite))
        #expect(flow.remote == Bench.center)
        #expect(invite.requestURI?.user == "95533")
        #expect(invite.contacts.first?.uri.port == 40_000)
        bench.advance(by: .milliseconds(30))
        try bench.respond(100, to: invite)
        try bench.respond(200, to: invite, body: Bench.answer())
        let ack = try #require(bench.take(.ack))
        // RFC 3261 §12.2.1.1: the Request-URI inside the dialog is the remote target.
        #expect(ack.message.requestURI?.port == 5081)
        #expect(ack.message.cseq.number == invite.cseq.number)
        #expect(bench.agreements.first?.remoteRTP.port == 10_000)

        bench.advance(by: .milliseconds(9_999))
        #expect(bench.count(.bye) == 0)
        bench.advance(by: .milliseconds(1))
        let bye = try #require(bench.take(.bye))
        #expect(bench.closed[1] == MonotonicTime(nanoseconds: 10_030_000_000))
        try bench.respond(200, to: bye.message)
        #expect(bench.isFinished)
        let row = try #require(bench.row)
        #expect(row.end == "held")
        #expect(row.answerMs == 30)
        #expect(row.talkMs == 10_000)
        #expect(bench.report.answered == 1)
    }

    @Test func callsArePlacedAtTheirRate() throws {
        let bench = try Bench(calls: 5, rate: 4)
        #expect(bench.count(.invite) == 1)
        bench.advance(by: .milliseconds(249))
        #expect(bench.count(.invite) == 1)
        bench.advance(by: .milliseconds(1))
        #expect(bench.count(.invite) == 2)
        // A late loop catches up: the rate holds over the whole run.
        bench.now = bench.now + .milliseconds(500)
        bench.run { $0.fire(now: $1, into: &$2) }
        #expect(Set(bench.sent.map(\.message.callID)).count == 4)
        bench.advance(by: .milliseconds(250))
        #expect(Set(bench.sent.map(\.message.callID)).count == 5)
        bench.advance(by: .seconds(2))
        #expect(Set(bench.sent.map(\.message.callID)).count == 5)
    }

    @Test func redirectionTriesContactsInOrder() throws {
        let bench = try Bench()
        let (invite, _) = try #require(bench.take(.invite))
        try bench.respond(
            302, to: invite,
            headers: [
                (.contact, "<sip:95533@127.0.0.1:5083>;q=0.2"), (.contact, "<sip:95533@127.0.0.1:5081>"),
                (.contact, "<sip:95533@127.0.0.1:5082>"),
            ])
        #expect(bench.take(.ack) != nil)
        let (second, flow) = try #require(bench.take(.invite))
        #expect(flow.remote == Bench.center)
        // RFC 3261 §8.1.3.4: "the UAC … SHOULD reuse the same To, From, and Call-ID"; a new transaction, so a new CSeq.
        #expect(second.callID == invite.callID)
        #expect(second.from.tag == invite.from.tag)
        #expect(second.cseq.number == invite.cseq.number + 1)
        #expect(second.via.first?.branch != invite.via.first?.branch)
        try bench.respond(503, to: second)
        let (third, otherFlow) = try #require(bench.take(.invite))
        #expect(otherFlow.remote == Bench.otherCenter)
        bench.advance(by: .milliseconds(50))
        try bench.respond(200, to: third, from: Bench.otherCenter, body: Bench.answer())
        #expect(bench.row?.redirects == 2)
        #expect(bench.row?.status == "200")
        #expect(bench.row?.answerMs == 50)
    }

    @Test func aSilentContactIsLeftForTheNext() throws {
        let bench = try Bench()
        let (invite, _) = try #require(bench.take(.invite))
        try bench.respond(
            302, to: invite,
            headers: [(.contact, "<sip:95533@127.0.0.1:5081>"), (.contact, "<sip:95533@127.0.0.1:5082>")])
        #expect(bench.take(.ack) != nil)
        let (second, _) = try #require(bench.take(.invite))
        bench.advance(by: .seconds(2))
        let next = try #require(bench.sent.last { $0.message.isRequest && $0.message.method == .invite })
        #expect(next.flow.remote == Bench.otherCenter)
        // The first one lives after all: its 200 is acknowledged and ended.
        try bench.respond(200, to: second, tag: "late", body: Bench.answer())
        #expect(bench.take(.ack)?.message.to.tag == "late")
        #expect(bench.take(.bye)?.message.to.tag == "late")
        try bench.respond(200, to: next.message, from: Bench.otherCenter, body: Bench.answer())
        #expect(bench.report.answered == 1)
    }

    @Test func serversThatRedirectToEachOtherEnd() throws {
        let bench = try Bench()
        for round in 0..<40 {
            guard let (invite, _) = bench.take(.invite) else { break }
            try bench.respond(302, to: invite, headers: [(.contact, "<sip:95533@127.0.0.1:\(6000 + round)>")])
        }
        #expect(bench.row?.status == "302")
        #expect(bench.row?.redirects == RedirectTargets.limit)
        #expect(bench.isFinished)
    }

    @Test func busyCountsAsFailed() throws {
        let bench = try Bench()
        let (invite, _) = try #require(bench.take(.invite))
        try bench.respond(486, to: invite)
        #expect(bench.take(.ack) != nil)
        #expect(bench.isFinished)
        let report = bench.report
        #expect(report.failed == 1)
        #expect(report.lost == 1)
        #expect(report.byStatus == ["486": 1])
    }

    @Test func overloadIsCountedWithItsRetryAfter() throws {
        let bench = try Bench()
        let (invite, _) = try #require(bench.take(.invite))
        try bench.respond(503, to: invite, headers: [(.retryAfter, "7 (soon)")])
        #expect(bench.report.byStatus == ["503": 1])
        #expect(bench.row?.retryAfter == 7)
    }

    @Test func refusalByICMPIsUnreachable() throws {
        let bench = try Bench()
        bench.handle(.unreachable(Flow(transport: .udp, remote: Bench.center)))
        #expect(bench.report.byStatus == ["unreachable": 1])
        #expect(bench.isFinished)
    }

    @Test func aCallThatOnlyRingsIsCancelled() throws {
        let bench = try Bench { $0.patience = .seconds(5) }
        let (invite, _) = try #require(bench.take(.invite))
        try bench.respond(180, to: invite)
        bench.advance(by: .milliseconds(4_999))
        #expect(bench.count(.cancel) == 0)
        bench.advance(by: .milliseconds(1))
        let cancel = try #require(bench.take(.cancel))
        // RFC 3261 §9.1: the CANCEL has the branch of its INVITE.
        #expect(cancel.message.via.first?.branch == invite.via.first?.branch)
        try bench.respond(200, to: cancel.message)
        try bench.respond(487, to: invite)
        #expect(bench.isFinished)
        #expect(bench.report.byStatus == ["timeout": 1])
    }

    @Test func anAnswerThatCrossesTheCancelIsEnded() throws {
        let bench = try Bench { $0.patience = .seconds(5) }
        let (invite, _) = try #require(bench.take(.invite))
        try bench.respond(180, to: invite)
        bench.advance(by: .seconds(5))
        try bench.respond(200, to: invite, body: Bench.answer())
        #expect(bench.take(.ack) != nil)
        #expect(bench.take(.bye) != nil)
        #expect(bench.report.failed == 1)
        #expect(bench.report.answered == 0)
    }

    @Test func nobodyThereIsATimeout() throws {
        let bench = try Bench { $0.patience = .seconds(5) }
        bench.advance(by: .seconds(5))
        // RFC 3261 §17.1.1.2: the INVITE was repeated after T1, 3 T1, 7 T1; §9.1: no CANCEL without a provisional
        // response.
        #expect(bench.count(.invite) == 4)
        #expect(bench.count(.cancel) == 0)
        #expect(bench.report.byStatus == ["timeout": 1])
        #expect(bench.isFinished)
    }

    @Test func aRepeated200IsAcknowledgedAgain() throws {
        let bench = try Bench()
        let (invite, first) = try #require(try bench.connect())
        // The ACK was lost; RFC 3261 §13.2.2.4: an ACK for every copy of the 2xx.
        try bench.respond(200, to: invite, body: Bench.answer())
        let second = try #require(bench.take(.ack))
        #expect(second.message.bytes == first.bytes)
        #expect(bench.agreements.count == 1)
        // Also after the transaction has ended (RFC 6026 timer M) and after the call.
        bench.advance(by: .seconds(60))
        bench.sent = []
        try bench.respond(200, to: invite, body: Bench.answer())
        #expect(bench.take(.ack)?.message.bytes == first.bytes)
    }

    @Test func anAnswerWithoutUsableAudioIsAcknowledgedAndEnded() throws {
        let bench = try Bench()
        let (invite, _) = try #require(bench.take(.invite))
        try bench.respond(200, to: invite, body: ("application/sdp", Array("v=0\r\n".utf8)))
        #expect(bench.take(.ack) != nil)
        #expect(bench.take(.bye) != nil)
        #expect(bench.report.byStatus == ["bad-answer": 1])
    }

    @Test func withoutAPortNoCallIsMade() throws {
        var core = CallersCore(
            settings: CallersSettings(
                target: Bench.center, line: "1", local: Bench.phones, calls: 1, rate: 1, hold: .seconds(1)), seed: 1)
        var actions: [CallersAction] = []
        core.start(now: .zero, into: &actions)
        actions = []
        core.handle(.mediaRefused(1, "all ports are in use"), now: .zero, into: &actions)
        #expect(actions.contains { if case .finished = $0 { true } else { false } })
        let report = CallersReport(core.records, settings: core.settings)
        #expect(report.byStatus == ["no-port": 1])
        #expect(report.callers.first?.detail == "all ports are in use")
    }

    @Test func interruptingEndsEveryCallPolitely() throws {
        let bench = try Bench(calls: 100, rate: 1)
        _ = try #require(try bench.connect())
        bench.advance(by: .seconds(1))
        let (ringing, _) = try #require(bench.take(.invite))
        try bench.respond(180, to: ringing)
        bench.handle(.endAll)
        let bye = try #require(bench.take(.bye))
        #expect(bench.take(.cancel) != nil)
        try bench.respond(200, to: bye.message)
        try bench.respond(487, to: ringing)
        #expect(bench.isFinished)
        bench.advance(by: .seconds(5))
        let report = bench.report
        #expect(report.calls == 2)
        #expect(report.interrupted == 2)
        #expect(report.failed == 0)
    }
}
