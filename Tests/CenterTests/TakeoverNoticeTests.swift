import Primitives
import Routing
import SIP
import Session
import Store
import Testing

@testable import Center

/// What a survivor does when the leading master says that a center is dead.
@Suite struct TakeoverNoticeTests {
    /// "Claim … exactly one wins each": both survivors try for the same sessions.
    @Test func ofTwoSurvivorsExactlyOneWinsEach() throws {
        let cluster = try Cluster(["a", "b", "c"])
        for number in 1...20 { try Phone(try cluster["a"], callID: "call-\(number)").establish() }
        cluster.store.fence(try cluster.identity("a"))
        // Each is told that it is alone.
        try cluster.ping("b", peers: ["b"], dead: ["a"])
        try cluster.ping("c", peers: ["c"], dead: ["a"])
        let b = try cluster["b"], c = try cluster["c"]
        #expect(b.callCount + c.callCount == 20)
        // A claim that was decided on before the other's was done.
        b.handle(.stored(.claim(SessionID.random(), dead: try cluster.identity("a")), .notOwner))
        #expect(b.callCount + c.callCount == 20)
    }

    /// Which checkpoint format the others read is asked once for each list of peers, and again where the store was away.
    @Test func formatsOfTheOthersAreAskedForUntilTheyAreKnown() throws {
        let cluster = try Cluster(["a", "b"])
        let a = try cluster["a"]
        func questions() -> Int { a.requests.count { if case .nodes = $0 { true } else { false } } }
        a.storeMode = .away
        try cluster.ping("a", peers: ["a", "b"])
        #expect(questions() == 1)
        a.storeMode = .answers
        a.replies = { if case .nodes = $0 { .nodes([]) } else { nil } }
        try cluster.ping("a", peers: ["a", "b"])
        #expect(questions() == 2)
        try cluster.ping("a", peers: ["a", "b"])
        #expect(questions() == 2)
    }

    /// Its list was read before the other claimed: the store says no, and nothing is sent.
    @Test func claimThatComesTooLateIsLetGo() throws {
        let cluster = try Cluster(["a", "b", "c"])
        try Phone(try cluster["a"]).establish()
        cluster.store.fence(try cluster.identity("a"))
        let b = try cluster["b"]
        let stale = try #require(cluster["a"].opened.first)
        try cluster.ping("c", peers: ["c"], dead: ["a"])
        #expect(try cluster["c"].callCount == 1)
        b.replies = {
            if case .sessionsOwned = $0 {
                .sessionHeads([
                    SessionHead(
                        id: stale.session, ownership: stale.ownership, started: .epoch, hasPendingOperation: false)
                ])
            } else {
                nil
            }
        }
        try cluster.ping("b", peers: ["b"], dead: ["a"])
        #expect(b.requests.contains { if case .claim = $0 { true } else { false } })
        #expect(b.callCount == 0)
        #expect(b.requestsSent(.invite).isEmpty)
    }

    @Test func survivorsShareAndTheRestIsTakenAfter500Milliseconds() throws {
        let cluster = try Cluster(["a", "b", "c"])
        for number in 1...40 { try Phone(try cluster["a"], callID: "call-\(number)").establish() }
        cluster.store.fence(try cluster.identity("a"))
        // c was told, too, and died.
        try cluster.ping("b", peers: ["b", "c"], dead: ["a"])
        let b = try cluster["b"]
        let own = b.callCount
        #expect((10...30).contains(own))
        b.advance(by: .milliseconds(499))
        #expect(b.callCount == own)
        b.advance(by: .milliseconds(1))
        #expect(b.callCount == 40)
    }

