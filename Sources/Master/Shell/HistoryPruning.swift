import Primitives
import Session
import Store

/// Removes call records, and attempts at the bank, that were kept for as long as the profile says, while this master
/// leads: a few at a time, often, so that no run holds the writers' lock for long. Fifty every five seconds are 864,000
/// calls a day, with up to `StoreRequest.attemptsPerRecord` attempts each.
struct HistoryPruning: Sendable {
    /// Call records of one run.
    static let limit = 50

    let store: any Store
    let keep: Duration
    let clock: @Sendable () -> WallTime
    /// The term under which this master leads; nil while it does not.
    let term: @Sendable () -> LeaderTerm?

    func run(every interval: Duration) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: interval)
            await prune()
        }
    }

    /// Nil while this master does not lead; `.staleLeader` when another one does by now.
    @discardableResult
    func prune() async -> StoreReply? {
        guard let term = term() else { return nil }
        return await store.submit(.prune(before: clock() + (.zero - keep), limit: Self.limit, under: term))
    }
}
