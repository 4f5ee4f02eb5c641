import Foundation
import Media
import Menu
import Primitives
import SIP
import Session
import Store
import Testing

@testable import Center

/// What callers' phones say to the re-INVITE of a takeover, and what they ask meanwhile.
@Suite struct TakeoverAnswersTests {
    /// A call of a that b has taken over; its re-INVITE waits for its answer.
    private func moved(
        headers: [String] = [], change: (inout CenterSettings) -> Void = { _ in }
    ) throws -> (Cluster, Phone, CenterBench) {
        let cluster = try Cluster(["a", "b"], change: change)
        let phone = try Phone(try cluster["a"]).establish(headers: headers)
        try cluster["a"].press("2")
        try cluster.move(phone, from: "a", to: "b")
        return (cluster, phone, try cluster["b"])
    }

    /// RFC 3261 §14.1: not the owner of the Call-ID, so "between 0 and 2 seconds in units of 10 ms".
    @Test func glareIsTriedAgainWithinTwoSeconds() throws {
        let (_, phone, bench) = try moved()
        try phone.answerInvite(491)
        #expect(bench.requestsSent(.ack).last?.message.cseq.number == 1_001)
        bench.advance(by: .seconds(2))
        #expect(Set(bench.requestsSent(.invite).map(\.message.cseq.number)) == [1_001, 1_002])
        try phone.answerInvite()
        #expect(bench.call?.takeover == nil)
        #expect(bench.callCount == 1)
    }

    /// RFC 3261 §14.2: the predecessor's INVITE is still open at the phone.
    @Test func serverErrorWithRetryAfterIsTriedAgainThen() throws {
        let (_, phone, bench) = try moved()
        try phone.answerInvite(500, headers: ["Retry-After: 3"])
        bench.advance(by: .milliseconds(2_999))
        #expect(bench.requestsSent(.invite).count == 1)
        bench.advance(by: .milliseconds(1))
        #expect(bench.requestsSent(.invite).count == 2)
    }

    /// Another try numbers its INVITE in the store, too, before it leaves.
    @Test func everyTryIsCheckpointedFirst() throws {
        let (_, phone, bench) = try moved()
        try phone.answerInvite(491)
        bench.advance(by: .seconds(2))
        let numbers = bench.checkpoints.compactMap { $0.checkpoint.dialogs.first?.localInviteCSeq }
        #expect(numbers.contains(1_001) && numbers.contains(1_002))
    }

    /// "On 488 and other answers that keep the dialog the call goes on as far as RTP still flows".
    @Test(arguments: [401, 403, 407, 415, 486, 488, 606])
    func refusalThatKeepsTheDialogKeepsTheCall(_ status: Int) throws {
        let (_, phone, bench) = try moved()
        try phone.answerInvite(status)
        bench.advance(by: .seconds(60))
        #expect(bench.callCount == 1)
        #expect(bench.requestsSent(.invite).count == 1)
        #expect(bench.requestsSent(.bye).isEmpty)
        #expect(bench.call?.menu != nil)
        #expect(bench.timeline.contains { $0.kind == .takeover && $0.detail.hasSuffix(": \(status)") })
    }

    /// "481 ends the session as `caller`".
    @Test func phoneThatKnowsNoSuchCallEndsItAsCaller() throws {
        let (cluster, phone, bench) = try moved()
        try phone.answerInvite(481)
        #expect(bench.callCount == 0)
        #expect(bench.requestsSent(.bye).isEmpty)
        #expect(cluster.store.records.map(\.end) == [.caller])
    }

    /// The phone hung up at a center that stood still, and repeats its BYE at the next owner: an ordinary end.
    @Test func byeAfterThePhones481Is200() throws {
        let (cluster, phone, bench) = try moved()
        try phone.answerInvite(481)
        try phone.hangUp()
        #expect(bench.responses(200, to: .bye).count == 1)
        #expect(bench.responses(481).isEmpty)
        #expect(!bench.requests.contains { if case .sessionsByCallID = $0 { true } else { false } })
        #expect(bench.isIdle)
        // RFC 3261 §17.1.2.2: Timer F ends its repetitions. One more is looked for in the store.
        bench.advance(by: .seconds(32))
        try phone.hangUp()
        #expect(bench.requests.contains { if case .sessionsByCallID = $0 { true } else { false } })
        #expect(bench.responses(200, to: .bye).count == 2)
        #expect(cluster.store.records.count == 1)
    }

