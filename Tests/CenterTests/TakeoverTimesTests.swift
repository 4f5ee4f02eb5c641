import Primitives
import SIP
import Session
import Store
import Testing

@testable import Center

/// Deadlines that outlive their owner, and calls whose caller has gone.
@Suite struct TakeoverTimesTests {
    /// A call of a that lasts for a while before a dies.
    private func moved(
        after age: Duration, headers: [String] = [], change: (inout CenterSettings) -> Void = { _ in }
    ) throws -> (Cluster, Phone, CenterBench) {
        let cluster = try Cluster(["a", "b"], change: change)
        let phone = try Phone(try cluster["a"]).establish(headers: headers)
        try cluster["a"].press("2")
        try cluster["a"].advance(by: age)
        try cluster.move(phone, from: "a", to: "b")
        return (cluster, phone, try cluster["b"])
    }

    /// TAKEOVER.md, Signalling: "a maximum duration always does" end a call; it counts from the first answer.
    @Test func longestCallCountsFromTheFirstAnswer() throws {
        let (cluster, phone, bench) = try moved(after: .seconds(20)) {
            $0.longestCall = .seconds(30)
            $0.lines["95533"] = .music
        }
        try phone.answerInvite()
        bench.advance(by: .seconds(9))
        #expect(bench.callCount == 1)
        bench.advance(by: .seconds(1))
        #expect(bench.requestsSent(.bye).count == 1)
        #expect(cluster.store.records.map(\.end) == [.limit])
        let record = try #require(cluster.store.records.first)
        #expect(record.duration == .seconds(30))
    }

    @Test func callThatIsTooOldAlreadyEndsByItsLimit() throws {
        let cluster = try Cluster(["a", "b"]) {
            $0.longestCall = .seconds(30)
            $0.lines["95533"] = .music
        }
        let phone = try Phone(try cluster["a"]).establish()
        try cluster["b"].advance(by: .seconds(31))
        try cluster.bury("a", survivors: ["b"])
        phone.bench = try cluster["b"]
        #expect(cluster.store.records.map(\.end) == [.limit])
        #expect(try cluster["b"].requestsSent(.bye).count == 1)
    }

    /// The survivor's clock is an hour behind that of the center that answered.
    @Test func clocksThatDifferDoNotStretchACall() throws {
        let cluster = try Cluster(["a", "b"]) {
            $0.longestCall = .seconds(30)
            $0.lines["95533"] = .music
        }
        let phone = try Phone(try cluster["a"]).establish()
        let bench = try cluster["b"]
        bench.now.wall = bench.now.wall + .seconds(-3_600)
        try cluster.move(phone, from: "a", to: "b")
        try phone.answerInvite()
        bench.advance(by: .seconds(30))
        #expect(bench.callCount == 0)
    }

    /// RFC 4028: the session expires when it would have at its former owner, unless the re-INVITE refreshes it.
    @Test func sessionTimerGoesOnByItsDeadline() throws {
        let (cluster, phone, bench) = try moved(
            after: .seconds(100), headers: ["Supported: timer", "Session-Expires: 300;refresher=uac"]
        ) { $0.lines["95533"] = .music }
        // Kept, not refreshed.
        try phone.answerInvite(488)
        bench.advance(by: .seconds(167))
        #expect(bench.callCount == 1)
        bench.advance(by: .seconds(1))
        #expect(bench.requestsSent(.bye).count == 1, "300 s less the margin of 32 s after the answer")
        #expect(cluster.store.records.map(\.end) == [.lost])
    }

    @Test func reInviteRefreshesTheSession() throws {
        let (_, phone, bench) = try moved(
            after: .seconds(100), headers: ["Supported: timer", "Session-Expires: 300;refresher=uac"]
        ) { $0.lines["95533"] = .music }
        let invite = try #require(bench.requestsSent(.invite).last?.message)
        #expect(invite.first(.sessionExpires) == "300;refresher=uas")
        try phone.answerInvite(200, headers: ["Session-Expires: 300;refresher=uas", "Require: timer"])
        bench.advance(by: .seconds(200))
        #expect(bench.callCount == 1)
        bench.advance(by: .seconds(69))
        #expect(bench.callCount == 0, "now the phone forgot it")
    }

    /// Whose turn it was stays so: by UPDATE where the phone's Allow lists it, which the checkpoint says.
    @Test func refresherAndItsMethodAreKept() throws {
        let (_, phone, bench) = try moved(
            after: .seconds(100),
            headers: [
                "Supported: timer", "Session-Expires: 300;refresher=uas", "Allow: INVITE, ACK, BYE, CANCEL, UPDATE",
            ]
        ) { $0.lines["95533"] = .music }
        try phone.answerInvite(488)
        bench.advance(by: .seconds(50))
        #expect(bench.requestsSent(.update).count == 1, "half of the 300 s since the answer")
    }

    // MARK: The caller has gone

    /// "BYE gets 200 and a durable mark 'caller ended' that the next owner turns into the CDR".
    @Test func callerWhoHungUpInTheGapGetsARecordAndNothingElse() throws {
        let cluster = try Cluster(["a", "b"])
        try Phone(try cluster["a"]).establish()
        let session = try #require(cluster["a"].opened.first?.session)
        let ended = try cluster["a"].now.wall + .seconds(1)
        cluster.store.perform(
            .markCallerEnded(session, at: ended), at: Moment(monotonic: .zero, wall: ended))
        let bench = try cluster["b"]
        bench.advance(by: .seconds(5))
        try cluster.bury("a", survivors: ["b"])
        #expect(bench.callCount == 0)
        #expect(bench.requestsSent(.invite).isEmpty)
        let record = try #require(cluster.store.records.first)
        #expect(record.end == .caller)
        #expect(record.ended == ended)
        #expect(record.takeovers == 1)
        #expect(bench.isIdle)
    }

    /// A login lasts as long as its checkpoint says: to the end of the longest call.
    @Test func loginsExpiryIsReal() throws {
        let cluster = try Cluster(["a"]) { $0.longestCall = .seconds(600) }
        let bench = try cluster["a"]
        try Phone(bench).establish()
        let answered = bench.now.wall
        bench.advance(by: .seconds(3))
        try bench.press("21")
        try bench.press("10000007")
        try bench.press("246810")
        #expect(bench.checkpoints.last?.checkpoint.menu?.login?.expires == answered + .seconds(600))
    }

    @Test func loginThatHasLapsedIsAskedAgain() throws {
        let cluster = try Cluster(["a", "b"])
        let bench = try cluster["a"]
        let phone = try Phone(bench).establish()
        try bench.press("21")
        try bench.press("10000007")
        try bench.press("246810")
        try #require(bench.call?.menu?.customer == "10000007")
        var write = try #require(bench.checkpoints.last)
        write.checkpoint.menu?.login?.expires = bench.now.wall
        cluster.store.perform(.checkpoint(write), at: bench.now)
        try cluster.move(phone, from: "a", to: "b")
        #expect(try cluster["b"].call?.menu?.customer == nil)
        #expect(try cluster["b"].callCount == 1)
    }
}
