import Banking
import Primitives
import Session
import Testing

@testable import Store

/// What every engine must do with sessions (I1, I5).
@Suite struct SessionContractTests {
    @Test(arguments: EngineKind.allCases) func aSessionIsFoundByIDAndByCallID(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let node = try Given.node("center-a")
        let write = Given.write(Given.checkpoint(1), node)
        #expect(store.ask(.open(write)) == .done)
        let kept = StoredSession(
            ownership: write.ownership, checkpoint: write.checkpoint, callerEnded: nil, ownerFenced: false)
        #expect(store.ask(.session(write.session)) == .sessions([kept]))
        #expect(store.ask(.sessionsByCallID("call-1@192.0.2.7")) == .sessions([kept]))
        #expect(store.ask(.sessionsByCallID("call-2@192.0.2.7")) == .sessions([]))
    }

    @Test(arguments: EngineKind.allCases) func callIDsMayRepeat(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let node = try Given.node("center-a")
        for seed in 0..<12 {
            #expect(store.ask(.open(Given.write(Given.checkpoint(UInt64(seed), callID: "same"), node))) == .done)
        }
        guard case .sessions(let found) = store.ask(.sessionsByCallID("same")) else { return unexpectedReply() }
        #expect(found.count == 8)
    }

    @Test(arguments: EngineKind.allCases) func openingTwiceByTheOwnerIsOneSession(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let node = try Given.node("center-a")
        #expect(store.ask(.open(Given.write(Given.checkpoint(1), node))) == .done)
        #expect(store.ask(.open(Given.write(Given.checkpoint(1, state: "main"), node))) == .done)
        #expect(store.ask(.session(Given.session(1))).head?.checkpoint.menu?.state == "main")
        #expect(store.ask(.open(Given.write(Given.checkpoint(1), try Given.node("center-b")))) == .notOwner)
    }

    @Test(arguments: EngineKind.allCases) func onlyTheOwnerOfTheEpochWrites(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let node = try Given.node("center-a")
        #expect(store.ask(.open(Given.write(Given.checkpoint(1), node))) == .done)
        let next = Given.checkpoint(1, state: "main")
        #expect(store.ask(.checkpoint(Given.write(next, try Given.node("center-b")))) == .notOwner)
        #expect(store.ask(.checkpoint(Given.write(next, try Given.node("center-a", "i2")))) == .notOwner)
        #expect(store.ask(.checkpoint(Given.write(next, node, epoch: 2))) == .notOwner)
        #expect(store.ask(.checkpoint(Given.write(next, node, epoch: 0))) == .notOwner)
        #expect(store.ask(.session(Given.session(1))).head?.checkpoint.menu?.state == "language")
        #expect(store.ask(.checkpoint(Given.write(next, node))) == .done)
        #expect(store.ask(.session(Given.session(1))).head?.checkpoint.menu?.state == "main")
        #expect(store.ask(.checkpoint(Given.write(Given.checkpoint(2), node))) == .notOwner)
    }

    @Test(arguments: EngineKind.allCases) func afterAFenceNothingTheOldOwnerWritesCounts(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let (old, new) = (try Given.node("center-a"), try Given.node("center-b"))
        let record = Given.checkpoint(1).record.closed(.caller, at: Given.start + .seconds(60))
        #expect(store.ask(.open(Given.write(Given.checkpoint(1), old))) == .done)
        #expect(store.ask(.fence(old, under: nil)) == .done)
        #expect(store.ask(.checkpoint(Given.write(Given.checkpoint(1, state: "main"), old))) == .notOwner)
        #expect(store.ask(.end(record, under: Ownership(node: old))) == .notOwner)
        #expect(store.ask(.open(Given.write(Given.checkpoint(2), old))) == .fenced)
        let from = Ownership(node: old)
        guard case .claimed(let claimed) = store.ask(.claim(Given.session(1), from: from, by: new, ground: .fenced))
        else { return unexpectedReply("not claimed") }
        #expect(claimed.ownership == Ownership(node: new, epoch: 2))
        #expect(claimed.checkpoint.menu?.state == "language")
        #expect(!claimed.ownerFenced)
        #expect(store.ask(.checkpoint(Given.write(Given.checkpoint(1, state: "main"), new, epoch: 2))) == .done)
    }

