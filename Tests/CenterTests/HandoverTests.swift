import Primitives
import Routing
import SDP
import SIP
import Session
import Store
import Testing

@testable import Center

/// A draining center gives its calls to peers: "a node can be upgraded with no call lost and no gap over 200 ms".
@Suite struct HandoverTests {
    /// A call at a, which its operator drains.
    private func draining(
        _ names: [String] = ["a", "b"], calls: Int = 1, change: (inout CenterSettings) -> Void = { _ in }
    ) throws -> (Cluster, [Phone]) {
        let cluster = try Cluster(names, change: change)
        let a = try cluster["a"]
        let phones = try (1...calls).map { try Phone(a, callID: "call-\($0)").establish() }
        return (cluster, phones)
    }

    private func relay(_ cluster: Cluster, _ names: [String] = ["b"]) throws { try cluster.relay(["a"] + names) }

    private func drain(_ cluster: Cluster, peers: [String] = ["b"]) throws {
        try cluster.ping("a", peers: peers, want: "draining")
    }

    /// The peer owns the row before it is asked, and the caller's phone hears of it from the peer.
    @Test func callGoesOnAtThePeer() throws {
        let (cluster, phones) = try draining()
        let a = try cluster["a"], b = try cluster["b"]
        try a.press("2")
        let session = try #require(a.opened.first?.session)
        try drain(cluster)
        #expect(cluster.store.session(session)?.ownership == Ownership(node: try cluster.identity("b"), epoch: 2))
        let offer = try #require(a.requestsSent(.options).last)
        #expect(offer.message.first(.tandemHandover) == "\(session);epoch=2")
        #expect(offer.flow.remote == Endpoint("10.0.0.2:5081"))
        try relay(cluster)
        #expect(b.callCount == 1)
        #expect(b.call?.menu?.state == "main")
        #expect(b.requestsSent(.invite).map(\.message.cseq.number) == [1_001])
        // Until the peer says so, the caller hears a.
        #expect(a.callCount == 1)
        #expect(!a.isClosed(a.lastCall))
        phones[0].bench = b
        try phones[0].answerInvite()
        try relay(cluster)
        #expect(a.callCount == 0)
        #expect(a.requestsSent(.bye).isEmpty)
        #expect(a.records.isEmpty)
        #expect(a.isIdle)
        #expect(a.timeline.contains { $0.kind == .takeover && $0.detail == "to center-b" })
        try phones[0].hangUp()
        let record = try #require(cluster.store.records.first)
        #expect(cluster.store.records.count == 1)
        #expect(record.centers == ["center-a", "center-b"])
    }

    /// A phone that is slow to answer is not waited for: 150 ms after its audio started the peer has the call.
    @Test func peerAnswersAfter150MillisecondsAtTheLatest() throws {
        let (cluster, _) = try draining()
        try drain(cluster)
        try relay(cluster)
        let a = try cluster["a"], b = try cluster["b"]
        b.advance(by: .milliseconds(149))
        #expect(b.responses(200, to: .options).isEmpty)
        b.advance(by: .milliseconds(1))
        #expect(b.responses(200, to: .options).count == 1)
        try relay(cluster)
        #expect(a.callCount == 0)
        // What the phone says later changes nothing for a.
        b.advance(by: .seconds(1))
        #expect(b.responses(200, to: .options).count == 1)
    }

    /// "B refuses with 503 when full: A claims the row back and keeps the call".
    @Test func fullPeerRefusesAndTheCallStays() throws {
        let (cluster, phones) = try draining()
        let b = try cluster.start("b", "k7") { $0.callLimit = 0 }
        try drain(cluster)
        try relay(cluster)
        let a = try cluster["a"]
        #expect(b.responses(503, to: .options).count == 1)
        #expect(a.callCount == 1)
        #expect(a.call?.ownership.epoch == 3)
        #expect(cluster.store.session(try #require(a.opened.first?.session))?.ownership == a.call?.ownership)
        #expect(a.requestsSent(.invite).isEmpty, "the caller noticed nothing")
        try phones[0].hangUp()
        #expect(cluster.store.records.map(\.end) == [.caller])
        #expect(cluster.store.records.map(\.centers) == [["center-a"]])
    }

    /// Keys of the moments in which the peer has the row are heard here after all when it would not have the call.
    @Test func keysPressedWhileThePeerIsAskedAreHeardWhenItRefuses() throws {
        let (cluster, _) = try draining()
        try cluster.start("b", "k7") { $0.callLimit = 0 }
        try drain(cluster)
        let a = try cluster["a"]
        try a.press("2")
        #expect(a.call?.menu?.state == "language")
        try relay(cluster)
        #expect(a.callCount == 1)
        #expect(a.call?.menu?.state == "main")
    }

