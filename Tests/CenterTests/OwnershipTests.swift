import Primitives
import Routing
import SIP
import Session
import Store
import Testing

@testable import Center

@Suite struct OwnershipTests {
    @Test func checkpointOfAnotherOwnersSessionDropsTheCall() throws {
        let bench = try CenterBench()
        try Phone(bench).establish()
        bench.forgetSent()
        bench.replies = { if case .checkpoint = $0 { .notOwner } else { nil } }
        try bench.press("2")
        #expect(bench.sent.isEmpty)
        #expect(bench.records.isEmpty)
        #expect(bench.callCount == 0)
    }

    /// Access tried another center meanwhile: this INVITE may go on there.
    @Test func inviteOfASessionThatAnotherNodeHasIs503() throws {
        let bench = try CenterBench()
        bench.replies = { if case .open = $0 { .notOwner } else { nil } }
        try Phone(bench).invite()
        #expect(bench.responses(503, to: .invite).count == 1)
        #expect(bench.responses(200).isEmpty)
        #expect(bench.records.isEmpty)
    }

    @Test func fencedNodeDropsAllCallsAndGoesOnAsANewIncarnation() throws {
        let bench = try CenterBench()
        for number in 1...3 { try Phone(bench, callID: "call-\(number)").establish() }
        bench.forgetSent()
        bench.handle(.fenced(newIdentity: try #require(CenterBench.nextIdentity)))
        #expect(bench.sent.isEmpty)
        #expect(bench.records.isEmpty)
        #expect(bench.callCount == 0)
        let phone = try Phone(bench, callID: "call-4").establish()
        #expect(phone.toTag?.hasPrefix("center-a.k3f9x3.") == true)
        #expect(bench.opened.last?.ownership.node == CenterBench.nextIdentity)
    }

    /// The first write that the store refuses so tells of all calls.
    @Test func storesWordThatTheNodeIsFencedEndsAllOfIt() throws {
        let bench = try CenterBench()
        for number in 1...3 { try Phone(bench, callID: "call-\(number)").establish() }
        bench.replies = { if case .checkpoint = $0 { .fenced } else { nil } }
        try bench.press("2")
        #expect(bench.callCount == 0)
        #expect(bench.renewals == [try #require(CenterBench.identity)])
        // Until there is a new identity, calls go elsewhere.
        bench.replies = { _ in nil }
        try Phone(bench, callID: "call-4").invite()
        #expect(bench.responses(503, to: .invite).count == 1)
        bench.handle(.fenced(newIdentity: try #require(CenterBench.nextIdentity)))
        try Phone(bench, callID: "call-5").establish()
        #expect(bench.callCount == 1)
    }

    /// An answer about the dead incarnation, which comes late, does not concern the new one.
    @Test func lateWordAboutTheLastIncarnationIsPassedOver() throws {
        let bench = try CenterBench()
        bench.storeMode = .silent
        try Phone(bench).invite()
        bench.advance(by: .milliseconds(50))
        bench.handle(.fenced(newIdentity: try #require(CenterBench.nextIdentity)))
        let late = bench.unanswered
        bench.storeMode = .answers
        try Phone(bench, callID: "call-2").establish()
        for (_, purpose) in late { bench.handle(.stored(purpose, .fenced)) }
        #expect(bench.callCount == 1)
        #expect(bench.renewals.isEmpty)
    }

    // MARK: OPTIONS

    private func ping(_ bench: CenterBench, _ notice: String?, from flow: Flow = Phone.master) throws -> Message {
        let master = Phone(bench, callID: "ping-\(bench.sent.count)", flow: flow)
        try master.send(master.text("OPTIONS", headers: notice.map { ["Tandem-Node: \($0)"] } ?? []))
        return try #require(bench.sent.last?.message)
    }

    @Test func pingIsAnsweredWithLoadAndState() throws {
        let bench = try CenterBench { $0.callLimit = 500 }
        try Phone(bench).establish()
        let answer = try ping(bench, nil)
        #expect(answer.status == 200)
        #expect(answer.first(.tandemLoad) == "calls=1;limit=500;state=up")
        #expect(answer.first(.tandemNode) == "center-a;incarnation=k3f9x2")
        #expect(answer.first(.allow) != nil && answer.first(.accept) != nil && answer.first(.supported) != nil)
        bench.handle(.shutDown)
        let later = try ping(bench, nil)
        #expect(later.status == 503)
        #expect(later.first(.tandemLoad) == "calls=1;limit=500;state=draining")
    }

    @Test func mastersWishIsDone() throws {
        let bench = try CenterBench()
        #expect(try ping(bench, "center-a;incarnation=k3f9x2;want=draining").status == 503)
        #expect(bench.core.administrative == .draining)
        // It says nothing: so it stays.
        _ = try ping(bench, "center-a;incarnation=k3f9x2")
        #expect(bench.core.administrative == .draining)
        #expect(try ping(bench, "center-a;want=enabled").status == 200)
        _ = try ping(bench, "center-b;want=disabled")
        #expect(bench.core.administrative == .enabled)
    }

    @Test func strangersWishIsNot() throws {
        let bench = try CenterBench()
        try Phone(bench).establish()
        _ = try ping(bench, "center-a;fenced=k3f9x2;want=disabled", from: Phone.flow)
        #expect(bench.core.administrative == .enabled)
        #expect(bench.callCount == 1)
        #expect(bench.renewals.isEmpty)
    }

    @Test func masterTellsOfAFence() throws {
        let bench = try CenterBench()
        try Phone(bench).establish()
        _ = try ping(bench, "center-a;incarnation=k3f9x3;fenced=k3f9x1")
        #expect(bench.callCount == 1)
        let answer = try ping(bench, "center-a;fenced=k3f9x2")
        #expect(answer.status == 503)
        _ = try ping(bench, "center-a;fenced=k3f9x2")
        #expect(bench.callCount == 0)
        #expect(bench.requestsSent(.bye).isEmpty)
        #expect(bench.records.isEmpty)
        #expect(bench.renewals.count == 1)
        bench.handle(.fenced(newIdentity: try #require(CenterBench.nextIdentity)))
        #expect(try ping(bench, "center-a;fenced=k3f9x2").first(.tandemNode) == "center-a;incarnation=k3f9x3")
    }

    // MARK: Records

    @Test func recordIsHandedInAgainUntilItIsTaken() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        bench.storeMode = .away
        try phone.hangUp()
        #expect(bench.records.count == 1)
        #expect(!bench.isIdle)
        bench.advance(by: .seconds(3))
        #expect(bench.records.count == 4)
        bench.storeMode = .answers
        bench.advance(by: .seconds(1))
        #expect(bench.records.count == 5)
        #expect(Set(bench.records).count == 1)
        #expect(bench.isIdle)
        bench.advance(by: .seconds(60))
        #expect(bench.records.count == 5)
    }

    @Test func recordWhoseAnswerIsLostIsHandedInAgain() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        bench.storeMode = .silent
        try phone.hangUp()
        bench.advance(by: .seconds(14))
        #expect(bench.records.count == 1)
        bench.storeMode = .answers
        bench.advance(by: .seconds(2))
        #expect(bench.records.count == 2)
        #expect(bench.isIdle)
    }

    @Test(arguments: [StoreReply.alreadyEnded, .notOwner, .fenced, .refused("no")])
    func recordThatWillNeverBeTakenIsLetGo(_ reply: StoreReply) throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        bench.replies = { if case .end = $0 { reply } else { nil } }
        try phone.hangUp()
        #expect(bench.isIdle)
        #expect(bench.renewals.isEmpty)
    }

    @Test func waitingRecordsAreBounded() throws {
        var records = UnwrittenRecords()
        var random = SeededRandom(seed: 1)
        let node = Ownership(node: try #require(CenterBench.identity))
        var ids: [SessionID] = []
        for _ in 0..<UnwrittenRecords.limit + 2 {
            let id = SessionID(using: &random)
            ids.append(id)
            let record = CallRecord(id: id, line: "1", from: "a", centers: [], started: .epoch)
            let givenUp = records.insert(record, under: node, now: .zero)
            #expect(givenUp == (ids.count > UnwrittenRecords.limit ? ids[ids.count - UnwrittenRecords.limit - 1] : nil))
        }
        #expect(records.count == UnwrittenRecords.limit)
        for id in ids { records.remove(id) }
        #expect(records.isEmpty)
    }

    @Test func storeThatComesBackIsNotFlooded() throws {
        var records = UnwrittenRecords()
        var random = SeededRandom(seed: 1)
        let node = Ownership(node: try #require(CenterBench.identity))
        for _ in 0..<UnwrittenRecords.batch + 10 {
            let record = CallRecord(id: SessionID(using: &random), line: "1", from: "a", centers: [], started: .epoch)
            _ = records.insert(record, under: node, now: .zero)
            records.refused(record.id, now: .zero)
        }
        #expect(records.takeDue(now: .zero).count == UnwrittenRecords.batch)
        #expect(records.takeDue(now: .zero).count == 10)
        #expect(records.takeDue(now: .zero).isEmpty)
    }
}
