import Primitives
import Session
import Store
import Synchronization
import Testing

@testable import Master

@Suite struct SessionCloserTests {
    private static let diedAt = Given.start + .seconds(600)

    /// A store whose clock stands where the test puts it.
    private final class Clock: Sendable {
        let wall = Mutex(Given.start)
        func store() -> MemoryStore {
            MemoryStore(id: "store-1") { [self] in
                let now = wall.withLock { $0 }
                return StoreTime(
                    wall: now, sinceBoot: MonotonicTime(nanoseconds: now.milliseconds * 1_000_000), bootID: "b")
            }
        }
    }

    private let clock = Clock()
    private let store: MemoryStore
    private let closer: SessionCloser
    private let dead: NodeIdentity

    init() async throws {
        store = clock.store()
        dead = try Given.node("center-a")
        let master = try Given.node("master-a", "m1")
        closer = SessionCloser(store: store, identity: master) { Self.diedAt }
        _ = await store.submit(.register(Given.registration(dead)))
        _ = await store.submit(.register(Given.registration(master, role: .master)))
    }

    private func open(_ seeds: ClosedRange<UInt64>, by owner: NodeIdentity) async {
        for seed in seeds {
            let write = SessionWrite(Given.checkpoint(seed, center: owner.name), under: Ownership(node: owner))
            #expect(await store.submit(.open(write)) == .done)
        }
    }

    private func records() async -> [CallRecord] {
        guard case .callRecords(let records) = await store.submit(.callRecords(limit: 1000, before: nil)) else {
            return []
        }
        return records
    }

    private func liveCount() async -> Int {
        guard case .liveCalls(let calls) = await store.submit(.liveCalls(limit: 1000)) else { return -1 }
        return calls.count
    }

    /// I4, I5: one record for each session of a dead node, and it says lost.
    @Test func everySessionOfAFencedNodeGetsOneRecord() async throws {
        await open(1...70, by: dead)
        let other = try Given.node("center-b")
        _ = await store.submit(.register(Given.registration(other)))
        await open(100...101, by: other)
        _ = await store.submit(.fence(dead, under: nil))

        #expect(await closer.closeSessions(of: dead) == SessionCloser.Outcome(lost: 70))
        let records = await records()
        #expect(records.count == 70)
        #expect(Set(records.map(\.id)).count == 70)
        #expect(records.allSatisfy { $0.end == .lost && $0.ended == Self.diedAt && $0.centers == ["center-a"] })
        #expect(await liveCount() == 2)
        // Again there is nothing to do.
        #expect(await closer.closeSessions(of: dead) == SessionCloser.Outcome())
        #expect(await self.records().count == 70)
    }

    @Test func theTimelineSaysWhatHappened() async throws {
        await open(1...1, by: dead)
        _ = await store.submit(.fence(dead, under: nil))
        _ = await closer.closeSessions(of: dead)
        guard case .call(let detail) = await store.submit(.call(Given.session(1))) else {
            Issue.record("no such call")
            return
        }
        #expect(detail.timeline == [TimelineEntry(at: Self.diedAt, kind: .end, detail: "lost: center-a died")])
    }

    /// A claim without the fence would take a session from an owner that may still speak.
    @Test func aLivingOwnersSessionsAreLeftAlone() async throws {
        await open(1...3, by: dead)
        #expect(await closer.closeSessions(of: dead) == SessionCloser.Outcome(isComplete: false))
        #expect(await records().isEmpty)
        #expect(await liveCount() == 3)
    }

    /// TAKEOVER, Signalling: "BYE gets 200 and a durable mark 'caller ended' that the next owner turns into the CDR".
    @Test func aCallerWhoHungUpMeanwhileIsNoLostCall() async throws {
        await open(1...2, by: dead)
        let hungUpAt = Given.start + .seconds(500)
        _ = await store.submit(.markCallerEnded(Given.session(2), at: hungUpAt))
        _ = await store.submit(.fence(dead, under: nil))
        #expect(await closer.closeSessions(of: dead) == SessionCloser.Outcome(lost: 1, hungUp: 1))
        let record = try #require(await records().first { $0.id == Given.session(2) })
        #expect(record.end == .caller)
        #expect(record.ended == hungUpAt)
    }

