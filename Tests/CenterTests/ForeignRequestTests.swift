import Primitives
import Routing
import SIP
import Session
import Store
import Testing

@testable import Center

/// TAKEOVER.md, Signalling: requests of the caller in the gap, at a center that does not hold the call.
@Suite struct ForeignRequestTests {
    private static let owner = NodeIdentity(name: "center-b", incarnation: "m2")
    private static let peer = PeerList.Peer(
        node: "center-b", incarnation: "m2", sip: Endpoint(.v4(0x0A00_0002), port: 5082))
    private static let access = Flow(transport: .udp, remote: Endpoint(.v4(0x0A00_0007), port: 5060))

    /// The row of a call as another center keeps it, a center that does not hold it, and the caller's phone.
    private func stray(
        owner: NodeIdentity? = owner, isFenced: Bool = false, knowsPeer: Bool = true, flow: Flow = Phone.flow
    ) throws -> (CenterBench, Phone, StoredSession) {
        let other = try CenterBench(seed: 7) {
            $0.identity = NodeIdentity(name: "center-b", incarnation: "m2") ?? $0.identity
        }
        let there = try Phone(other).establish()
        let write = try #require(other.opened.last)
        let row = StoredSession(
            ownership: Ownership(node: try #require(owner)), checkpoint: write.checkpoint, callerEnded: nil,
            ownerFenced: isFenced)
        let bench = try CenterBench()
        bench.replies = { if case .sessionsByCallID("call-1") = $0 { .sessions([row]) } else { nil } }
        if knowsPeer { bench.core.peers = PeerList([Self.peer]) }
        let phone = Phone(bench, flow: flow)
        phone.toTag = there.toTag
        return (bench, phone, row)
    }

    private func lookups(_ bench: CenterBench) -> Int {
        bench.requests.filter { if case .sessionsByCallID = $0 { true } else { false } }.count
    }

    // MARK: The owner lives

    @Test func requestOfALiveCentersCallIsPassedOnAndItsAnswerPassedBack() throws {
        let (bench, phone, row) = try stray()
        try phone.request("INFO")
        let passed = try #require(bench.requestsSent(.info).first)
        #expect(passed.flow.remote == Self.peer.sip)
        #expect(passed.message.via.count == 2)
        #expect(passed.message.via.first?.host == "10.0.0.1")
        #expect(passed.message.maxForwards == 69)
        #expect(passed.message.first(.tandemSession) == row.checkpoint.session.description)
        #expect(bench.responses(200).isEmpty)
        let there = Phone(bench, flow: Flow(transport: .udp, remote: Self.peer.sip))
        try there.send(there.reply(200, to: passed.message))
        let answer = try #require(bench.responses(200, to: .info).first)
        #expect(answer.flow == Phone.flow)
        #expect(answer.message.via.count == 1)
        bench.advance(by: .seconds(40))
        #expect(bench.core.foreign.count == 0)
        #expect(bench.serverTransactions == 0)
    }

    /// Loss between the centers is made good there: the phone's repetitions end at this one.
    @Test func passedOnRequestIsRepeatedUntilItIsAnswered() throws {
        let (bench, phone, _) = try stray()
        let info = phone.text("INFO", cseq: 2)
        try phone.send(info)
        try phone.send(info)
        #expect(bench.requestsSent(.info).count == 1)
        bench.advance(by: .milliseconds(500))
        #expect(bench.requestsSent(.info).count == 2)
        #expect(lookups(bench) == 1)
    }

    @Test func acknowledgementIsPassedOnToo() throws {
        let (bench, phone, _) = try stray()
        try phone.acknowledge()
        #expect(bench.requestsSent(.ack).first?.flow.remote == Self.peer.sip)
        #expect(bench.core.foreign.count == 0)
    }

    @Test func reinviteAndAllCopiesOfItsAnswerGoThrough() throws {
        let (bench, phone, _) = try stray()
        try phone.request("INVITE", body: Phone.offer)
        #expect(bench.responses(100, to: .invite).count == 1)
        let passed = try #require(bench.requestsSent(.invite).first).message
        let there = Phone(bench, flow: Flow(transport: .udp, remote: Self.peer.sip))
        let answer = try there.reply(200, to: passed, body: Phone.sdp())
        try there.send(answer)
        try there.send(answer)
        #expect(bench.responses(200, to: .invite).count == 2)
        // The transaction does not acknowledge for the phone.
        #expect(bench.requestsSent(.ack).isEmpty)
        bench.advance(by: .seconds(40))
        #expect(bench.core.foreign.count == 0)
    }

    @Test func requestIsNeverPassedOnTwice() throws {
        let (bench, phone, row) = try stray(flow: Self.access)
        try phone.request("INFO", headers: ["Tandem-Session: \(row.checkpoint.session)"])
        bench.advance(by: .seconds(2))
        #expect(bench.requestsSent(.info).isEmpty)
        #expect(bench.responses(503, to: .info).count == 1)
    }

    /// RFC 3261 §16.3.
    @Test func requestWithoutHopsLeftIsNotPassedOn() throws {
        let (bench, phone, _) = try stray()
        let text = phone.text("INFO", cseq: 2).replacing("Max-Forwards: 70", with: "Max-Forwards: 0")
        try phone.send(text)
        #expect(bench.responses(483).count == 1)
        #expect(bench.requestsSent(.info).isEmpty)
    }

    @Test func internalHeadersOfStrangersAreNotPassedOn() throws {
        let (bench, phone, row) = try stray()
        try phone.request("INFO", headers: ["Tandem-Session: 0b2f4c9e-1111-4222-8333-000000000001", "Tandem-Node: x"])
        let passed = try #require(bench.requestsSent(.info).first).message
        #expect(passed.values(of: .tandemSession) == [row.checkpoint.session.description])
        #expect(passed.first(.tandemNode) == nil)
    }

    @Test func ownerThatIsGoneWhenPassedOnToIsWaitedFor() throws {
        let (bench, phone, row) = try stray()
        try phone.request("INFO")
        bench.handle(.unreachable(Flow(transport: .udp, remote: Self.peer.sip)))
        #expect(bench.responses(503).isEmpty)
        // Another center took the call over.
        let next = try #require(NodeIdentity(name: "center-c", incarnation: "p1"))
        var taken = row
        taken.ownership = Ownership(node: next, epoch: 2)
        bench.replies = { if case .sessionsByCallID = $0 { .sessions([taken]) } else { nil } }
        let address = Endpoint(.v4(0x0A00_0003), port: 5083)
        bench.core.peers = PeerList([.init(node: "center-c", incarnation: "p1", sip: address)])
        bench.advance(by: .milliseconds(200))
        #expect(bench.requestsSent(.info).map(\.flow.remote) == [Self.peer.sip, address])
    }

    @Test func ownerThatSaysNothingCostsASecond() throws {
        let (bench, phone, _) = try stray()
        try phone.request("INFO")
        bench.advance(by: .milliseconds(999))
        #expect(bench.responses(503).isEmpty)
        bench.advance(by: .milliseconds(1))
        #expect(bench.responses(503, to: .info).first?.message.first(.retryAfter) == "1")
        #expect(bench.core.foreign.count == 0)
    }

    // MARK: The owner is dead

    /// Fenced, or dead and not fenced yet: then it is not among the centers that live.
    @Test(arguments: [(true, true), (false, false)])
    func byeOfADeadOwnersCallIs200AndMarked(isFenced: Bool, knowsPeer: Bool) throws {
        let (bench, phone, row) = try stray(isFenced: isFenced, knowsPeer: knowsPeer)
        try phone.hangUp()
        #expect(bench.responses(200, to: .bye).count == 1)
        #expect(bench.requests.contains(.markCallerEnded(row.checkpoint.session, at: bench.now.wall)))
        #expect(bench.records.isEmpty)
    }

    /// The mark is durable before the phone may forget the call.
    @Test func byeIsAnsweredWhenTheMarkIsWritten() throws {
        let (bench, phone, row) = try stray(isFenced: true)
        var isAway = true
        bench.replies = {
            switch $0 {
            case .sessionsByCallID: .sessions([row])
            case .markCallerEnded where isAway: .unavailable(StoreTrouble(.locked, "away"))
            default: nil
            }
        }
        try phone.hangUp()
        #expect(bench.responses(200, to: .bye).isEmpty)
        bench.advance(by: .milliseconds(150))
        isAway = false
        bench.advance(by: .milliseconds(50))
        #expect(bench.responses(200, to: .bye).count == 1)
    }

    @Test func byeIsAnsweredAfterASecondWhateverTheStoreSays() throws {
        let (bench, phone, row) = try stray(isFenced: true)
        bench.replies = {
            switch $0 {
            case .sessionsByCallID: .sessions([row])
            case .markCallerEnded: .unavailable(StoreTrouble(.locked, "away"))
            default: nil
            }
        }
        try phone.hangUp()
        bench.advance(by: .seconds(1))
        #expect(bench.responses(200, to: .bye).count == 1)
    }

    @Test(arguments: ["INFO", "UPDATE", "INVITE", "OPTIONS"])
    func otherRequestsWaitASecondForTheNextOwner(_ method: String) throws {
        let (bench, phone, _) = try stray(isFenced: true)
        try phone.request(method, body: method == "INVITE" ? Phone.offer : "")
        bench.advance(by: .milliseconds(999))
        #expect(bench.sent.allSatisfy { $0.message.status == 100 })
        bench.advance(by: .milliseconds(1))
        let refusal = try #require(bench.responses(503).first).message
        #expect(refusal.first(.retryAfter) == "1")
        #expect(refusal.to.tag == phone.toTag)
        // Five times in a second.
        #expect(lookups(bench) == 5)
        bench.advance(by: .seconds(40))
        #expect(bench.core.foreign.count == 0)
        #expect(bench.timerCount == 0)
    }

    @Test func requestThatWaitsGoesToTheNextOwner() throws {
        let (bench, phone, row) = try stray(isFenced: true)
        try phone.request("INFO")
        #expect(bench.requestsSent(.info).isEmpty)
        var taken = row
        taken.ownership = Ownership(node: try #require(NodeIdentity(name: "center-c", incarnation: "p1")), epoch: 2)
        taken.ownerFenced = false
        bench.replies = { if case .sessionsByCallID = $0 { .sessions([taken]) } else { nil } }
        let address = Endpoint(.v4(0x0A00_0003), port: 5083)
        bench.core.peers = PeerList([.init(node: "center-c", incarnation: "p1", sip: address)])
        bench.advance(by: .milliseconds(200))
        #expect(bench.requestsSent(.info).map(\.flow.remote) == [address])
    }

    /// This node claimed it and builds it up: the row is its own, the call is not in the table yet.
    @Test func requestThatWaitsIsDeliveredWhenTheCallComesHere() throws {
        let (bench, phone, _) = try stray(owner: CenterBench.identity)
        try phone.request("INFO")
        try phone.hangUp()
        bench.advance(by: .milliseconds(300))
        #expect(bench.sent.isEmpty)
        #expect(!bench.requests.contains { if case .markCallerEnded = $0 { true } else { false } })
    }

    @Test func acknowledgementOfADeadOwnersCallIsDropped() throws {
        let (bench, phone, _) = try stray(isFenced: true)
        try phone.acknowledge()
        bench.advance(by: .seconds(2))
        #expect(bench.sent.isEmpty)
        #expect(bench.core.foreign.count == 0)
    }

    @Test func requestsWaitWhileTheStoreIsAway() throws {
        let (bench, phone, _) = try stray(isFenced: true)
        bench.storeMode = .away
        try phone.hangUp()
        bench.advance(by: .seconds(1))
        // Whose call it is, is not known: the phone may ask again.
        #expect(bench.responses(503, to: .bye).count == 1)
    }

    /// A claim that did not see the mark: the next owner gets the BYE itself, and the record its time.
    @Test func markThatCameAfterTheClaimIsABYEToTheNextOwner() throws {
        let cluster = try Cluster(["a", "b", "c"])
        let phone = try Phone(try cluster["a"], flow: Self.access).establish()
        let (a, b, c) = (try cluster["a"], try cluster["b"], try cluster["c"])
        let session = try #require(a.opened.first?.session)
        cluster.store.fence(try cluster.identity("a"))
        try cluster.ping("b", peers: ["b", "c"])
        for bench in [b, c] { bench.advance(by: .seconds(3)) }
        // b reads the row, c claims it, b writes the mark.
        let before = try #require(cluster.store.session(session))
        var isOnItsWay = true
        b.holdsBack = { if case .foreign = $0 { isOnItsWay } else { false } }
        phone.bench = b
        try phone.hangUp()
        let question = try #require(b.heldBack.first)
        try cluster.ping("c", peers: ["c"], dead: ["a"])
        try #require(c.callCount == 1)
        isOnItsWay = false
        b.handle(.stored(question, .sessions([before])))
        #expect(b.requests.contains(.markCallerEnded(session, at: b.now.wall)))
        #expect(b.responses(200, to: .bye).isEmpty)
        try cluster.relay(["b", "c"])
        #expect(c.callCount == 0)
        #expect(b.responses(200, to: .bye).count == 1)
        let record = try #require(cluster.store.records.first)
        #expect(cluster.store.records.count == 1)
        #expect(record.end == .caller)
        #expect(record.ended == b.now.wall)
        #expect(record.centers == ["center-a", "center-c"])
    }

    // MARK: The owner drains

    private static let drainer = PeerList.Peer(
        node: "center-d", incarnation: "q1", sip: Endpoint(.v4(0x0A00_0004), port: 5084))

    /// A call whose owner took it over, was in the leader's list, and is so no more.
    private func drained() throws -> (CenterBench, Phone, StoredSession) {
        let (bench, phone, row) = try stray(owner: NodeIdentity(name: "center-d", incarnation: "q1"), knowsPeer: false)
        try hear(PeerList([Self.drainer]), bench)
        try hear(PeerList([Self.peer]), bench)
        return (bench, phone, row)
    }

    private func hear(_ list: PeerList, _ bench: CenterBench) throws {
        let master = Phone(bench, callID: "ping-\(list.headerValue)", flow: Phone.master)
        try master.send(
            master.text(
                "OPTIONS",
                headers: [
                    "Tandem-Node: center-a;incarnation=k3f9x2;leader=7", "Tandem-Peers: \(list.headerValue)",
                ]))
    }

    private func marks(_ bench: CenterBench) -> Int {
        bench.requests.count { if case .markCallerEnded = $0 { true } else { false } }
    }

    @Test func requestOfADrainingOwnersCallIsPassedOn() throws {
        let (bench, phone, _) = try drained()
        try phone.request("INFO")
        try phone.hangUp()
        #expect(bench.requestsSent(.info).map(\.flow.remote) == [Self.drainer.sip])
        #expect(bench.requestsSent(.bye).map(\.flow.remote) == [Self.drainer.sip])
        #expect(marks(bench) == 0)
        #expect(bench.responses(200, to: .bye).isEmpty)
    }

    /// It was no drain but a death: the mark is made all the same.
    @Test(arguments: [true, false])
    func formerPeerThatDoesNotAnswerIsTakenForDead(refuses: Bool) throws {
        let (bench, phone, row) = try drained()
        try phone.hangUp()
        if refuses { bench.handle(.unreachable(Flow(transport: .udp, remote: Self.drainer.sip))) }
        bench.advance(by: .milliseconds(refuses ? 200 : 400))
        #expect(bench.requests.contains(.markCallerEnded(row.checkpoint.session, at: bench.now.wall)))
        #expect(bench.responses(200, to: .bye).count == 1)
        #expect(bench.core.foreign.count == 0)
    }

    @Test func formerPeersAreRememberedForAMinute() throws {
        let (bench, phone, _) = try drained()
        bench.advance(by: .seconds(60))
        try phone.hangUp()
        #expect(bench.requestsSent(.bye).isEmpty)
        #expect(marks(bench) == 1)
    }

    /// Access sends requests to the incarnation that their tag names while it lives: one that comes here has no owner.
    @Test func ownerThatTheTagNamesIsNotAskedWhenItIsNoPeer() throws {
        let (bench, phone, _) = try stray(knowsPeer: false)
        try hear(PeerList([Self.peer]), bench)
        try hear(PeerList([Self.drainer]), bench)
        try phone.hangUp()
        #expect(bench.requestsSent(.bye).isEmpty)
        #expect(marks(bench) == 1)
    }

    // MARK: No such call

    @Test(arguments: ["BYE", "INFO", "INVITE"])
    func requestWithoutARowIs481(_ method: String) throws {
        let (bench, phone, _) = try stray()
        bench.replies = { _ in nil }
        try phone.request(method, body: method == "INVITE" ? Phone.offer : "")
        #expect(bench.responses(481).count == 1)
    }

    /// The next owner ends a call whose phone answers its re-INVITE with 481, because it hung up: the BYE that waited at
    /// the dead center finds no row then. Nothing else does well to go on, so nothing else is told 200.
    @Test(arguments: ["BYE", "INFO"])
    func byeInADialogOfADeadCenterIs200(_ method: String) throws {
        let (bench, phone, _) = try stray(knowsPeer: false)
        bench.replies = { _ in nil }
        try phone.request(method)
        #expect(bench.responses(method == "BYE" ? 200 : 481).count == 1)
        #expect(bench.core.foreign.count == 0)
    }

    /// It is back, in another incarnation.
    @Test func byeInADialogOfACentersFormerLifeIs200() throws {
        let (bench, phone, _) = try stray(knowsPeer: false)
        bench.replies = { _ in nil }
        bench.core.peers = PeerList([PeerList.Peer(node: "center-b", incarnation: "m3", sip: Self.peer.sip)])
        try phone.hangUp()
        #expect(bench.responses(200, to: .bye).count == 1)
    }

    @Test(arguments: [("k3f9x1", 200), ("k3f9x2", 481)])
    func byeInADialogOfOurFormerLifeIs200(_ incarnation: String, _ status: Int) throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        phone.toTag = "center-a.\(incarnation).0123456789abcdef"
        try phone.hangUp()
        #expect(bench.responses(status, to: .bye).count == 1)
    }

    /// The Call-ID is outside data: both tags must be the dialog's.
    @Test func rowOfAnotherDialogIsNotTheCallers() throws {
        let (bench, phone, _) = try stray()
        phone.fromTag = "mallory"
        try phone.hangUp()
        #expect(bench.responses(481, to: .bye).count == 1)
        #expect(bench.requestsSent(.bye).isEmpty)
    }

    // MARK: Floods

    /// Nothing that a center did not make is looked up.
    @Test func tagThatNoCenterMadeCostsNoLookUp() throws {
        let (bench, phone, _) = try stray()
        phone.toTag = "a7f3"
        try phone.hangUp()
        #expect(bench.responses(481, to: .bye).count == 1)
        #expect(lookups(bench) == 0)
    }

    @Test func oneSourceMayAskForFew() throws {
        let (bench, phone, _) = try stray()
        bench.replies = { _ in nil }
        for _ in 0..<100 { try phone.hangUp() }
        #expect(lookups(bench) == ForeignRequests.perSource.burst)
        #expect(bench.responses(503, to: .bye).count == 100 - ForeignRequests.perSource.burst)
        #expect(bench.responses(503).allSatisfy { $0.message.first(.retryAfter) != nil })
    }

    /// From many addresses it is the same, and callers by way of access are served meanwhile.
    @Test func floodFromEverywhereLeavesAccessItsShare() throws {
        let (bench, phone, _) = try stray()
        for number in 0..<1_000 {
            let source = Endpoint(.v4(0xC633_0000 + UInt32(number)), port: 5060)
            let bot = Phone(bench, callID: "bot-\(number)", flow: Flow(transport: .udp, remote: source))
            bot.toTag = phone.toTag
            try bot.hangUp()
        }
        #expect(lookups(bench) == ForeignRequests.strangers.burst)
        let caller = Phone(bench, flow: Self.access)
        caller.toTag = phone.toTag
        try caller.request("INFO")
        #expect(bench.requestsSent(.info).count == 1)
    }

    @Test func waitingRequestsAreBounded() throws {
        let (bench, phone, _) = try stray()
        bench.storeMode = .silent
        for number in 0..<ForeignRequests.limit + 10 {
            if number % 100 == 0 { bench.advance(by: .milliseconds(150)) }
            let caller = Phone(bench, callID: "call-\(number)", flow: Self.access)
            caller.toTag = phone.toTag
            try caller.request("INFO")
        }
        #expect(bench.core.foreign.count <= ForeignRequests.limit)
        #expect(!bench.responses(503, to: .info).isEmpty)
        bench.advance(by: .seconds(1))
        #expect(bench.core.foreign.count == 0)
    }
}
