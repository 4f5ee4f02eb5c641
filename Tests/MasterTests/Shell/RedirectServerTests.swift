import Primitives
import Routing
import SIP
import Session
import Testing

@testable import Master

/// The redirect server with a core that sees two centers.
private struct RedirectBench {
    var master: MasterBench
    var server = RedirectServer(identity: MasterBench.me, timers: .standard, seed: 7)
    let parser = MessageParser()
    static let phone = Endpoint(.v4(0x7F00_0001), port: 5_099)

    init(centers: [String] = ["center-a", "center-b"]) {
        // Weighted order is drawn by chance; this policy always says the home first.
        master = MasterBench(centers: centers) { settings in
            settings.routing = RoutingPlan(.homeFirst("center-b"))
        }
        master.run(until: .seconds(20))
    }

    static func request(
        _ method: String, cseq: Int = 1, branch: String = "z9hG4bK1", toTag: String = "", transport: String = "UDP",
        extra: String = "", uri: String = "sip:95533@127.0.0.1:5070"
    ) -> String {
        """
        \(method) \(uri) SIP/2.0\r
        Via: SIP/2.0/\(transport) 127.0.0.1:5099;branch=\(branch);rport\r
        Max-Forwards: 70\r
        From: <sip:10000007@127.0.0.1>;tag=caller\r
        To: <sip:95533@127.0.0.1>\(toTag)\r
        Call-ID: call-1@127.0.0.1\r
        CSeq: \(cseq) \(method)\r
        \(extra)Content-Length: 0\r
        \r

        """
    }

    /// What is sent in answer.
    mutating func say(_ text: String, transport: Transport = .udp) throws -> [Message] {
        let flow = Flow(transport: transport, remote: Self.phone, listener: 0, connection: transport == .udp ? 0 : 9)
        var effects: [RedirectServer.Effect] = []
        server.receive(
            try parser.parse(Array(text.utf8), transport: transport), on: flow, now: master.now, core: &master.core,
            into: &effects)
        return try sent(effects, over: flow)
    }

    /// What the server sends by itself when it is asked next so much later.
    mutating func fire(after span: Duration) throws -> [Message] {
        var effects: [RedirectServer.Effect] = []
        server.fire(now: master.now + span, core: &master.core, into: &effects)
        return try sent(effects, over: Flow(transport: .udp, remote: Self.phone))
    }

    func sent(_ effects: [RedirectServer.Effect], over flow: Flow) throws -> [Message] {
        try effects.compactMap { effect in
            guard case .send(let bytes, let to) = effect else { return nil }
            #expect(to == flow)
            return try parser.parse(bytes, transport: flow.transport)
        }
    }
}

@Suite struct RedirectServerTests {
    /// RFC 3261 §21.3: "302 … the requesting client SHOULD retry the request at the new address(es) given by the
    /// Contact header field"; §20.10: q-values order them.
    @Test func anInviteIsSentToLiveCentersInPolicyOrder() throws {
        var bench = RedirectBench()
        let answers = try bench.say(RedirectBench.request("INVITE"))
        #expect(answers.map(\.status) == [302])
        let contacts = try #require(answers.first).contacts
        #expect(contacts.map { $0.uri.description } == ["sip:95533@127.0.0.1:5062", "sip:95533@127.0.0.1:5061"])
        #expect(contacts.map { $0.parameters[parameter: "q"]?.value } == ["1.0", "0.900"])
        #expect(answers.first?.to.tag.flatMap { NodeTag($0) }?.node == "master-a")
    }

    /// §17.2.1: "If the server transaction … receives a retransmission of the request, the most recent … response …
    /// MUST be passed to the transport layer for retransmission."
    @Test func aRepeatedInviteGetsTheVerySameAnswer() throws {
        var bench = RedirectBench()
        let first = try bench.say(RedirectBench.request("INVITE"))
        let second = try bench.say(RedirectBench.request("INVITE"))
        #expect(first.map(\.bytes) == second.map(\.bytes))
    }

    @Test func theAnswerIsRepeatedUntilTheACK() throws {
        var bench = RedirectBench()
        let first = try bench.say(RedirectBench.request("INVITE"))
        #expect(try bench.fire(after: .milliseconds(500)).map(\.bytes) == first.map(\.bytes))
        let tag = try #require(first.first?.to.tag)
        #expect(try bench.say(RedirectBench.request("ACK", toTag: ";tag=\(tag)")).isEmpty)
        #expect(try bench.fire(after: .seconds(3)).isEmpty)
    }