    @Test(arguments: EngineKind.allCases) func exactlyOneClaimWins(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let old = try Given.node("center-a")
        #expect(store.ask(.open(Given.write(Given.checkpoint(1), old))) == .done)
        #expect(store.ask(.fence(old, under: nil)) == .done)
        let claims = try ["center-b", "center-c", "center-d"].map {
            StoreRequest.claim(
                Given.session(1), from: Ownership(node: old), by: try Given.node($0), ground: .fenced)
        }
        let replies = try store.ask(all: claims)
        guard case .claimed(let claimed) = replies[0] else { return unexpectedReply() }
        #expect(claimed.ownership == Ownership(node: try Given.node("center-b"), epoch: 2))
        #expect(replies[1...] == [.notOwner, .notOwner])
    }

    /// The answer to a claim may be lost with the connection.
    @Test(arguments: EngineKind.allCases) func aClaimAskedAgainIsStillTheClaimers(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let (old, new) = (try Given.node("center-a"), try Given.node("center-b"))
        _ = store.ask(.open(Given.write(Given.checkpoint(1), old)))
        _ = store.ask(.fence(old, under: nil))
        let claim = StoreRequest.claim(Given.session(1), from: Ownership(node: old), by: new, ground: .fenced)
        let first = store.ask(claim)
        guard case .claimed(let claimed) = first else { return unexpectedReply() }
        #expect(claimed.ownership == Ownership(node: new, epoch: 2))
        #expect(store.ask(claim) == first)
        let other = try Given.node("center-c")
        #expect(
            store.ask(.claim(Given.session(1), from: Ownership(node: old), by: other, ground: .fenced)) == .notOwner)
    }

    @Test(arguments: EngineKind.allCases) func aClaimNeedsAFenceOrAHandover(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let (old, new) = (try Given.node("center-a"), try Given.node("center-b"))
        let from = Ownership(node: old)
        #expect(store.ask(.open(Given.write(Given.checkpoint(1), old))) == .done)
        #expect(store.ask(.claim(Given.session(1), from: from, by: new, ground: .fenced)) == .notFenced)
        guard case .claimed = store.ask(.claim(Given.session(1), from: from, by: new, ground: .handover)) else {
            return unexpectedReply("not handed over")
        }
        #expect(store.ask(.claim(Given.session(9), from: from, by: new, ground: .handover)) == .notFound)
        #expect(store.ask(.fence(new, under: nil)) == .done)
        let newer = Ownership(node: new, epoch: 2)
        #expect(store.ask(.claim(Given.session(1), from: newer, by: new, ground: .handover)) == .fenced)
    }

    /// However many claims come at once, each is answered as if it were alone.
    @Test(arguments: EngineKind.allCases) func manyClaimsAtOnceAreAnsweredAsOneByOne(_ kind: EngineKind) throws {
        let (a, b, c) = (try Given.node("center-a"), try Given.node("center-b"), try Given.node("center-c"))
        let (living, cut) = (try Given.node("center-d"), try Given.node("center-e"))
        var answers: [[StoreReply]] = []
        for isBatch in [true, false] {
            var store = try StoreUnderTest(kind)
            for seed in 1...8 { _ = store.ask(.open(Given.write(Given.checkpoint(UInt64(seed)), a))) }
            for seed in 11...12 { _ = store.ask(.open(Given.write(Given.checkpoint(UInt64(seed)), living))) }
            _ = store.ask(.markCallerEnded(Given.session(2), at: Given.start))
            let record = Given.checkpoint(3).record.closed(.caller, at: Given.start + .seconds(9))
            _ = store.ask(.end(record, under: Ownership(node: a)))
            for node in [a, cut] { _ = store.ask(.fence(node, under: nil)) }
            func claim(
                _ seed: UInt64, _ owner: NodeIdentity, epoch: Int64 = 1, by claimer: NodeIdentity,
                _ ground: ClaimGround = .fenced
            ) -> StoreRequest {
                .claim(Given.session(seed), from: Ownership(node: owner, epoch: epoch), by: claimer, ground: ground)
            }
            _ = store.ask(claim(4, a, by: b))
            let claims = [
                claim(1, a, by: b), claim(2, a, by: b), claim(3, a, by: b), claim(4, a, by: b), claim(4, a, by: c),
                claim(5, a, epoch: 2, by: b), claim(5, a, epoch: .max, by: b), claim(6, a, by: cut),
                claim(7, b, by: b), claim(11, living, by: b), claim(12, living, by: b, .handover), claim(99, a, by: b),
                claim(8, a, by: c), claim(8, a, by: b), claim(1, a, by: b), claim(12, living, by: c, .handover),
                .checkpoint(Given.write(Given.checkpoint(1, state: "main"), b, epoch: 2)),
                .checkpoint(Given.write(Given.checkpoint(6, state: "main"), a)),
                claim(1, b, epoch: 2, by: c, .handover),
            ]
            let replies = isBatch ? try store.ask(all: claims) : claims.map { store.ask($0) }
            answers.append(replies + (1...12).map { store.ask(.session(Given.session(UInt64($0)))) })
        }
        #expect(answers[0] == answers[1])
        let won = answers[0].prefix(19).map { reply -> Int64 in
            if case .claimed(let session) = reply { session.ownership.epoch } else { 0 }
        }
        #expect(won == [2, 2, 0, 2, 0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 2, 0, 0, 0, 3])
        let others = answers[0].prefix(19).filter { if case .claimed = $0 { false } else { true } }
        let expected: [StoreReply] = [
            .alreadyEnded, .notOwner, .notOwner, .notOwner, .fenced, .notOwner, .notFenced, .notFound, .notOwner,
            .notOwner, .done, .notOwner,
        ]
        #expect(others == expected)
        if case .claimed(let marked) = answers[0][1] { #expect(marked.callerEnded == Given.start) }
    }

    @Test(arguments: EngineKind.allCases) func endingWritesOneRecordAndRemovesTheSession(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let node = try Given.node("center-a")
        let owner = Ownership(node: node)
        let checkpoint = Given.checkpoint(1, state: "banking", login: "10000001")
        let record = checkpoint.record.closed(.caller, at: Given.start + .seconds(60))
        #expect(store.ask(.open(Given.write(checkpoint, node))) == .done)
        #expect(store.ask(.end(checkpoint.record, under: owner)) == .refused("the call record has no end"))
        #expect(store.ask(.end(record, under: Ownership(node: node, epoch: 2))) == .notOwner)
        #expect(store.ask(.end(record, under: owner)) == .done)
        #expect(store.ask(.end(record, under: owner)) == .alreadyEnded)
        #expect(store.ask(.open(Given.write(checkpoint, node))) == .alreadyEnded)
        #expect(store.ask(.checkpoint(Given.write(checkpoint, node))) == .notOwner)
        #expect(store.ask(.session(record.id)) == .sessions([]))
        #expect(store.ask(.sessionsByCallID("call-1@192.0.2.7")) == .sessions([]))
        #expect(store.ask(.callRecords(limit: 10, before: nil)) == .callRecords([record]))
        #expect(
            store.ask(.call(record.id))
                == .call(CallDetail(call: checkpoint.liveCall(center: "center-a"), timeline: [])))
    }

    @Test(arguments: EngineKind.allCases) func aSessionThatWasNeverStoredStillHasItsRecord(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let record = Given.checkpoint(1).record.closed(.menu, at: Given.start + .seconds(60))
        #expect(store.ask(.end(record, under: Ownership(node: try Given.node("center-a")))) == .done)
        #expect(store.ask(.callRecords(limit: 10, before: nil)) == .callRecords([record]))
    }

    @Test(arguments: EngineKind.allCases) func aHangUpDuringTheGapIsKeptForTheNextOwner(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let (old, new) = (try Given.node("center-a"), try Given.node("center-b"))
        let id = Given.session(1)
        #expect(store.ask(.open(Given.write(Given.checkpoint(1), old))) == .done)
        #expect(store.ask(.markCallerEnded(id, at: Given.start)) == .done)
        #expect(store.ask(.markCallerEnded(id, at: Given.start + .seconds(1))) == .done)
        guard
            case .claimed(let claimed) = store.ask(
                .claim(id, from: Ownership(node: old), by: new, ground: .handover))
        else { return unexpectedReply("not claimed") }
        #expect(claimed.callerEnded == Given.start)
        let record = Given.checkpoint(1).record.closed(.caller, at: Given.start + .seconds(9))
        #expect(store.ask(.end(record, under: claimed.ownership)) == .done)
        #expect(store.ask(.markCallerEnded(id, at: Given.start)) == .alreadyEnded)
        #expect(store.ask(.markCallerEnded(Given.session(2), at: Given.start)) == .notFound)
    }

    @Test(arguments: EngineKind.allCases) func pendingOperationsAreTakenOverFirstThenTheOldest(_ kind: EngineKind)
        throws
    {
        var store = try StoreUnderTest(kind)
        let node = try Given.node("center-a")
        for seed in [3, 1, 2] { _ = store.ask(.open(Given.write(Given.checkpoint(UInt64(seed)), node))) }
        let pending = PendingOperation(id: "op", phase: .submitted)
        _ = store.ask(.open(Given.write(Given.checkpoint(9, pending: pending), node)))
        let done = PendingOperation(id: "op", phase: .executed)
        _ = store.ask(.open(Given.write(Given.checkpoint(8, pending: done), node)))
        _ = store.ask(.open(Given.write(Given.checkpoint(4), try Given.node("center-b"))))
        guard case .sessionHeads(let heads) = store.ask(.sessionsOwned(by: node, limit: 10)) else {
            return unexpectedReply()
        }
        #expect(heads.map(\.id) == [9, 1, 2, 3, 8].map { Given.session($0) })
        #expect(heads.map(\.hasPendingOperation) == [true, false, false, false, false])
        guard case .sessionHeads(let two) = store.ask(.sessionsOwned(by: node, limit: 2)) else {
            return unexpectedReply()
        }
        #expect(two == Array(heads.prefix(2)))
    }

    @Test(arguments: EngineKind.allCases) func ownersOfSessionsAreCountedFencedOnesToo(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let (a, b) = (try Given.node("center-a"), try Given.node("center-b"))
        #expect(store.ask(.sessionOwners(limit: 9)) == .sessionOwners([]))
        _ = store.ask(.register(Given.registration(a)))
        let registered = store.now
        for seed in 1...3 { _ = store.ask(.open(Given.write(Given.checkpoint(UInt64(seed)), a))) }
        _ = store.ask(.open(Given.write(Given.checkpoint(4), b)))
        var owners = [
            SessionOwner(identity: a, sessions: 3, isFenced: false, lastHeard: registered.wall),
            SessionOwner(identity: b, sessions: 1, isFenced: false, lastHeard: nil),
        ]
        #expect(store.ask(.sessionOwners(limit: 9)) == .sessionOwners(owners))
        #expect(store.ask(.sessionOwners(limit: 1)) == .sessionOwners([owners[0]]))
        #expect(store.ask(.fence(a, under: nil)) == .done)
        _ = store.ask(.claim(Given.session(1), from: Ownership(node: a), by: b, ground: .fenced))
        owners = [
            SessionOwner(identity: a, sessions: 2, isFenced: true, lastHeard: registered.wall),
            SessionOwner(identity: b, sessions: 2, isFenced: false, lastHeard: nil),
        ]
        #expect(store.ask(.sessionOwners(limit: 9)) == .sessionOwners(owners))
    }

    /// A machine that was off does not call yesterday's ports: how long an owner has been silent must outlive the row
    /// that its next life overwrites.
    @Test(arguments: EngineKind.allCases) func whenAnOwnerWasHeardLastOutlivesItsNextRegistration(_ kind: EngineKind)
        throws
    {
        var store = try StoreUnderTest(kind)
        let (old, new) = (try Given.node("center-a", "k1"), try Given.node("center-a", "k2"))
        _ = store.ask(.register(Given.registration(old)))
        _ = store.ask(.open(Given.write(Given.checkpoint(1), old)))
        store.pass(.seconds(5))
        _ = store.ask(.heartbeat(old))
        let heard = store.now
        store.pass(.seconds(3_600))
        _ = store.ask(.register(Given.registration(new)))
        #expect(
            store.ask(.sessionOwners(limit: 9))
                == .sessionOwners([SessionOwner(identity: old, sessions: 1, isFenced: true, lastHeard: heard.wall)]))
    }

    @Test(arguments: EngineKind.allCases) func liveCallsAreListedOldestFirst(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let node = try Given.node("center-a")
        for seed in [2, 1, 3] { _ = store.ask(.open(Given.write(Given.checkpoint(UInt64(seed)), node))) }
        _ = store.ask(.checkpoint(Given.write(Given.checkpoint(2, state: "banking", login: "10000001"), node)))
        guard case .liveCalls(let calls) = store.ask(.liveCalls(limit: 2)) else { return unexpectedReply() }
        #expect(calls.map(\.id) == [Given.session(1), Given.session(2)])
        #expect(calls[1] == Given.checkpoint(2, state: "banking", login: "10000001").liveCall(center: "center-a"))
        #expect(calls[1].authenticated)
    }

    @Test(arguments: EngineKind.allCases) func timelinesStayInOrderAreBoundedAndOutliveTheCall(_ kind: EngineKind)
        throws
    {
        var store = try StoreUnderTest(kind)
        let node = try Given.node("center-a")
        let id = Given.session(1)
        let entries = (0..<StoreRequest.timelineLimit + 5).map {
            TimelineEntry(at: Given.start + .seconds(Int64(-$0)), kind: .state, detail: "s\($0)")
        }
        _ = store.ask(.open(Given.write(Given.checkpoint(1), node)))
        #expect(store.ask(.appendTimeline(id, Array(entries.prefix(3)))) == .done)
        #expect(store.ask(.appendTimeline(id, Array(entries.dropFirst(3)))) == .done)
        _ = store.ask(
            .end(Given.checkpoint(1).record.closed(.menu, at: Given.start + .seconds(9)), under: Ownership(node: node)))
        guard case .call(let detail) = store.ask(.call(id)) else { return unexpectedReply() }
        #expect(detail.timeline == Array(entries.prefix(StoreRequest.timelineLimit)))
        #expect(store.ask(.call(Given.session(2))) == .notFound)
    }

    @Test(arguments: EngineKind.allCases) func recordsArePagedNewestFirst(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let owner = Ownership(node: try Given.node("center-a"))
        let records = (1...5).map {
            Given.checkpoint(UInt64($0)).record.closed(.caller, at: Given.start + .seconds(Int64(100 + $0)))
        }
        for record in records { #expect(store.ask(.end(record, under: owner)) == .done) }
        #expect(store.ask(.callRecords(limit: 2, before: nil)) == .callRecords([records[4], records[3]]))
        #expect(
            store.ask(.callRecords(limit: 9, before: records[3].id))
                == .callRecords([records[2], records[1], records[0]]))
        #expect(store.ask(.callRecords(limit: 9, before: Given.session(77))) == .notFound)
        #expect(store.ask(.callRecords(limit: -1, before: nil)) == .callRecords([]))
    }

    /// A stale leader's writes are refused by epoch.
    @Test(arguments: EngineKind.allCases) func aStaleLeaderPrunesNothing(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let (a, b) = (try Given.node("master-a"), try Given.node("master-b"))
        guard case .lease(let first) = store.ask(.acquireLease(name: "leader", holder: a, duration: .seconds(1)))
        else { return unexpectedReply() }
        let record = Given.checkpoint(1).record.closed(.caller, at: Given.start)
        _ = store.ask(.end(record, under: Ownership(node: try Given.node("center-a"))))
        store.pass(.seconds(2))
        guard case .lease(let second) = store.ask(.acquireLease(name: "leader", holder: b, duration: .seconds(1)))
        else { return unexpectedReply() }
        let before = Given.start + .seconds(2)
        #expect(store.ask(.prune(before: before, limit: 9, under: first.term)) == .staleLeader)
        #expect(store.ask(.callRecords(limit: 9, before: nil)) == .callRecords([record]))
        #expect(store.ask(.prune(before: before, limit: 9, under: second.term)) == .done)
        #expect(store.ask(.callRecords(limit: 9, before: nil)) == .callRecords([]))
    }

    @Test(arguments: EngineKind.allCases) func pruningRemovesOldEndedCallsOnly(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let owner = Ownership(node: try Given.node("center-a"))
        for seed in 1...3 {
            let record = Given.checkpoint(UInt64(seed)).record.closed(
                .caller, at: Given.start + .seconds(100 * Int64(seed)))
            _ = store.ask(.appendTimeline(record.id, [TimelineEntry(at: Given.start, kind: .end, detail: "")]))
            _ = store.ask(.end(record, under: owner))
        }
        _ = store.ask(.open(Given.write(Given.checkpoint(4), owner.node)))
        _ = store.ask(.putMenu(hash: "hash-1", [1]))
        _ = store.ask(.putMenu(hash: "unused", [2]))
        #expect(store.ask(.prune(before: Given.start + .seconds(250), limit: 100)) == .done)
        guard case .callRecords(let left) = store.ask(.callRecords(limit: 9, before: nil)) else {
            return unexpectedReply()
        }
        #expect(left.map(\.id) == [Given.session(3)])
        #expect(store.ask(.call(Given.session(1))) == .notFound)
        #expect(store.ask(.session(Given.session(4))).head != nil)
        #expect(store.ask(.menu(hash: "hash-1")) == .menu([1]))
        #expect(store.ask(.menu(hash: "unused")) == .notFound)
    }

    /// A call makes several attempts at the bank, which must go as fast as the calls do.
    @Test(arguments: EngineKind.allCases) func attemptsArePrunedSeveralForEachCall(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let balance = StoreRequest.bank(BankRequest(LedgerRequest(customer: try Given.customer(1), .balance)))
        func left() -> Int? {
            guard case .attempts(let attempts) = store.ask(.attempts(limit: 100)) else { return nil }
            return attempts.count
        }
        for _ in 0..<25 { _ = store.ask(balance) }
        store.pass(.seconds(100))
        for _ in 0..<3 { _ = store.ask(balance) }
        var counts: [Int?] = []
        for _ in 0..<4 {
            #expect(store.ask(.prune(before: store.now.wall, limit: 1)) == .done)
            counts.append(left())
        }
        #expect(counts == [18, 8, 3, 3])
    }

    /// Another center must be able to load the menu of any call that a center may answer yet, however long it is up.
    @Test(arguments: EngineKind.allCases) func menusOfACenterThatIsUpStayHoweverOldTheyAre(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let day: Duration = .seconds(86_400)
        func put(_ hash: String) { _ = store.ask(.putMenu(hash: hash, [1])) }
        func heartbeat(_ identity: NodeIdentity) { _ = store.ask(.heartbeat(identity)) }
        func kept() -> [String] {
            _ = store.ask(.prune(before: store.now.wall + (.zero - day), limit: 100))
            return ["before", "first", "second"].filter { store.ask(.menu(hash: $0)) != .notFound }
        }
        put("before")
        store.pass(day * 3)
        let center = try Given.node("center-a", "i1")
        put("first")
        store.pass(.seconds(2))
        _ = store.ask(.register(Given.registration(center)))
        store.pass(day * 20)
        heartbeat(center)
        put("second")
        #expect(kept() == ["first", "second"])

        // Fenced wrongly, it goes on in the same process under another name, with the same menus.
        _ = store.ask(.fence(center, under: nil))
        #expect(kept() == ["first", "second"])
        let again = try Given.node("center-a", "i2")
        _ = store.ask(.register(Given.registration(again)))
        store.pass(day * 20)
        heartbeat(again)
        #expect(kept() == ["first", "second"])

        // Started anew it brings what it needs.
        var process = Given.registration(try Given.node("center-a", "i3"))
        process.pid += 1
        put("second")
        _ = store.ask(.register(process))
        store.pass(day * 2)
        heartbeat(process.identity)
        #expect(kept() == ["second"])

        // Nobody heard of it for as long as records are kept, it is gone for good.
        store.pass(day * 2)
        #expect(kept() == [])
    }
}