    /// A deposed leader closes no more: the next one may have found somebody to take the calls.
    @Test func whoLeadsNoMoreClosesNoMore() async throws {
        await open(1...40, by: dead)
        _ = await store.submit(.fence(dead, under: nil))
        let asked = Mutex(0)
        let outcome = await closer.closeSessions(of: dead) {
            asked.withLock { asked in
                asked += 1
                return asked == 1
            }
        }
        #expect(outcome == SessionCloser.Outcome(lost: SessionCloser.batch, isComplete: false))
        #expect(await liveCount() == 40 - SessionCloser.batch)
    }

    @Test func whatWasClaimedAndNotEndedIsEndedLater() async throws {
        await open(1...1, by: dead)
        _ = await store.submit(.fence(dead, under: nil))
        let claim = StoreRequest.claim(
            Given.session(1), from: Ownership(node: dead), by: closer.identity, ground: .fenced)
        guard case .claimed = await store.submit(claim) else {
            Issue.record("not claimed")
            return
        }
        #expect(await closer.closeSessions(of: closer.identity) == SessionCloser.Outcome(lost: 1))
        #expect(await records().map(\.end) == [.lost])
    }

    @Test func withTheStoreAwayTheWorkIsNotDone() async throws {
        await open(1...2, by: dead)
        _ = await store.submit(.fence(dead, under: nil))
        store.setTrouble(StoreTrouble(.full, "no space"))
        #expect(await closer.closeSessions(of: dead) == SessionCloser.Outcome(isComplete: false))
        store.setTrouble(nil)
        #expect(await closer.closeSessions(of: dead) == SessionCloser.Outcome(lost: 2))
    }

    // MARK: Rows that cannot be read

    /// Refuses some sessions, as a store does whose rows it cannot read.
    private struct HalfReadable: Store {
        let store: MemoryStore
        let unreadable: Set<SessionID>
        var health: StoreHealth { store.health }

        func submit(_ request: StoreRequest, _ completion: @escaping @Sendable (StoreReply) -> Void) {
            switch request {
            case .claim(let id, _, _, _) where unreadable.contains(id),
                .session(let id) where unreadable.contains(id):
                completion(.refused("a row of the store holds no readable Checkpoint"))
            default: store.submit(request, completion)
            }
        }
    }

    /// They do not stand before the others, however many there are, and it is said which and why.
    @Test func rowsThatCannotBeReadDoNotKeepOthersOpen() async throws {
        await open(1...100, by: dead)
        _ = await store.submit(.fence(dead, under: nil))
        let unreadable = Set((1...40 as ClosedRange<UInt64>).map(Given.session))
        let half = SessionCloser(
            store: HalfReadable(store: store, unreadable: unreadable), identity: closer.identity, clock: closer.clock)
        let outcome = await half.closeSessions(of: dead)
        #expect(outcome.lost == 60)
        #expect(!outcome.isComplete)
        #expect(outcome.refused == unreadable)
        #expect(outcome.reason == "a row of the store holds no readable Checkpoint")
        #expect(await records().count == 60)
        #expect(await liveCount() == 40)
    }

    /// One that is this master's already gets a record all the same, of what the list of live calls shows.
    @Test func aClaimedRowThatCannotBeReadIsEndedByItsColumns() async throws {
        await open(1...1, by: dead)
        _ = await store.submit(.fence(dead, under: nil))
        let id = Given.session(1)
        _ = await store.submit(.claim(id, from: Ownership(node: dead), by: closer.identity, ground: .fenced))
        let half = SessionCloser(
            store: HalfReadable(store: store, unreadable: [id]), identity: closer.identity, clock: closer.clock)
        #expect(await half.closeSessions(of: closer.identity) == SessionCloser.Outcome(lost: 1))
        let record = try #require(await records().first)
        let whole = Given.checkpoint(1).record
        #expect(record.end == .lost && record.ended == Self.diedAt)
        #expect(record.line == whole.line && record.from == whole.from && record.started == whole.started)
        #expect(await liveCount() == 0)
    }
}