    /// "… trying the next peer".
    @Test func nextPeerIsTried() throws {
        let (cluster, _) = try draining(["a", "b", "c"], calls: 12)
        try cluster.start("b", "k7") { $0.callLimit = 0 }
        try drain(cluster, peers: ["b", "c"])
        for _ in 0..<20 {
            try relay(cluster, ["b", "c"])
            for name in ["a", "b", "c"] { try cluster[name].advance(by: .milliseconds(250)) }
            try drain(cluster, peers: ["b", "c"])
        }
        #expect(try cluster["a"].callCount == 0)
        #expect(try cluster["c"].callCount == 12)
    }

    /// The peer dies before it answers: the call comes back, and its phone is told where it is.
    @Test func peerThatDoesNotAnswerGivesTheCallBack() throws {
        let (cluster, phones) = try draining()
        try drain(cluster)
        let a = try cluster["a"]
        a.advance(by: .seconds(2))
        #expect(a.callCount == 1)
        #expect(a.call?.ownership.epoch == 3)
        let invite = try #require(a.requestsSent(.invite).last?.message)
        #expect(invite.cseq.number > 1_001, "beyond the numbers that the peer may have used")
        try phones[0].answerInvite()
        // The late one finds that the row is not its own any more.
        try relay(cluster)
        #expect(try cluster["b"].callCount == 0)
        #expect(try cluster["b"].requestsSent(.invite).isEmpty)
        try phones[0].hangUp()
        #expect(cluster.store.records.count == 1)
    }

    /// The offer that nobody answered is given up with the handover: its end, long after, says nothing about the call.
    @Test func offerThatWasTakenBackEndsNoCall() throws {
        let (cluster, phones) = try draining()
        try drain(cluster)
        let a = try cluster["a"]
        a.advance(by: .seconds(2))
        try phones[0].answerInvite()
        try cluster.ping("a", peers: ["b"], want: "enabled")
        a.advance(by: .seconds(40))
        #expect(a.callCount == 1)
        #expect(a.requestsSent(.bye).isEmpty)
        try phones[0].hangUp()
        #expect(cluster.store.records.map(\.end) == [.caller])
    }

