import Primitives
import Routing
import SIP
import Testing

@testable import Access

@Suite struct DialogRoutingTests {
    private func bye(
        uri: String = "sip:95533@10.0.0.1", toTag: String? = Known.tagA, callID: String = "call-1", more: [String] = []
    ) throws -> Message {
        try Known.request("BYE", uri: uri, branch: "z9hG4bKb", toTag: toTag, callID: callID, cseq: 2, more: more)
    }

    // MARK: Without a Route, as SIPp's built-in caller

    @Test func acknowledgementWithTheFirstRequestURIFindsTheCenterByItsTag() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        try stage.answer(200, from: .centerA)
        _ = stage.news()
        stage.receive(try Known.request("ACK", branch: "z9hG4bKa", toTag: Known.tagA))
        #expect(stage.news() == ["ACK → center-a"])
        let ack = try stage.last(to: .centerA, "ACK")
        #expect(ack.via.count == 2)
        #expect(ack.maxForwards == 69)
        #expect(ack.recordRoutes.isEmpty)
    }

    @Test func byeFindsTheCenterByItsTag() throws {
        var stage = try AccessStage()
        _ = try stage.answeredCall()
        stage.receive(try bye())
        #expect(stage.news() == ["BYE → center-a"])
        let sent = try stage.last(to: .centerA, "BYE")
        stage.receive(try Known.answer(to: sent, 200, from: .centerA), from: .centerA)
        #expect(stage.news() == ["200 → caller"])
        #expect(stage.core.isIdle)
    }

    @Test func callOutlivesARestartOfAccess() throws {
        var stage = try AccessStage()
        stage.receive(try bye(toTag: Known.tagB))
        #expect(stage.news() == ["BYE → center-b"])
    }

    // MARK: Which center

    @Test func routeOfOursIsRemovedAndTheContactIsFollowed() throws {
        var stage = try AccessStage()
        _ = try stage.answeredCall()
        stage.receive(
            try bye(uri: "sip:10.0.0.11:5082", toTag: Known.tagA, more: ["Route: <sip:10.0.0.1:5060;lr>"]))
        #expect(stage.news() == ["BYE → center-b"], "the Request-URI goes before the tag")
        #expect(try stage.last(to: .centerB, "BYE").routes.isEmpty)
    }

    @Test func deadContactFallsBackOnTheTag() throws {
        var stage = try AccessStage(centers: [.centerA.with(state: .down), .centerB])
        stage.receive(try bye(uri: "sip:10.0.0.10:5081", toTag: Known.tagB))
        #expect(stage.news() == ["BYE → center-b"])
    }

    @Test func drainingCenterKeepsItsDialogs() throws {
        var stage = try AccessStage(centers: [.centerA.with(state: .draining), .centerB])
        stage.receive(try bye())
        #expect(stage.news() == ["BYE → center-a"])
    }

    @Test func tagOfADeadIncarnationGoesToALiveCenterByCallID() throws {
        var stage = try AccessStage(centers: [.centerA.with(state: .up, incarnation: "k9"), .centerB])
        var targets: Set<String> = []
        for index in 0..<32 {
            let callID = "call-\(index)"
            stage.receive(
                try Known.request(
                    "INFO", branch: "z9hG4bK\(index)", toTag: Known.tagA, callID: callID, cseq: 2))
            let first = stage.news()
            stage.receive(
                try Known.request(
                    "BYE", branch: "z9hG4bKx\(index)", toTag: Known.tagA, callID: callID, cseq: 3))
            let second = stage.news()
            #expect(first.map { $0.replacing("INFO", with: "BYE") } == second, "always the same center for a Call-ID")
            targets.formUnion(second)
        }
        #expect(targets == ["BYE → center-a", "BYE → center-b"])
    }

    @Test func withoutALiveCenterARequestInADialogIs503() throws {
        var stage = try AccessStage(centers: [.centerA.with(state: .down)])
        stage.receive(try bye())
        #expect(stage.news() == ["503 → caller"])
        stage.receive(try Known.request("ACK", branch: "z9hG4bKa", toTag: Known.tagA))
        #expect(stage.news() == [], "an ACK is never answered")
    }

    @Test func byeThatWaitsForADyingCenterMovesOn() throws {
        var stage = try AccessStage()
        _ = try stage.answeredCall()
        stage.receive(try bye())
        _ = stage.news()
        stage.tell(.table(Known.table(2, [.centerA.with(state: .down), .centerB])))
        #expect(stage.news() == ["BYE → center-b"])
    }

    @Test func silenceInADialogIsNoReasonToAskAnotherCenter() throws {
        var stage = try AccessStage()
        _ = try stage.answeredCall()
        stage.receive(
            try Known.request("INVITE", branch: "z9hG4bKre", toTag: Known.tagA, cseq: 2))
        _ = stage.news()
        stage.advance(by: .milliseconds(400))
        #expect(stage.news() == [])
        try stage.answer(503, from: .centerA)
        #expect(stage.news() == ["ACK → center-a", "503 → caller"])
    }

    // MARK: Strict routers

    @Test func strictRoutersRequestURIIsRestored() throws {
        var stage = try AccessStage()
        _ = try stage.answeredCall()
        // §16.4: our Record-Route value stands in the Request-URI, the remote target last in Route.
        stage.receive(
            try bye(uri: "sip:10.0.0.1:5060;lr", toTag: Known.tagA, more: ["Route: <sip:10.0.0.11:5082>"]))
        #expect(stage.news() == ["BYE → center-b"])
        let sent = try stage.last(to: .centerB, "BYE")
        #expect(sent.requestURI == URI(host: "10.0.0.11", port: 5082))
        #expect(sent.routes.isEmpty)
    }

    // MARK: From a center to a caller

    private func fromCenter(
        _ method: String, to uri: String = "sip:bob@192.0.2.5:5062", from flow: Flow = .centerA, more: [String] = []
    ) throws -> Message {
        try Known.request(
            method, from: flow, uri: uri, branch: "z9hG4bKs", fromTag: Known.tagA, toTag: "c-1", cseq: 1, more: more)
    }

    @Test func requestOfACenterGoesToItsRequestURI() throws {
        var stage = try AccessStage()
        stage.receive(
            try fromCenter("BYE", more: ["Route: <sip:10.0.0.1:5060;lr>"]), from: .centerA)
        #expect(stage.news() == ["BYE → caller"])
        #expect(try stage.last(to: .caller, "BYE").routes.isEmpty)
    }

    @Test func reinviteOfACenterPutsAccessIntoTheRoute() throws {
        var stage = try AccessStage()
        stage.receive(try fromCenter("INVITE", more: ["Tandem-Session: 1"]), from: .centerA)
        #expect(stage.news() == ["100 → center-a", "INVITE → caller"])
        let invite = try stage.last(to: .caller, "INVITE")
        #expect(invite.recordRoutes.map(\.description) == ["<sip:10.0.0.1:5060;lr>"])
        #expect(invite.first(.tandemSession) == nil, "internal headers end here")
    }

    /// RFC 3261 §16.8 inside a dialog: timer C cancels, and where no final response follows that is a 408.
    @Test func reinviteThatTheCallerNeverAnswersEnds() throws {
        var stage = try AccessStage()
        stage.receive(try fromCenter("INVITE"), from: .centerA)
        let invite = try stage.last(to: .caller, "INVITE")
        stage.receive(try Known.answer(to: invite, 180, from: .caller), from: .caller)
        #expect(stage.news() == ["100 → center-a", "INVITE → caller", "180 → center-a"])
        stage.advance(by: .seconds(181))
        #expect(stage.news() == ["CANCEL → caller"])
        stage.advance(by: .seconds(32))
        #expect(stage.news().last == "408 → center-a")
        #expect(stage.core.isIdle)
    }

    @Test func centerIsKnownByItsTagOnAConnection() throws {
        var stage = try AccessStage()
        let connection = Flow(transport: .tcp, remote: Endpoint(.v4(0x0A00_000A), port: 41_000), connection: 3)
        stage.receive(try fromCenter("INFO", from: connection), from: connection)
        #expect(stage.news() == ["INFO → caller"])
    }

    @Test func callerCannotPassForACenterByItsTag() throws {
        var stage = try AccessStage()
        stage.receive(
            try Known.request(
                "BYE", uri: "sip:victim@192.0.2.6:5062", branch: "z9hG4bKs", fromTag: Known.tagA, toTag: "x"))
        #expect(stage.news() == ["403 → caller"])
    }

    @Test func hostNameInACallersContactIsNotLookedUp() throws {
        var stage = try AccessStage()
        stage.receive(try fromCenter("BYE", to: "sip:bob@phone.example"), from: .centerA)
        #expect(stage.news() == ["480 → center-a"])
    }

    // MARK: Nobody's relay

    @Test(arguments: ["sip:bob@198.51.100.7", "sip:95533@198.51.100.7:5081", "sip:95533@elsewhere.example"])
    func inviteToSomewhereElseIsRefused(uri: String) throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", uri: uri))
        #expect(stage.news() == ["403 → caller"])
    }

    @Test func routeToSomewhereElseIsNotFollowed() throws {
        var stage = try AccessStage()
        stage.receive(
            try Known.request("INVITE", more: ["Route: <sip:10.0.0.1;lr>, <sip:198.51.100.7;lr>"]))
        #expect(stage.news() == ["403 → caller"])
    }

    @Test func byeToSomewhereElseIsRefused() throws {
        var stage = try AccessStage()
        stage.receive(try bye(uri: "sip:victim@198.51.100.7", toTag: "b-1"))
        #expect(stage.news() == ["403 → caller"])
        stage.receive(
            try Known.request("ACK", uri: "sip:victim@198.51.100.7", branch: "z9hG4bKa", toTag: "b-1"))
        #expect(stage.news() == [])
    }

    @Test func centerAsDialedIsALineToo() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", uri: "sip:95533@10.0.0.11:5082"))
        #expect(stage.news() == ["100 → caller", "INVITE → center-a"])
    }

    @Test(arguments: ["tel:95533", "sip:95533@10.0.0.1:5060", "sip:95533@10.0.0.1;user=phone"])
    func waysToDialALine(uri: String) throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", uri: uri))
        #expect(stage.news() == ["100 → caller", "INVITE → center-a"])
    }
}