    /// "Takeover respects capacity: what does not fit is taken in order of age".
    @Test func fullCenterTakesTheOldestThatFit() throws {
        let cluster = try Cluster(["a"])
        let a = try cluster["a"]
        for number in 1...9 {
            try Phone(a, callID: "call-\(number)").establish()
            a.advance(by: .seconds(1))
        }
        let ids = a.opened.map(\.session)
        let b = try cluster.start("b", "k2") { $0.callLimit = 4 }
        try Phone(b, callID: "own").establish()
        try cluster.bury("a", survivors: ["b"])
        #expect(b.callCount == 4)
        for id in ids.prefix(3) { #expect(cluster.store.session(id)?.ownership.node.name == "center-b") }
        for id in ids.dropFirst(3) { #expect(cluster.store.session(id)?.ownership.node.name == "center-a") }
        // One hangs up: at the next notice there is room for one more.
        b.handle(.endAllCalls)
        b.advance(by: .seconds(1))
        try cluster.ping("b", peers: ["b"], dead: ["a"])
        #expect(b.callCount == 4)
    }

    /// A burst is worked off in turns: pings and requests of others have theirs between.
    @Test func burstOfTakeoversDoesNotHoldTheLoop() throws {
        let cluster = try Cluster(["a", "b"])
        for number in 1...42 { try Phone(try cluster["a"], callID: "call-\(number)").establish() }
        cluster.store.fence(try cluster.identity("a"))
        let b = try cluster["b"]
        try cluster.ping("b", peers: ["b"], dead: ["a"], rounds: false)
        #expect(b.callCount == RebuildQueue.turn)
        #expect(b.core.takeoversWaiting == 42 - RebuildQueue.turn)
        b.round()
        #expect(b.callCount == 2 * RebuildQueue.turn)
        // Its own rows without a call are on their way, not astray.
        try cluster.ping("b", peers: ["b"], dead: ["a"], rounds: false)
        #expect(b.callCount == 2 * RebuildQueue.turn, "a ping is answered at no cost")
        b.advance(by: .zero)
        #expect(b.callCount == 42)
        #expect(b.core.takeoversWaiting == 0)
        #expect(Set(b.requestsSent(.invite).map(\.message.callID)).count == 42)
        let claims = b.requests.count { if case .claim = $0 { true } else { false } }
        #expect(claims == 42)
    }

    /// What waits for its turn is the next owner's when this node is fenced meanwhile.
    @Test func fencedNodeForgetsWhatWaitsForItsTurn() throws {
        let cluster = try Cluster(["a", "b"])
        for number in 1...20 { try Phone(try cluster["a"], callID: "call-\(number)").establish() }
        cluster.store.fence(try cluster.identity("a"))
        let b = try cluster["b"]
        try cluster.ping("b", peers: ["b"], dead: ["a"], rounds: false)
        b.handle(.stored(.claim(SessionID.random(), dead: try cluster.identity("a")), .fenced))
        b.advance(by: .zero)
        #expect(b.callCount == 0, "it is dead to the others from here on")
        b.handle(.fenced(newIdentity: try #require(NodeIdentity(name: "center-b", incarnation: "k9"))))
        b.advance(by: .zero)
        #expect(b.callCount == 0)
        #expect(b.core.takeoversWaiting == 0)
        #expect(b.records.isEmpty)
    }

    /// "new calls give way meanwhile", while more than a hundred wait.
    @Test func newCallsGiveWayWhileManyAreTakenOver() throws {
        let cluster = try Cluster(["a", "b"])
        let a = try cluster["a"]
        for number in 1...120 { try Phone(a, callID: "call-\(number)").establish() }
        let b = try cluster["b"]
        b.holdsBack = { if case .inviting = $0 { true } else { false } }
        try cluster.bury("a", survivors: ["b"])
        #expect(b.callCount == 120)
        try Phone(b, callID: "new").invite()
        #expect(b.responses(503, to: .invite).last?.message.first(.retryAfter) == "1")
        for purpose in b.heldBack { b.handle(.stored(purpose, .done)) }
        #expect(Set(b.requestsSent(.invite).map(\.message.callID)).count == 120)
        try Phone(b, callID: "newer").invite()
        #expect(b.responses(200, to: .invite).last?.message.callID == "newer")
    }

    // MARK: Whose word counts

    /// "A stale leader's commands are refused by epoch."
    @Test func leaderOfALowerEpochIsNotHeeded() throws {
        let cluster = try Cluster(["a", "b"])
        try Phone(try cluster["a"]).establish()
        try cluster.ping("b", peers: ["a", "b"])
        cluster.store.fence(try cluster.identity("a"))
        try cluster.ping("b", peers: ["b"], dead: ["a"], want: "draining", leader: 6)
        #expect(try cluster["b"].callCount == 0)
        #expect(try cluster["b"].core.administrative == .enabled)
        try cluster.ping("b", peers: ["b"], dead: ["a"], leader: 8)
        #expect(try cluster["b"].callCount == 1)
    }

    @Test func strangersCannotMakeACenterTakeOver() throws {
        let cluster = try Cluster(["a", "b"])
        try Phone(try cluster["a"]).establish()
        cluster.store.fence(try cluster.identity("a"))
        try cluster.ping("b", peers: ["b"], dead: ["a"], from: Phone.flow)
        #expect(try cluster["b"].requests.isEmpty)
    }

    /// The store has not heard of the fence yet: nothing is taken, and the next notice finds it.
    @Test func sessionsOfALiveCenterStayItsOwn() throws {
        let cluster = try Cluster(["a", "b"])
        try Phone(try cluster["a"]).establish()
        try cluster.ping("b", peers: ["b"], dead: ["a"])
        #expect(try cluster["b"].callCount == 0)
        cluster.store.fence(try cluster.identity("a"))
        try cluster["b"].advance(by: .milliseconds(250))
        try cluster.ping("b", peers: ["b"], dead: ["a"])
        #expect(try cluster["b"].callCount == 1)
    }

    /// "Where no other center lives, a restarted node reclaims its own sessions".
    @Test func restartedCenterGoesOnWithItsFormerCalls() throws {
        let cluster = try Cluster(["a"])
        let phone = try Phone(try cluster["a"]).establish()
        try cluster["a"].press("2")
        let dead = try cluster.identity("a")
        cluster.store.fence(dead)
        let next = try cluster.start("a", "k9")
        next.advance(by: .seconds(3))
        let master = Phone(next, callID: "ping", flow: Phone.master)
        try master.send(
            master.text(
                "OPTIONS",
                headers: [
                    "Tandem-Node: center-a;incarnation=k9;leader=7", "Tandem-Peers: \(try cluster.peers(["a"]))",
                    "Tandem-Takeover: center-a;incarnation=k1;leader=7",
                ]))
        phone.bench = next
        #expect(next.callCount == 1)
        try phone.answerInvite()
        #expect(next.call?.localTag.hasPrefix("center-a.k1.") == true)
        try phone.hangUp()
        #expect(cluster.store.records.map(\.centers) == [["center-a", "center-a"]])
    }

    /// Fenced itself while it takes over: what it claimed is the next one's, and nothing is sent.
    @Test func survivorThatIsFencedDropsWhatItTook() throws {
        let cluster = try Cluster(["a", "b", "c"])
        try Phone(try cluster["a"]).establish()
        let b = try cluster["b"]
        b.holdsBack = { if case .inviting = $0 { true } else { false } }
        try cluster.bury("a", survivors: ["b"])
        try cluster.bury("b", survivors: ["c"])
        #expect(try cluster["c"].callCount == 1)
        for purpose in b.heldBack { b.handle(.stored(purpose, .notOwner)) }
        #expect(b.callCount == 0)
        #expect(b.sent.filter { $0.message.isRequest }.isEmpty)
    }

    /// No ports at once is no reason to lose a caller.
    @Test func portsAreLookedForAgain() throws {
        let cluster = try Cluster(["a", "b"])
        try Phone(try cluster["a"]).establish()
        let b = try cluster["b"]
        b.hasPorts = false
        try cluster.bury("a", survivors: ["b"])
        b.advance(by: .seconds(1))
        #expect(b.callCount == 1)
        #expect(b.requestsSent(.invite).isEmpty)
        b.hasPorts = true
        b.advance(by: .milliseconds(250))
        #expect(b.requestsSent(.invite).count == 1)
    }

    @Test func callWithoutPortsForGoodIsLostWithARecord() throws {
        let cluster = try Cluster(["a", "b"])
        try Phone(try cluster["a"]).establish()
        try cluster["b"].hasPorts = false
        try cluster.bury("a", survivors: ["b"])
        try cluster["b"].advance(by: .seconds(6))
        #expect(cluster.store.records.map(\.end) == [.lost])
        #expect(try !cluster["b"].requestsSent(.bye).isEmpty)
    }

    // MARK: Formats

    /// "Nodes write the lowest checkpoint version that all registered nodes can read".
    @Test func formatsAreAskedForWhenThePeersChange() throws {
        let cluster = try Cluster(["a", "b"])
        let b = try cluster["b"]
        func asked() -> Int { b.requests.filter { $0 == .nodes }.count }
        try cluster.ping("b", peers: ["a", "b"])
        #expect(asked() == 1)
        try cluster.ping("b", peers: ["a", "b"])
        #expect(asked() == 1)
        try cluster.ping("b", peers: ["b"])
        #expect(asked() == 2)
    }

    /// A session that cannot be rebuilt has its record and an alarm.
    @Test func sessionThatCannotBeRebuiltIsLostWithARecord() throws {
        let cluster = try Cluster(["a", "b"])
        let a = try cluster["a"]
        try Phone(a).establish()
        var write = try #require(a.checkpoints.last)
        write.checkpoint.dialogs[0].flow = "carrier pigeon"
        cluster.store.perform(.checkpoint(write), at: a.now)
        try cluster.bury("a", survivors: ["b"])
        #expect(try cluster["b"].notes.contains { if case .takeoverFailed = $0 { true } else { false } })
        #expect(cluster.store.records.map(\.end) == [.lost])
        #expect(try cluster["b"].callCount == 0)
    }
}