    /// A peer whose host says that nobody listens may have told the caller before it died: the phone is told where its
    /// call is, under numbers and a version that the peer never used.
    @Test func peerThatDiedMayHaveMovedTheCaller() throws {
        let (cluster, phones) = try draining()
        let a = try cluster["a"]
        try drain(cluster)
        let before = try #require(a.call?.negotiation.origin.version)
        a.handle(.unreachable(try #require(a.requestsSent(.options).last?.flow)))
        #expect(a.call?.ownership.epoch == 3)
        let invite = try #require(a.requestsSent(.invite).last?.message)
        #expect(invite.cseq.number > 1_001)
        let offered = try SessionDescription(parsing: Array(invite.bodyText.utf8))
        #expect(offered.origin.version > before + 1)
        try phones[0].answerInvite()
        #expect(a.call?.takeover == nil)
    }

    /// The peer was fenced since it was last heard of: it gets no row, and the call stays under the right it had.
    @Test func fencedPeerGetsNothingAndTheCallStays() throws {
        let (cluster, phones) = try draining()
        cluster.store.fence(try cluster.identity("b"))
        try drain(cluster)
        let a = try cluster["a"]
        #expect(a.callCount == 1)
        #expect(!a.isClosed(a.lastCall))
        #expect(a.call?.ownership.epoch == 1)
        #expect(a.requestsSent(.options).isEmpty)
        try phones[0].hangUp()
        #expect(cluster.store.records.map(\.end) == [.caller])
    }

    /// The answer to the claim for the peer comes when the call is being taken back: it is not the answer to that.
    @Test func lateAnswerToTheClaimIsNotTakenForTheReclaims() throws {
        let (cluster, _) = try draining()
        let a = try cluster["a"]
        a.holdsBack = { if case .handover(_, let step) = $0 { step != .saving } else { false } }
        try drain(cluster)
        let session = try #require(a.opened.first?.session)
        let peers = try #require(cluster.store.session(session))
        a.advance(by: Handover.patience)
        #expect(a.heldBack.count == 2)
        a.handle(.stored(try #require(a.heldBack.first), .claimed(peers)))
        #expect(a.call?.handover?.step == .reclaiming)
        let own = try #require(cluster.store.session(session))
        a.handle(.stored(try #require(a.heldBack.last), .claimed(own)))
        #expect(a.call?.handover == nil)
        #expect(a.call?.ownership == own.ownership && own.ownership.node.name == "center-a")
    }

    /// The caller goes on while the last checkpoint is on its way: the peer is to go on from there, so it waits.
    @Test func keyWhileTheCallIsSavedIsNotLost() throws {
        let (cluster, _) = try draining()
        let a = try cluster["a"]
        var isSlow = true
        a.holdsBack = { if case .handover(_, .saving) = $0 { isSlow } else { false } }
        try drain(cluster)
        try a.press("2")
        isSlow = false
        a.handle(.stored(try #require(a.heldBack.first), .done))
        #expect(a.call?.handover == nil)
        a.advance(by: Handover.interval)
        try relay(cluster)
        #expect(try cluster["b"].call?.menu?.state == "main")
    }

    /// The caller hangs up at a while the peer is asked: one record, and the peer finds nothing to go on with.
    @Test func callerWhoHangsUpMeanwhileHasOneRecord() throws {
        let (cluster, phones) = try draining()
        try drain(cluster)
        try phones[0].hangUp()
        #expect(cluster.store.records.map(\.end) == [.caller])
        try relay(cluster)
        #expect(try cluster["b"].callCount == 0)
        #expect(try cluster["a"].isIdle)
        #expect(cluster.store.records.count == 1)
    }

    /// a dies half-way: the peer owns the row, and finds it when it hears of the death.
    @Test func ownerThatDiesAfterTheClaimLosesNothing() throws {
        let (cluster, _) = try draining()
        try drain(cluster)
        let b = try cluster["b"]
        #expect(b.callCount == 0)
        try cluster.bury("a", survivors: ["b"])
        b.advance(by: .milliseconds(500))
        #expect(b.callCount == 1)
        #expect(Set(b.requestsSent(.invite).map(\.message.cseq.number)) == [2_001])
    }

    /// The notice of a's death is lost, and a owns nothing that would make the master repeat it.
    @Test func rowThatNobodySpeaksOfIsFound() throws {
        let (cluster, _) = try draining()
        try cluster.ping("b", peers: ["b"])
        try drain(cluster)
        cluster.store.fence(try cluster.identity("a"))
        let b = try cluster["b"]
        b.advance(by: .seconds(2))
        try cluster.ping("b", peers: ["b"])
        #expect(b.callCount == 1)
        #expect(b.requestsSent(.invite).count == 1)
    }

    /// "concurrency-limited": a peer is not flooded, and all go in the end.
    @Test func soManyAreOnTheirWayAtOnce() throws {
        let (cluster, _) = try draining(calls: 80)
        try drain(cluster)
        let a = try cluster["a"], b = try cluster["b"]
        #expect(a.requestsSent(.options).count == Handover.limit)
        for _ in 0..<20 {
            try relay(cluster)
            for bench in [a, b] { bench.advance(by: .milliseconds(150)) }
        }
        #expect(a.callCount == 0)
        #expect(b.callCount == 80)
    }

    /// No peer: today's drain, which waits for callers to finish.
    @Test func withoutAPeerCallsStay() throws {
        let (cluster, _) = try draining(["a"])
        try drain(cluster, peers: ["a"])
        let a = try cluster["a"]
        a.advance(by: .seconds(5))
        #expect(a.callCount == 1)
        #expect(a.requestsSent(.options).isEmpty)
        #expect(a.core.state == .draining)
    }

    /// SIGTERM does the same, unless the profile says that it waits.
    @Test(arguments: [true, false])
    func endOfTheNodeGivesCallsAwayAsTheProfileSays(_ handsOver: Bool) throws {
        let (cluster, _) = try draining { $0.handsOverAtEnd = handsOver }
        let a = try cluster["a"]
        try cluster.ping("a", peers: ["a", "b"])
        a.handle(.shutDown)
        #expect(a.requestsSent(.options).isEmpty == !handsOver)
    }

    /// A call that has just come, or whose bank is at work, is given when that is done.
    @Test func callsInTheMiddleOfSomethingWait() throws {
        let (cluster, phones) = try draining()
        let a = try cluster["a"]
        let young = try Phone(a, callID: "young").invite()
        a.bankAnswers = false
        try drain(cluster)
        #expect(a.requestsSent(.options).count == 1, "of the other")
        try young.acknowledge()
        for keys in ["21", "10000007", "246810"] { try a.press(keys) }
        try drain(cluster)
        #expect(a.requestsSent(.options).count == 1, "the PIN is checked")
        let asked = try #require(a.bank.last)
        a.handle(.bank(asked.call, asked.id, .ok))
        a.advance(by: .milliseconds(250))
        #expect(Set(a.requestsSent(.options).map(\.message.callID)).count == 2)
        _ = phones
    }

    /// Only nodes of this system give calls.
    @Test func strangersCannotGiveCalls() throws {
        let (cluster, _) = try draining()
        try drain(cluster)
        let offer = try #require(cluster["a"].requestsSent(.options).last?.message)
        try cluster["b"].receive(bytes: offer.bytes, from: Phone.flow)
        #expect(try cluster["b"].requests.isEmpty)
    }

    @Test(arguments: [
        "", "x;epoch=2", "8d5ac1f0-9c5d-4a51-9f27-0a8e5d2f8f10", "8d5ac1f0-9c5d-4a51-9f27-0a8e5d2f8f10;epoch=0",
    ])
    func noticesThatAreNone(_ text: String) {
        #expect(HandoverNotice(headerValue: text) == nil)
    }

    @Test func noticeReadsItself() throws {
        let notice = HandoverNotice(session: SessionID.random(), epoch: 12)
        #expect(HandoverNotice(headerValue: notice.headerValue) == notice)
    }
}
