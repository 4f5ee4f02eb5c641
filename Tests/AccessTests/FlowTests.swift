import Primitives
import Routing
import SIP
import Testing

@testable import Access

@Suite struct FlowTests {
    /// The center's request to the caller, with the route set that the INVITE gave it.
    private func byeOfCenter(_ invite: Message, to uri: String = "sip:bob@192.0.2.7:40000") throws -> Message {
        let routes = invite.recordRoutes.map { "Route: \($0.description)" }
        return try Known.request(
            "BYE", from: .centerA, uri: uri, branch: "z9hG4bKs", fromTag: Known.tagA, toTag: "c-1", more: routes)
    }

    // MARK: Record-Route

    @Test func plainPhoneNeedsOneRecordRouteAndNoToken() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        let sent = try stage.last(to: .centerA, "INVITE")
        #expect(sent.recordRoutes.map(\.description) == ["<sip:10.0.0.1:5060;lr>"])
    }

    @Test func changeOfTransportIsRecordedTwice() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", from: .tcpCaller), from: .tcpCaller)
        let sent = try stage.last(to: .centerA, "INVITE")
        // RFC 5658 §4: the value of the side that the request leaves by stands first.
        #expect(sent.recordRoutes.count == 2)
        #expect(sent.recordRoutes.first?.description == "<sip:10.0.0.1:5060;lr>")
        #expect(sent.recordRoutes.last?.uri.parameters[parameter: "transport"]?.value == "tcp")
        #expect(sent.recordRoutes.last?.uri.parameters[parameter: "t"] != nil)
    }

    @Test func changeOfFamilyIsRecordedTwice() throws {
        let caller = Flow(transport: .udp, remote: Endpoint(.v6(0x2001_0db8_0000_0000, 5), port: 5062), listener: 1)
        var stage = try AccessStage {
            $0.udp.append(AccessSettings.Listener(Endpoint(.v6(0x2001_0db8_0000_0000, 1), port: 5060)))
        }
        stage.receive(
            try Known.request("INVITE", from: caller, uri: "sip:95533@[2001:db8::1]"), from: caller)
        let sent = try stage.last(to: .centerA, "INVITE")
        #expect(
            sent.recordRoutes.map(\.description) == ["<sip:10.0.0.1:5060;lr>", "<sip:[2001:db8::1]:5060;lr>"])
        #expect(sent.via.first?.host == "10.0.0.1")
    }

    // MARK: Back to the caller

    @Test func callerOnAConnectionIsReachedByIt() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", from: .tcpCaller), from: .tcpCaller)
        let invite = try stage.last(to: .centerA, "INVITE")
        _ = stage.news()
        stage.receive(try byeOfCenter(invite), from: .centerA)
        #expect(stage.news() == ["BYE → caller by tcp"])
        #expect(stage.sent.last?.flow == .tcpCaller)
        let bye = try stage.last(to: .tcpCaller, "BYE")
        #expect(bye.routes.isEmpty && bye.via.first?.transport == .tcp)
    }

    @Test func callerBehindNATIsReachedWhereItsINVITECameFrom() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", contact: "sip:bob@172.16.0.9:5060"))
        let invite = try stage.last(to: .centerA, "INVITE")
        #expect(invite.recordRoutes.count == 1)
        _ = stage.news()
        stage.receive(try byeOfCenter(invite, to: "sip:bob@172.16.0.9:5060"), from: .centerA)
        #expect(stage.news() == ["BYE → caller"])
    }

    @Test func tokenOfAUDPCallerOutlivesARestart() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", contact: "sip:bob@172.16.0.9:5060"))
        let invite = try stage.last(to: .centerA, "INVITE")
        var restarted = try AccessStage()
        restarted.core = AccessCore(
            settings: stage.core.settings, table: Known.table(1, [.centerA, .centerB]),
            tokens: Known.tokens(incarnation: "z2"), seed: 8, now: .zero)
        restarted.receive(try byeOfCenter(invite, to: "sip:bob@172.16.0.9:5060"), from: .centerA)
        #expect(restarted.news() == ["BYE → caller"])
    }

    @Test func connectionOfAnEarlierLifeIs430() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", from: .tcpCaller), from: .tcpCaller)
        let invite = try stage.last(to: .centerA, "INVITE")
        var restarted = try AccessStage()
        restarted.core = AccessCore(
            settings: stage.core.settings, table: Known.table(1, [.centerA, .centerB]),
            tokens: Known.tokens(incarnation: "z2"), seed: 8, now: .zero)
        restarted.receive(try byeOfCenter(invite), from: .centerA)
        #expect(restarted.news() == ["430 → center-a"])
    }

    @Test func closedConnectionIs430() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", from: .tcpCaller), from: .tcpCaller)
        let invite = try stage.last(to: .centerA, "INVITE")
        stage.receive(try byeOfCenter(invite), from: .centerA)
        _ = stage.news()
        stage.tell(.closed(.tcpCaller))
        #expect(stage.news() == ["430 → center-a"])
    }

    /// RFC 5626 §5.3: 430 says that the flow is gone. A caller that refuses is there.
    @Test(arguments: [Flow.caller, .tcpCaller]) func refusalOfTheCallerGoesOnAsItIs(caller: Flow) throws {
        var stage = try AccessStage()
        let contact = "sip:bob@172.16.0.9:5060"
        stage.receive(try Known.request("INVITE", from: caller, contact: contact), from: caller)
        let invite = try stage.last(to: .centerA, "INVITE")
        stage.receive(try byeOfCenter(invite, to: contact), from: .centerA)
        let bye = try stage.last(to: caller, "BYE")
        _ = stage.news()
        stage.receive(try Known.answer(to: bye, 503, from: caller, headers: [(.retryAfter, "7")]), from: caller)
        #expect(stage.news() == ["503 → center-a"])
        #expect(try stage.last(to: .centerA, "503").values(of: .retryAfter) == ["7"])
        #expect(stage.core.report.counters.refused[RefusalReason.flow.rawValue] == 0)
    }

    @Test func forgedTokenIsRefused() throws {
        var stage = try AccessStage()
        let forged = try #require(Known.tokens(incarnation: "z1", key: 6).token(for: .tcpCaller))
        stage.receive(
            try Known.request(
                "BYE", from: .centerA, uri: "sip:bob@192.0.2.7:40000", branch: "z9hG4bKs", fromTag: Known.tagA,
                toTag: "c-1", more: ["Route: <sip:10.0.0.1:5060;transport=tcp;lr;t=\(forged)>"]),
            from: .centerA)
        #expect(stage.news() == ["430 → center-a"])
    }

    @Test func callersOwnTokenLeadsItToItsCenterAndNowhereElse() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", from: .tcpCaller), from: .tcpCaller)
        let routes = try stage.last(to: .centerA, "INVITE").recordRoutes.reversed().map { "Route: \($0)" }
        _ = stage.news()
        stage.receive(
            try Known.request(
                "BYE", from: .tcpCaller, uri: "sip:10.0.0.10:5081", branch: "z9hG4bKb", toTag: Known.tagA, cseq: 2,
                more: Array(routes)), from: .tcpCaller)
        #expect(stage.news() == ["BYE → center-a"])
    }

    @Test(arguments: [
        Flow.caller, .tcpCaller, Flow(transport: .udp, remote: Endpoint(.v6(1, 2), port: 65_535), listener: 15),
        Flow(transport: .tcp, remote: Endpoint(.v4(.max), port: 1), connection: (1 << 48) - 1),
    ])
    func tokenReadsBackAsItsFlow(flow: Flow) throws {
        let tokens = Known.tokens(incarnation: "z1")
        let token = try #require(tokens.token(for: flow))
        #expect(tokens.flow(of: token) == flow)
        for index in token.indices {
            var changed = token
            changed.replaceSubrange(index...index, with: token[index] == "A" ? "B" : "A")
            #expect(tokens.flow(of: changed) == nil)
        }
        #expect(tokens.flow(of: "") == nil && tokens.flow(of: token + "AAAA") == nil)
    }

    // MARK: Long requests

    private let long = String(repeating: "a=x-long:0123456789\r\n", count: 80)

    @Test func longRequestGoesToTheCenterByTCP() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", body: long.replacing("\r\n", with: "\n")))
        #expect(stage.news() == ["100 → caller", "INVITE → center-a by tcp"])
        let sent = try stage.last(to: .centerATCP, "INVITE")
        #expect(sent.via.first?.transport == .tcp)
        #expect(sent.recordRoutes.count == 2)
    }

    @Test func longRequestIsSentByUDPWhenTCPIsRefused() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", body: long.replacing("\r\n", with: "\n")))
        _ = stage.news()
        stage.tell(.unreachable(.centerATCP))
        // §18.1.1: "the element SHOULD retry the request, using UDP".
        #expect(stage.news() == ["INVITE → center-a"])
        try stage.answer(200, from: .centerA)
        #expect(stage.news() == ["200 → caller"])
    }

    /// §17.1.4: the request left by whatever connection there was, and that one ended before anything came back.
    @Test func longRequestIsSentByUDPWhenItsConnectionEnds() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", body: long.replacing("\r\n", with: "\n")))
        _ = stage.news()
        stage.tell(.closed(Flow(transport: .tcp, remote: Flow.centerA.remote, connection: 5)))
        #expect(stage.news() == ["INVITE → center-a"])
        try stage.answer(200, from: .centerA)
        #expect(stage.news() == ["200 → caller"])
    }

    /// A center that said 100 has the call, and nothing of it can come back: another one is asked.
    @Test func connectionThatEndsAfterAProvisionalResponseLeadsToTheNextCenter() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", body: long.replacing("\r\n", with: "\n")))
        try stage.answer(100, from: .centerATCP)
        _ = stage.news()
        stage.tell(.closed(Flow(transport: .tcp, remote: Flow.centerA.remote, connection: 5)))
        #expect(stage.news() == ["INVITE → center-b by tcp"])
    }

    @Test func withoutATCPListenerALongRequestGoesByUDP() throws {
        var stage = try AccessStage { $0.tcp = [] }
        stage.receive(try Known.request("INVITE", body: long.replacing("\r\n", with: "\n")))
        #expect(stage.news() == ["100 → caller", "INVITE → center-a"])
    }
}