    @Test func aDeadCenterIsNotNamed() throws {
        var bench = RedirectBench()
        bench.master.nodes["center-b"]?.behaviour = .refuses
        bench.master.run(until: .seconds(22))
        let answers = try bench.say(RedirectBench.request("INVITE"))
        #expect(answers.first?.contacts.map { $0.uri.port } == [5_061])
    }

    @Test func withNoCenterAliveItSaysWhenToTryAgain() throws {
        var bench = RedirectBench()
        bench.master.nodes["center-a"]?.behaviour = .refuses
        bench.master.nodes["center-b"]?.behaviour = .refuses
        bench.master.run(until: .seconds(25))
        let answers = try bench.say(RedirectBench.request("INVITE"))
        #expect(answers.map(\.status) == [503])
        #expect(answers.first?.first(.retryAfter) == "5")
    }

    @Test func overTCPTheContactsSaySo() throws {
        var bench = RedirectBench()
        let answers = try bench.say(RedirectBench.request("INVITE", transport: "TCP"), transport: .tcp)
        #expect(
            answers.first?.contacts.map { $0.uri.description }
                == ["sip:95533@127.0.0.1:5062;transport=tcp", "sip:95533@127.0.0.1:5061;transport=tcp"])
    }

    @Test func aRequiredExtensionIsTheCentersConcern() throws {
        var bench = RedirectBench()
        #expect(try bench.say(RedirectBench.request("INVITE", extra: "Require: 100rel\r\n")).map(\.status) == [302])
    }

    @Test func sixtyCentersFitIntoTheRangeOfQValues() {
        let targets = (0..<60).map {
            Redirect.Target(name: "c\($0)", sip: Endpoint(.v4(0x7F00_0001), port: UInt16(6_000 + $0)))
        }
        let contacts = RedirectServer.contacts(targets, line: "1", over: .udp)
        let values = contacts.compactMap { $0.1.split(separator: "q=").last }.compactMap { Double($0) }
        #expect(values.count == 60)
        #expect(values == values.sorted(by: >) && Set(values).count == 60)
        #expect(values.allSatisfy { (0.001...1).contains($0) })
    }

    /// §11.2: OPTIONS is answered as an INVITE could be, with Allow and Accept; nodes sign with name and incarnation.
    @Test func optionsSayWhoAnswers() throws {
        var bench = RedirectBench()
        let answer = try #require(try bench.say(RedirectBench.request("OPTIONS", uri: "sip:127.0.0.1:5070")).first)
        #expect(answer.status == 200)
        #expect(answer.first(.allow) == "INVITE, ACK, CANCEL, OPTIONS")
        #expect(answer.first(.tandemNode) == "master-a;incarnation=m1")
        #expect(answer.first(.tandemLoad) == "calls=0;limit=0;state=up")
    }

    /// §9.2: a CANCEL has "no effect" on a request that has its final response, and is answered 200 itself; without a
    /// matching transaction it gets 481.
    @Test func aCancelComesTooLateAndIsAnswered() throws {
        var bench = RedirectBench()
        #expect(try bench.say(RedirectBench.request("CANCEL", branch: "z9hG4bKother")).map(\.status) == [481])
        _ = try bench.say(RedirectBench.request("INVITE"))
        #expect(try bench.say(RedirectBench.request("CANCEL")).map(\.status) == [200])
    }

    @Test(arguments: [("BYE", 405), ("REGISTER", 405), ("MESSAGE", 405), ("FROB", 501)])
    func otherMethodsAreNotServed(_ method: String, _ status: Int) throws {
        var bench = RedirectBench()
        let answers = try bench.say(RedirectBench.request(method))
        #expect(answers.map(\.status) == [status])
        #expect(answers.first?.first(.allow) == "INVITE, ACK, CANCEL, OPTIONS")
    }

    @Test func aRequestInsideADialogIsNone() throws {
        var bench = RedirectBench()
        #expect(try bench.say(RedirectBench.request("INVITE", toTag: ";tag=old")).map(\.status) == [481])
    }

    @Test func nonsenseIsAnsweredWhereItCanBe() throws {
        var bench = RedirectBench()
        let flow = Flow(transport: .udp, remote: RedirectBench.phone)
        var effects: [RedirectServer.Effect] = []
        let broken = RedirectBench.request("INVITE").replacing("CSeq: 1 INVITE", with: "CSeq: 1 BYE")
        do throws(SIPParseError) {
            _ = try bench.parser.parse(Array(broken.utf8), transport: .udp)
            Issue.record("it parsed")
        } catch {
            bench.server.refuse(error, on: flow, into: &effects)
        }
        #expect(try bench.sent(effects, over: flow).map(\.status) == [400])
    }
}
