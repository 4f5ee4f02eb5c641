import Primitives
import Session
import Store

/// Ends the sessions of dead nodes with a record that says so, where no center goes on with them: claim, CDR `lost`
/// (or `caller`, for one who hung up meanwhile), gone. Whoever claims first wins, so it may run beside anything else
/// that claims.
struct SessionCloser: Sendable {
    /// Sessions that are worked on at once: enough to fill the store's batches, few enough not to hold up calls.
    static let batch = 32
    /// An owner that did not tell the store of itself for this long is not coming back to yesterday's ports.
    static let silence: Duration = .seconds(120)

    struct Outcome: Equatable, Sendable {
        var lost = 0
        /// Ended by their callers while nobody owned them.
        var hungUp = 0
        /// The store did not take it: to be tried again.
        var isComplete = true

        static func + (one: Outcome, other: Outcome) -> Outcome {
            Outcome(
                lost: one.lost + other.lost, hungUp: one.hungUp + other.hungUp,
                isComplete: one.isComplete && other.isComplete)
        }
    }

    let store: any Store
    /// Who claims: the leading master.
    let identity: NodeIdentity
    let clock: @Sendable () -> WallTime

    /// Closes the sessions of a fenced incarnation.
    ///
    /// - Parameter diedAt: when it was heard last, for records that are closed long after; nil for just now.
    func closeSessions(of dead: NodeIdentity, diedAt: WallTime? = nil) async -> Outcome {
        var total = Outcome()
        while !Task.isCancelled {
            guard case .sessionHeads(let heads) = await store.submit(.sessionsOwned(by: dead, limit: Self.batch)) else {
                total.isComplete = false
                return total
            }
            guard !heads.isEmpty else { return total }
            let done = await close(heads.map { ($0.id, $0.ownership) }, diedAt: diedAt)
            total = total + done
            // What stayed where it was would be read again for ever.
            guard done.isComplete else { return total }
        }
        return total
    }

    /// Closes every session whose owner's incarnation is fenced, whoever that was, and what this master claimed and
    /// could not end.
    func closeAbandoned() async -> Outcome {
        guard case .liveCalls(let calls) = await store.submit(.liveCalls(limit: 100_000)) else {
            return Outcome(isComplete: false)
        }
        var total = Outcome()
        for start in stride(from: 0, to: calls.count, by: Self.batch) where !Task.isCancelled {
            var abandoned: [(SessionID, Ownership)] = []
            for call in calls[start..<min(start + Self.batch, calls.count)] {
                guard case .sessions(let found) = await store.submit(.session(call.id)), let session = found.first
                else { continue }
                if session.ownership.node == identity {
                    total = total + (await end(session, diedAt: nil))
                } else if session.ownerFenced {
                    abandoned.append((call.id, session.ownership))
                }
            }
            total = total + (await close(abandoned, diedAt: nil))
        }
        return total
    }

    /// Centers that are silent in the store for too long and that the master does not hear either.
    func silentOwners(isAlive: @Sendable (NodeIdentity) -> Bool) async -> [NodeRow] {
        guard case .nodes(let rows) = await store.submit(.nodes) else { return [] }
        let now = clock()
        return rows.filter { row in
            row.registration.role == .center && !row.isFenced && now - row.lastHeartbeat > Self.silence
                && !isAlive(row.registration.identity)
        }
    }

    private func close(_ sessions: [(SessionID, Ownership)], diedAt: WallTime?) async -> Outcome {
        await withTaskGroup(of: Outcome.self) { group in
            for (id, ownership) in sessions {
                group.addTask { await close(id, of: ownership, diedAt: diedAt) }
            }
            return await group.reduce(Outcome(), +)
        }
    }

    private func close(_ id: SessionID, of owner: Ownership, diedAt: WallTime?) async -> Outcome {
        switch await store.submit(.claim(id, from: owner, by: identity, ground: .fenced)) {
        case .claimed(let session): await end(session, diedAt: diedAt)
        // Somebody else has it, or it is over.
        case .notOwner, .alreadyEnded, .notFound: Outcome()
        default: Outcome(isComplete: false)
        }
    }

    private func end(_ session: StoredSession, diedAt: WallTime?) async -> Outcome {
        let kind: EndKind = session.callerEnded == nil ? .lost : .caller
        let time = session.callerEnded ?? diedAt ?? clock()
        let record = session.checkpoint.record.closed(kind, at: time)
        guard await store.submit(.end(record, under: session.ownership)) == .done else {
            return Outcome(isComplete: false)
        }
        let owner = session.checkpoint.record.centers.last ?? "its center"
        let detail = kind == .lost ? "lost: \(owner) died" : "the caller hung up after \(owner) died"
        store.submit(.appendTimeline(record.id, [TimelineEntry(at: time, kind: .end, detail: detail)])) { _ in }
        return kind == .lost ? Outcome(lost: 1) : Outcome(hungUp: 1)
    }
}
