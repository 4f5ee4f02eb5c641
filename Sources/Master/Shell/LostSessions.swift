import Logging
import Primitives
import Session
import Store
import Synchronization

/// Closes what dead centers left behind, while this master leads: at once after each fence, everything abandoned when
/// it begins to lead and now and then, and the sessions of owners that have been silent for too long.
///
/// One piece of work at a time, so that a storm of deaths does not crowd the store. Where centers take calls over this
/// is what remains for the calls that no center could take.
final class LostSessions: Sendable {
    private enum Work: Sendable {
        case fenced(NodeIdentity)
        case abandoned
        case silentOwners
    }

    struct Timings: Sendable {
        /// After the start, so that nodes have been heard before any is called silent.
        var firstLook: Duration = .seconds(5)
        var look: Duration = .seconds(30)
        /// Every so many looks everything that is stored is looked through.
        var thoroughEvery = 10
    }

    private let closer: SessionCloser
    private let term = Mutex<LeaderTerm?>(nil)
    /// Something could not be closed, because the store was away: the next look tries again.
    private let isUnfinished = Mutex(false)
    private let work: AsyncStream<Work>.Continuation
    private let report: @Sendable () async -> MasterReport?
    private let told: @Sendable (NodeIdentity?, SessionCloser.Outcome) -> Void
    private let tasks = Mutex<[Task<Void, Never>]>([])
    private let log: Logger

    /// - Parameters:
    ///   - report: what the master hears now; nil when it cannot be asked.
    ///   - told: called with what was closed, if anything was or should have been.
    init(
        _ closer: SessionCloser, timings: Timings = Timings(), log: Logger,
        report: @escaping @Sendable () async -> MasterReport?,
        told: @escaping @Sendable (NodeIdentity?, SessionCloser.Outcome) -> Void
    ) {
        self.closer = closer
        self.report = report
        self.told = told
        self.log = log
        let (stream, continuation) = AsyncStream<Work>.makeStream(bufferingPolicy: .bufferingOldest(1_024))
        work = continuation
        let worker = Task { [weak self] in
            for await item in stream {
                guard let self else { return }
                await perform(item)
            }
        }
        let clock = Task {
            try? await Task.sleep(for: timings.firstLook)
            var looks = 0
            while !Task.isCancelled {
                continuation.yield(.silentOwners)
                if looks % timings.thoroughEvery == 0 { continuation.yield(.abandoned) }
                looks += 1
                try? await Task.sleep(for: timings.look)
            }
        }
        tasks.withLock { $0 = [worker, clock] }
    }

    /// The term under which this master leads now; nil while it does not.
    func lead(_ term: LeaderTerm?) {
        let isNew = self.term.withLock { current in
            defer { current = term }
            return term != nil && current != term
        }
        if isNew { work.yield(.abandoned) }
    }

    var currentTerm: LeaderTerm? { term.withLock { $0 } }

    /// The store holds the incarnation for dead.
    func fenced(_ identity: NodeIdentity) { work.yield(.fenced(identity)) }

    func stop() {
        work.finish()
        for task in tasks.withLock({ $0 }) { task.cancel() }
    }

    private func perform(_ work: Work) async {
        guard let term = currentTerm else { return }
        switch work {
        case .fenced(let identity): note(identity, await closer.closeSessions(of: identity))
        case .abandoned: note(nil, await closer.closeAbandoned())
        case .silentOwners:
            if isUnfinished.withLock({ $0 }) { note(nil, await closer.closeAbandoned()) }
            guard let report = await report() else { return }
            for row in await closer.silentOwners(isAlive: { report.hears($0) }) {
                let identity = row.registration.identity
                guard await closer.store.submit(.fence(identity, under: term)) == .done else { return }
                note(identity, await closer.closeSessions(of: identity, diedAt: row.lastHeartbeat))
            }
        }
    }

    private func note(_ identity: NodeIdentity?, _ outcome: SessionCloser.Outcome) {
        isUnfinished.withLock { $0 = !outcome.isComplete }
        guard outcome.lost + outcome.hungUp > 0 || !outcome.isComplete else { return }
        log.warning(
            "calls of a dead center closed",
            metadata: [
                "about": "\(identity?.description ?? "earlier incarnations")", "lost": "\(outcome.lost)",
                "hung-up": "\(outcome.hungUp)", "complete": "\(outcome.isComplete)",
            ])
        told(identity, outcome)
    }
}
