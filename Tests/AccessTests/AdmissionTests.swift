import Primitives
import Routing
import SIP
import Session
import Testing

@testable import Access

@Suite struct AdmissionTests {
    // MARK: Sources

    @Test func strangerIsNotEvenAnswered() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", from: .stranger), from: .stranger)
        try stage.receive(Array("INVITE nonsense\r\n\r\n".utf8), from: .stranger)
        #expect(stage.news() == [])
        #expect(stage.core.report.counters.refused[RefusalReason.source.rawValue] == 2)
    }

    @Test func sourceOverItsRateHears503WithRetryAfter() throws {
        var stage = try AccessStage { $0.rate = RateLimit(perSecond: 1, burst: 2) }
        for index in 0..<3 {
            stage.receive(try Known.request("INVITE", branch: "z9hG4bK\(index)", callID: "c\(index)"))
        }
        #expect(stage.news().last == "503 → caller")
        #expect(try stage.last(to: .caller).first(.retryAfter) == "1")
        stage.receive(try Known.request("INVITE", from: .otherCaller, branch: "z9hG4bKo"), from: .otherCaller)
        #expect(stage.news() == ["100 → other", "INVITE → center-a"], "another source has a rate of its own")
    }

    @Test func repetitionsDoNotCountAgainstTheRate() throws {
        var stage = try AccessStage { $0.rate = RateLimit(perSecond: 1, burst: 2) }
        let invite = try Known.request("INVITE")
        for _ in 0..<5 { stage.receive(invite) }
        stage.receive(try Known.request("INVITE", branch: "z9hG4bKn", callID: "next"))
        #expect(stage.news().last == "INVITE → center-a")
    }

    @Test func floodOfOneSourceLeavesRoomForOthers() throws {
        var stage = try AccessStage {
            $0.rate = RateLimit(perSecond: 1, burst: 5)
            $0.transactionLimit = 100
        }
        for index in 0..<500 {
            stage.receive(try Known.request("INVITE", branch: "z9hG4bK\(index)", callID: "c\(index)"))
        }
        #expect(stage.news().last == "503 → caller")
        #expect(stage.core.report.transactions < 50)
        let refusal = try stage.last(to: .caller, "503")
        stage.receive(try Known.request("ACK", branch: "z9hG4bK499", toTag: refusal.to.tag, callID: "c499"))
        #expect(stage.news() == [], "the ACK of a refusal without a transaction ends here")
        stage.receive(try Known.request("INVITE", from: .otherCaller, branch: "z9hG4bKo"), from: .otherCaller)
        #expect(stage.news() == ["100 → other", "INVITE → center-a"])
    }

    /// Not only calls take room: every request that begins a transaction does.
    @Test(arguments: ["OPTIONS", "REGISTER", "MESSAGE", "BYE"])
    func floodOfOtherRequestsLeavesRoomForCalls(_ method: String) throws {
        var stage = try AccessStage {
            $0.rate = RateLimit(perSecond: 1, burst: 5)
            $0.transactionLimit = 100
        }
        for index in 0..<500 {
            stage.receive(try Known.request(method, branch: "z9hG4bK\(index)", callID: "c\(index)"))
        }
        #expect(stage.news().last == "503 → caller")
        #expect(stage.core.report.transactions < 75, "a quarter, the burst, and what was forwarded of it")
        #expect(stage.core.report.counters.refused[RefusalReason.rate.rawValue] > 400)
        // A call that is up can be ended, masters are answered, and others call.
        stage.receive(try Known.request("BYE", branch: "z9hG4bKb", toTag: Known.tagA, cseq: 2))
        #expect(stage.news() == ["BYE → center-a"])
        stage.receive(try Known.ping(NodeNotice(node: "access-1")), from: .centerB)
        #expect(stage.news() == ["200 → center-b"])
        stage.receive(try Known.request("INVITE", from: .otherCaller, branch: "z9hG4bKo"), from: .otherCaller)
        #expect(stage.news() == ["100 → other", "INVITE → center-a"])
    }

    /// Anybody can write a To tag: beyond eight times its rate a source gets no more transactions for it.
    @Test(arguments: ["INVITE", "BYE", "INFO"])
    func floodInsideDialogsLeavesRoomForOthers(_ method: String) throws {
        var stage = try AccessStage {
            $0.rate = RateLimit(perSecond: 1, burst: 5)
            $0.transactionLimit = 400
        }
        for index in 0..<500 {
            stage.receive(
                try Known.request(method, branch: "z9hG4bK\(index)", toTag: "x", callID: "c\(index)", cseq: 2))
        }
        #expect(stage.news().last == "503 → caller")
        #expect(try stage.last(to: .caller, "503").first(.retryAfter) == "1")
        #expect(stage.core.report.transactions < 300, "a quarter and eight bursts, each twice: received and sent on")
        let refused = stage.core.report.counters.refused[RefusalReason.rate.rawValue]
        #expect(refused > 300)
        stage.receive(try Known.request("ACK", branch: "z9hG4bKa", toTag: "x", callID: "c1", cseq: 2))
        #expect(stage.news() == ["ACK → center-b"], "an ACK begins nothing, and may be what a 2xx waits for")
        #expect(stage.core.report.counters.refused[RefusalReason.rate.rawValue] == refused)
        // Centers speak as ever, and others call and end their calls.
        stage.receive(
            try Known.request(
                "BYE", from: .centerA, uri: "sip:bob@192.0.2.5:5062", branch: "z9hG4bKs", fromTag: Known.tagA,
                toTag: "c-1"), from: .centerA)
        #expect(stage.news() == ["BYE → caller"])
        stage.receive(try Known.request("INVITE", from: .otherCaller, branch: "z9hG4bKo"), from: .otherCaller)
        #expect(stage.news() == ["100 → other", "INVITE → center-a"])
        stage.receive(
            try Known.request("BYE", from: .otherCaller, branch: "z9hG4bKb", toTag: Known.tagA, cseq: 2),
            from: .otherCaller)
        #expect(stage.news() == ["BYE → center-a"])
    }

    @Test func requestsInsideDialogsDoNotCountWhileThereIsRoom() throws {
        var stage = try AccessStage { $0.rate = RateLimit(perSecond: 1, burst: 1) }
        for index in 0..<50 {
            stage.receive(
                try Known.request("INFO", branch: "z9hG4bK\(index)", toTag: Known.tagA, cseq: index + 2))
        }
        #expect(stage.news() == [String](repeating: "INFO → center-a", count: 50))
    }

    /// One rule at every node: a response counts under the method that it answers.
    @Test func responsesAreCountedByTheirMethod() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        try stage.answer(180, from: .centerA)
        try stage.answer(200, from: .centerA)
        stage.receive(try Known.request("OPTIONS", uri: "sip:10.0.0.1:5060", branch: "z9hG4bKo", callID: "o"))
        stage.receive(try Known.request("FOO", branch: "z9hG4bKf", callID: "f"))
        let counters = stage.core.report.counters
        func counts(_ list: [UInt64]) -> [String: UInt64] {
            Dictionary(uniqueKeysWithValues: zip(AccessCounters.kinds, list)).filter { $0.value > 0 }
        }
        #expect(counts(counters.received) == ["INVITE": 3, "OPTIONS": 1, "other": 1])
        // The call on to the center, and back 100, 180 and 200.
        #expect(counts(counters.sent) == ["INVITE": 4, "OPTIONS": 1, "other": 1])
    }

    @Test func fullTableIs503() throws {
        var stage = try AccessStage { $0.transactionLimit = 4 }
        for index in 0..<3 {
            stage.receive(try Known.request("INVITE", branch: "z9hG4bK\(index)", callID: "c\(index)"))
        }
        #expect(stage.news().last == "503 → caller")
        #expect(try stage.last(to: .caller).first(.retryAfter) == "2")
    }

    @Test func drainingNodeTakesNoNewCallAndEndsOldOnes() throws {
        var stage = try AccessStage()
        stage.tell(.shutDown)
        stage.receive(try Known.request("INVITE"))
        #expect(stage.news() == ["503 → caller"])
        stage.receive(try Known.request("BYE", branch: "z9hG4bKb", toTag: Known.tagA, cseq: 2))
        #expect(stage.news() == ["BYE → center-a"])
    }

    /// `drain` and `disable` of an access node reach it with the leading master's pings.
    @Test(arguments: [AdministrativeState.draining, .disabled])
    func orderedOutOfUseItRefusesNewCallsAndEndsOldOnes(order: AdministrativeState) throws {
        var stage = try AccessStage()
        stage.receive(try Known.ping(NodeNotice(node: "access-1", want: order, leader: 3)), from: .centerB)
        stage.receive(try Known.request("INVITE"))
        #expect(stage.news() == ["200 → center-b", "503 → caller"])
        #expect(try stage.last(to: .caller).first(.retryAfter) == "2")
        #expect(stage.core.report.isDraining)
        stage.receive(try Known.request("BYE", branch: "z9hG4bKb", toTag: Known.tagA, cseq: 2))
        #expect(stage.news() == ["BYE → center-a"])
        stage.receive(try Known.ping(NodeNotice(node: "access-1", want: .enabled, leader: 3)), from: .centerB)
        stage.receive(try Known.request("INVITE", branch: "z9hG4bKn", callID: "next"))
        #expect(stage.news().last == "INVITE → center-a")
    }

    /// A standby, a leader of an earlier epoch, and a word about another node or from outside order nothing.
    @Test func onlyTheLeadingMastersOrdersCount() throws {
        var stage = try AccessStage()
        stage.receive(try Known.ping(NodeNotice(node: "access-1", want: .enabled, leader: 5)), from: .centerB)
        for notice in [
            NodeNotice(node: "access-1", want: .draining), NodeNotice(node: "access-1", want: .draining, leader: 4),
            NodeNotice(node: "access-2", want: .draining, leader: 9),
        ] {
            stage.receive(try Known.ping(notice), from: .centerB)
        }
        stage.receive(
            try Known.ping(NodeNotice(node: "access-1", want: .draining, leader: 9), from: .caller), from: .caller)
        stage.receive(try Known.request("INVITE"))
        #expect(stage.news().last == "INVITE → center-a")
    }

    // MARK: What is wrong with a request (RFC 3261 §16.3)

    @Test func requestThatMayGoNoFurtherIs483() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", maxForwards: 0))
        #expect(stage.news() == ["483 → caller"])
    }

    @Test func optionsThatMayGoNoFurtherIsAnsweredHere() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("OPTIONS", maxForwards: 0))
        #expect(stage.news() == ["200 → caller"])
    }

    @Test func unknownProxyRequireIs420() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", more: ["Proxy-Require: teleport"]))
        #expect(stage.news() == ["420 → caller"])
        #expect(try stage.last(to: .caller).first(.unsupported) == "teleport")
    }

    @Test func requestThatComesBackUnchangedIs482() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        let sent = try stage.last(to: .centerA, "INVITE")
        _ = stage.news()
        stage.receive(sent, from: .centerA)
        #expect(stage.news().map { $0.prefix(3) } == ["482"])
    }

    @Test func malformedRequestIsAnswered400() throws {
        var stage = try AccessStage()
        let text = String(decoding: try Known.request("INVITE").bytes, as: UTF8.self)
        try stage.receive(Array(text.replacing("CSeq: 1 INVITE", with: "CSeq: x INVITE").utf8))
        #expect(stage.news() == ["400 → caller"])
        #expect(stage.core.report.counters.refused[RefusalReason.malformed.rawValue] == 1)
    }

    @Test func keepAliveIsNoMistake() throws {
        var stage = try AccessStage()
        try stage.receive([13, 10, 13, 10])
        #expect(stage.core.report.counters.refused.allSatisfy { $0 == 0 })
    }

    @Test func secureRequestURIIs416() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", uri: "sips:95533@10.0.0.1:5060"))
        #expect(stage.news() == ["416 → caller"])
    }

    // MARK: To the node itself

    @Test func pingOfAMasterIsAnsweredWithNodeAndLoad() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("OPTIONS", from: .master, uri: "sip:10.0.0.1:5060"), from: .master)
        let pong = try stage.last(to: .master)
        #expect(pong.status == 200)
        #expect(pong.first(.tandemNode) == "access-1;incarnation=z1")
        #expect(NodeLoad(headerValue: pong.first(.tandemLoad) ?? "")?.isDraining == false)
        stage.tell(.shutDown)
        stage.receive(
            try Known.request("OPTIONS", from: .master, uri: "sip:10.0.0.1:5060", branch: "z9hG4bK2"), from: .master)
        #expect(NodeLoad(headerValue: try stage.last(to: .master).first(.tandemLoad) ?? "")?.isDraining == true)
    }

    @Test func optionsFromOutsideLearnsNothingOfTheNode() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("OPTIONS", uri: "sip:10.0.0.1:5060"))
        let answer = try stage.last(to: .caller)
        #expect(answer.status == 200)
        #expect(answer.first(.allow) != nil)
        #expect(answer.first(.tandemNode) == nil && answer.first(.tandemLoad) == nil)
    }

    @Test func optionsToALineReachesACenter() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("OPTIONS"))
        #expect(stage.news() == ["OPTIONS → center-a"])
    }

    @Test(arguments: [("REGISTER", 405), ("SUBSCRIBE", 405), ("PUBLISH", 405), ("DANCE", 501), ("BYE", 481)])
    func otherMethodsOutsideADialog(method: String, status: Int) throws {
        var stage = try AccessStage()
        stage.receive(try Known.request(method, uri: "sip:10.0.0.1:5060"))
        #expect(stage.news() == ["\(status) → caller"])
        if status != 481 { #expect(try stage.last(to: .caller).first(.allow) != nil) }
    }

    @Test func inviteToNobodyIs404() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE", uri: "sip:10.0.0.1:5060"))
        #expect(stage.news() == ["404 → caller"])
    }

    // MARK: Headers

    @Test func internalHeadersFromOutsideAreRemoved() throws {
        var stage = try AccessStage()
        let forged = "11111111-2222-4333-8444-555555555555"
        stage.receive(
            try Known.request(
                "INVITE",
                more: [
                    "Tandem-Session: \(forged)", "tandem-load: calls=0;limit=9", "Tandem-Node: center-a;incarnation=x",
                    "P-Asserted-Identity: <sip:president@bank.example>", "User-to-User: 00", "X-Other: stays",
                ]))
        let sent = try stage.last(to: .centerA, "INVITE")
        #expect(sent.values(of: .tandemSession).count == 1)
        #expect(sent.first(.tandemSession).flatMap { SessionID($0) } != SessionID(forged))
        for name in [HeaderName.tandemLoad, .tandemNode, .pAssertedIdentity, .userToUser] {
            #expect(sent.first(name) == nil, "\(name)")
        }
        #expect(sent.first(HeaderName("X-Other")) == "stays")
    }

    @Test func trustedSideKeepsItsIdentityButNotTheSession() throws {
        var stage = try AccessStage()
        let exchange = Flow(transport: .udp, remote: Endpoint(.v4(0x0A00_0032), port: 5060))
        stage.receive(
            try Known.request(
                "INVITE", from: exchange, more: ["P-Asserted-Identity: <sip:desk@bank.example>", "Tandem-Session: 1"]),
            from: exchange)
        let sent = try stage.last(to: .centerA, "INVITE")
        #expect(sent.first(.pAssertedIdentity) == "<sip:desk@bank.example>")
        #expect(sent.first(.tandemSession) != "1")
    }

    @Test func responsesLeaveInternalHeadersBehind() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        try stage.answer(
            200, from: .centerA,
            headers: [(.tandemNode, "center-a;incarnation=k1"), (.pAssertedIdentity, "<sip:x@y>")])
        let answer = try stage.last(to: .caller)
        #expect(answer.first(.tandemNode) == nil && answer.first(.pAssertedIdentity) == nil)
        #expect(answer.via.count == 1)
    }

    @Test func sessionsDiffer() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        let first = try stage.last(to: .centerA, "INVITE").first(.tandemSession)
        stage.receive(try Known.request("INVITE", branch: "z9hG4bK2", callID: "call-2"))
        let second = try stage.last(to: .centerA, "INVITE").first(.tandemSession)
        #expect(first.flatMap { SessionID($0) } != nil && first != second)
    }

    // MARK: Tables

    @Test func newerTableIsTakenAndKept() throws {
        var stage = try AccessStage()
        stage.tell(.table(Known.table(2, [.centerB])))
        stage.tell(.table(Known.table(1, [.centerA])))
        #expect(stage.adopted.map(\.generation) == [2])
        stage.receive(try Known.request("INVITE"))
        #expect(stage.news() == ["100 → caller", "INVITE → center-b"])
        #expect(stage.core.report.table == "s1:1:2")
    }

    @Test func movedCenterIsReachedAtItsNewPlace() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        _ = stage.news()
        var moved = RouteEntry.centerA
        moved.sip = [Flow.centerB.remote]
        stage.tell(.table(Known.table(2, [moved])))
        stage.receive(try Known.request("INVITE", branch: "z9hG4bK2", callID: "call-2"))
        #expect(stage.news().last == "INVITE → center-b")
    }
}
