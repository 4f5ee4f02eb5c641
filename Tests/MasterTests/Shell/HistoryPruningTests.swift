import Primitives
import Session
import Store
import Testing

@testable import Master

@Suite struct HistoryPruningTests {
    private let store = MemoryStore(id: "store-1")
    private let now = Given.start + .seconds(1_000 * 86_400)

    private func end(_ seeds: ClosedRange<UInt64>, at time: WallTime) async throws {
        let owner = Ownership(node: try Given.node("center-a"))
        for seed in seeds {
            let record = Given.checkpoint(seed).record.closed(.caller, at: time)
            #expect(await store.submit(.end(record, under: owner)) == .done)
        }
    }

    private func recordCount() async -> Int {
        guard case .callRecords(let records) = await store.submit(.callRecords(limit: 1_000, before: nil)) else {
            return -1
        }
        return records.count
    }

    private func lead(_ name: String, for duration: Duration = .seconds(60)) async throws -> LeaderTerm {
        let holder = try Given.node(name, "m1")
        let reply = await store.submit(.acquireLease(name: "leader", holder: holder, duration: duration))
        guard case .lease(let lease) = reply else {
            throw NeverHappened(description: "no lease: \(reply)")
        }
        return lease.term
    }

    private func pruning(_ term: LeaderTerm?) -> HistoryPruning {
        HistoryPruning(store: store, keep: .seconds(400 * 86_400), clock: { now }, term: { term })
    }

    @Test func whatIsOlderThanTheProfileSaysGoesAFewAtATime() async throws {
        try await end(1...70, at: now + .seconds(-401 * 86_400))
        try await end(100...104, at: now + .seconds(-399 * 86_400))
        let pruning = pruning(try await lead("master-a"))
        #expect(await pruning.prune() == .done)
        #expect(await recordCount() == 25)
        #expect(await pruning.prune() == .done)
        #expect(await recordCount() == 5)
        #expect(await pruning.prune() == .done)
        #expect(await recordCount() == 5)
    }

    @Test func onlyTheLeaderPrunes() async throws {
        try await end(1...3, at: now + .seconds(-500 * 86_400))
        #expect(await pruning(nil).prune() == nil)
        let stale = try await lead("master-a")
        _ = await store.submit(.releaseLease(stale))
        _ = try await lead("master-b")
        #expect(await pruning(stale).prune() == .staleLeader)
        #expect(await recordCount() == 3)
    }
}