    /// RFC 3261 §12.2.1.2.
    @Test func byeAfterThe408OfThePhoneIs200() throws {
        let (_, phone, bench) = try moved()
        try phone.answerInvite(408)
        try phone.hangUp()
        #expect(bench.responses(200, to: .bye).count == 1)
        #expect(bench.responses(481).isEmpty)
    }

    /// "408 as `lost`", from the phone or by Timer B.
    @Test(arguments: [true, false])
    func phoneThatDoesNotAnswerEndsItAsLost(_ says: Bool) throws {
        let (cluster, phone, bench) = try moved()
        if says { try phone.answerInvite(408) } else { bench.advance(by: .seconds(33)) }
        #expect(bench.callCount == 0)
        #expect(cluster.store.records.map(\.end) == [.lost])
    }

    /// Its answer was lost, as when access was restarted: it has moved, or it would not be heard here.
    @Test(arguments: [true, false])
    func phoneThatSaysNothingAndIsHeardKeepsItsCall(_ rings: Bool) throws {
        let (_, phone, bench) = try moved()
        if rings { try phone.answerInvite(180) }
        bench.handle(.media(try #require(bench.lastCall), .latched(Endpoint(.v4(0xC000_0205), port: 4000))))
        bench.advance(by: .seconds(260))
        #expect(bench.callCount == 1)
        #expect(bench.call?.takeover == nil)
        #expect(bench.requestsSent(.bye).isEmpty)
        try phone.hangUp()
        #expect(bench.callCount == 0)
    }

    /// A phone that rings for ever is cancelled, and asked again.
    @Test func reInviteThatWasCancelledIsTriedAgain() throws {
        let (_, phone, bench) = try moved()
        try phone.answerInvite(180)
        bench.advance(by: .seconds(182))
        #expect(bench.requestsSent(.cancel).count >= 1)
        try phone.answerInvite(487)
        bench.advance(by: .seconds(1))
        #expect(Set(bench.requestsSent(.invite).map(\.message.cseq.number)) == [1_001, 1_002])
        try phone.answerInvite()
        #expect(bench.call?.takeover == nil)
    }

    /// "If that connection is gone: 430; the center tries again after reconnect."
    @Test func lostConnectionAtAccessIsTriedAgain() throws {
        let (_, phone, bench) = try moved()
        try phone.answerInvite(430)
        bench.advance(by: .seconds(2))
        #expect(bench.requestsSent(.invite).count == 2)
    }

    @Test func triesAreBounded() throws {
        let (_, phone, bench) = try moved()
        for _ in 0..<20 {
            guard bench.call?.takeover?.needsInvite == true else { break }
            try phone.answerInvite(491)
            bench.advance(by: .seconds(3))
        }
        #expect(Set(bench.requestsSent(.invite).map(\.message.cseq.number)).count == ReinviteVerdict.attemptLimit)
        #expect(bench.callCount == 1)
    }

    // MARK: What the caller asks meanwhile

    /// "A caller's own pending re-INVITE is taken over by answering it": then the phone knows all it must.
    @Test func callersOwnReInviteIsAnsweredInsteadOfOurs() throws {
        let cluster = try Cluster(["a", "b"])
        let phone = try Phone(try cluster["a"]).establish()
        let bench = try cluster["b"]
        bench.holdsBack = { if case .inviting = $0 { true } else { false } }
        try cluster.move(phone, from: "a", to: "b")
        try phone.request("INVITE", body: Phone.sdp(direction: "sendonly", version: 2))
        let accepted = try #require(bench.responses(200, to: .invite).last?.message)
        #expect(accepted.contacts.first?.uri.host == "10.0.0.2")
        #expect(accepted.bodyText.contains("a=recvonly"))
        try phone.acknowledge()
        for purpose in bench.heldBack { bench.handle(.stored(purpose, .done)) }
        bench.advance(by: .seconds(5))
        #expect(bench.requestsSent(.invite).isEmpty)
        #expect(bench.call?.menu != nil)
        #expect(bench.call?.takeover == nil)
    }

    /// What we cannot speak is refused, and changes nothing: the phone still has to hear of the new address.
    @Test(arguments: ["INVITE", "UPDATE"])
    func callersReInviteThatIsRefusedDoesNotTakeThePlaceOfOurs(_ method: String) throws {
        let cluster = try Cluster(["a", "b"])
        let phone = try Phone(try cluster["a"]).establish()
        let bench = try cluster["b"]
        bench.holdsBack = { if case .inviting = $0 { true } else { false } }
        try cluster.move(phone, from: "a", to: "b")
        try phone.request(method, body: Phone.sdp(formats: "18", version: 2))
        #expect(bench.responses(488).count == 1)
        if method == "INVITE" { try phone.acknowledge() }
        for purpose in bench.heldBack { bench.handle(.stored(purpose, .done)) }
        #expect(bench.requestsSent(.invite).count == 1)
        try phone.answerInvite()
        #expect(bench.call?.takeover == nil)
        #expect(bench.callCount == 1)
    }

    /// Both at once: ours is out, theirs gets 491 (RFC 3261 §14.2), and ours theirs.
    @Test func reInvitesThatCrossAre491OnBothSides() throws {
        let (_, phone, bench) = try moved()
        try phone.request("INVITE", body: Phone.sdp(version: 2))
        #expect(bench.responses(491, to: .invite).count == 1)
        try phone.acknowledge()
        try phone.answerInvite(491)
        bench.advance(by: .seconds(2))
        try phone.answerInvite()
        #expect(bench.call?.takeover == nil)
        #expect(bench.callCount == 1)
    }

    /// The dialog's tags stay those of the center that made it, and all requests find it.
    @Test func requestsInsideTheDialogAreAnsweredAtTheSurvivor() throws {
        let (cluster, phone, bench) = try moved()
        try phone.answerInvite()
        try phone.request("OPTIONS")
        #expect(bench.responses(200, to: .options).last?.message.to.tag == phone.toTag)
        try phone.request("INFO", body: "Signal=1\r\n", type: "application/dtmf-relay")
        #expect(bench.responses(200, to: .info).count == 1)
        try phone.request("UPDATE", body: Phone.sdp(version: 3))
        #expect(bench.responses(200, to: .update).count == 1)
        try phone.request("CANCEL")
        #expect(bench.responses(481, to: .cancel).count == 1, "there is no INVITE to cancel")
        try phone.hangUp()
        #expect(bench.responses(200, to: .bye).count == 1)
        #expect(cluster.store.records.map(\.takeovers) == [1])
        try phone.request("INFO")
        #expect(bench.responses(481, to: .info).count == 1)
    }

    /// A request with a lower number than the dialog has seen is out of order at the survivor, too (RFC 3261 §12.2.2).
    @Test func callersSequenceGoesOn() throws {
        let cluster = try Cluster(["a", "b"])
        let phone = try Phone(try cluster["a"]).establish()
        for _ in 0..<3 { try phone.request("INFO", body: "Signal=2\r\n", type: "application/dtmf-relay") }
        try phone.request("UPDATE", body: Phone.sdp(version: 2))
        try cluster.move(phone, from: "a", to: "b")
        try phone.send(phone.text("OPTIONS", cseq: 2))
        #expect(try cluster["b"].responses(500, to: .options).count == 1)
    }

    // MARK: The menu

    /// "digits of the first second are not taken as barge-in", "the question is asked again".
    @Test func menuAsksAgainAndPassesOverDigitsOfTheFirstSecond() throws {
        let (_, phone, bench) = try moved()
        #expect(bench.call?.menu?.state == "main")
        #expect(bench.call?.menu?.language == "en")
        let plays = bench.media.filter { if case .play = $0.command { true } else { false } }.count
        #expect(plays == 1)
        try bench.press("1")
        #expect(bench.call?.menu?.state == "main")
        bench.advance(by: .seconds(1))
        try bench.press("1")
        #expect(bench.call?.menu?.state != "main")
        try phone.answerInvite()
    }

    /// "No digit of a half-entered number is checkpointed. At a takeover partial input is thrown away".
    @Test func halfEnteredNumberIsThrownAway() throws {
        let cluster = try Cluster(["a", "b"])
        let phone = try Phone(try cluster["a"]).establish()
        try cluster["a"].press("21")
        try cluster["a"].press("1000")
        let state = try #require(try cluster["a"].call?.menu?.state)
        try cluster.move(phone, from: "a", to: "b")
        let bench = try cluster["b"]
        #expect(bench.call?.menu?.state == state)
        bench.advance(by: .seconds(1))
        try bench.press("1000")
        #expect(bench.call?.menu?.state == state, "four digits of eight")
        try bench.press("0007")
        #expect(bench.call?.menu?.state != state)
    }

    @Test(arguments: ["9196", "9664"])
    func linesWithoutAMenuGoOn(_ line: String) throws {
        let cluster = try Cluster(["a", "b"])
        let phone = Phone(try cluster["a"])
        phone.line = line
        try phone.establish()
        try cluster.move(phone, from: "a", to: "b")
        let bench = try cluster["b"]
        #expect(
            bench.media.contains {
                switch $0.command {
                case .echo: line == "9196"
                case .music: line == "9664"
                default: false
                }
            })
    }

    /// The call keeps the version of the menu that it began with, though no line of this center has it any more.
    @Test func menuOfAnEarlierVersionIsLoadedByItsHash() throws {
        let cluster = try Cluster(["a"])
        let phone = try Phone(try cluster["a"]).establish()
        try cluster["a"].press("2")
        let menu = try #require(CenterBench.menu)
        cluster.store.perform(
            .putMenu(hash: menu.hash, Array(try JSONEncoder().encode(menu.source))),
            at: Moment(monotonic: .zero, wall: .epoch))
        let other = try MenuDefinition(
            MenuSource(
                top: menu.source.top,
                files: menu.source.files.mapValues { $0.replacing("version: ", with: "# newer\nversion: ") }))
        try #require(other.hash != menu.hash)
        try cluster.start("b", "k2") { $0.lines["95533"] = .menu(other) }
        try cluster.move(phone, from: "a", to: "b")
        #expect(try cluster["b"].call?.menu?.definition.hash == menu.hash)
        #expect(try cluster["b"].call?.menu?.state == "main")
    }

    /// A menu that was changed by SIGHUP stays for the calls of centers that may die.
    @Test func menuOfBeforeTheReloadIsKept() throws {
        let cluster = try Cluster(["a", "b"])
        let phone = try Phone(try cluster["a"]).establish()
        try cluster["a"].press("2")
        let menu = try #require(CenterBench.menu)
        let other = try MenuDefinition(
            MenuSource(
                top: menu.source.top,
                files: menu.source.files.mapValues { $0.replacing("version: ", with: "# newer\nversion: ") }))
        try cluster["b"].handle(.menus(["95533": other]))
        try cluster.move(phone, from: "a", to: "b")
        #expect(try cluster["b"].call?.menu?.definition.hash == menu.hash)
        #expect(try !cluster["b"].requests.contains { if case .menu = $0 { true } else { false } })
    }

    /// Nobody kept it: the line's own menu serves as far as it has the state.
    @Test func menuThatIsNowhereIsReplacedByTheLinesOwn() throws {
        let cluster = try Cluster(["a"])
        let phone = try Phone(try cluster["a"]).establish()
        try cluster["a"].press("2")
        let menu = try #require(CenterBench.menu)
        let other = try MenuDefinition(
            MenuSource(
                top: menu.source.top,
                files: menu.source.files.mapValues { $0.replacing("version: ", with: "# newer\nversion: ") }))
        try cluster.start("b", "k2") { $0.lines["95533"] = .menu(other) }
        try cluster.move(phone, from: "a", to: "b")
        #expect(try cluster["b"].call?.menu?.definition.hash == other.hash)
        #expect(try cluster["b"].call?.menu?.state == "main")
    }
}
