import Primitives
import Session
import Store
import Synchronization

/// Closes what no center took over, while this master leads. One dead incarnation at a time, so that a storm of deaths
/// does not crowd the store.
final class LostSessions: Sendable {
    private struct Work: Sendable {
        var dead: NodeIdentity
        var reason: LossReason
    }

    private let closer: SessionCloser
    private let term = Mutex<LeaderTerm?>(nil)
    private let work: AsyncStream<Work>.Continuation
    private let told: @Sendable (NodeIdentity, LossReason, SessionCloser.Outcome) -> Void
    private let worker = Mutex<Task<Void, Never>?>(nil)

    /// - Parameter told: called once for each `close`, with what was closed.
    init(
        _ closer: SessionCloser,
        told: @escaping @Sendable (NodeIdentity, LossReason, SessionCloser.Outcome) -> Void
    ) {
        self.closer = closer
        self.told = told
        let (stream, continuation) = AsyncStream<Work>.makeStream(
            bufferingPolicy: .bufferingOldest(MasterCore.takeoverLimit))
        work = continuation
        let task = Task { [weak self] in
            for await item in stream {
                guard let self else { return }
                await perform(item)
            }
        }
        worker.withLock { $0 = task }
    }

    /// The term under which this master leads now; nil while it does not.
    func lead(_ term: LeaderTerm?) { self.term.withLock { $0 = term } }

    var currentTerm: LeaderTerm? { term.withLock { $0 } }

    /// Nobody goes on with what this incarnation still owns.
    func close(_ dead: NodeIdentity, _ reason: LossReason) { work.yield(Work(dead: dead, reason: reason)) }

    func stop() {
        work.finish()
        worker.withLock { $0 }?.cancel()
    }

    private func perform(_ work: Work) async {
        var diedAt: WallTime?
        if case .ownerLongSilent(let since) = work.reason { diedAt = since }
        let term = currentTerm
        // Another leader may have found somebody to take them.
        let outcome = await closer.closeSessions(of: work.dead, diedAt: diedAt) { [weak self] in
            term != nil && self?.currentTerm == term
        }
        told(work.dead, work.reason, outcome)
    }
}
