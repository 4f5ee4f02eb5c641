import Primitives
import Session
import Store

/// Ends the sessions of dead nodes with a record that says so, where no center goes on with them: claim, CDR `lost`
/// (or `caller`, for one who hung up meanwhile), gone. Whoever claims first wins, so it may run beside anything else
/// that claims.
struct SessionCloser: Sendable {
    /// Sessions that are worked on at once: enough to fill the store's batches, few enough not to hold up calls.
    static let batch = 32
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

    /// Closes the sessions of a fenced incarnation, or those that this master claimed and could not end.
    ///
    /// - Parameters:
    ///   - diedAt: when it was heard last, for records that are closed long after; nil for just now.
    ///   - mayGoOn: asked before each batch.
    func closeSessions(
        of dead: NodeIdentity, diedAt: WallTime? = nil, while mayGoOn: @Sendable () -> Bool = { true }
    ) async -> Outcome {
        var total = Outcome()
        while !Task.isCancelled, mayGoOn() {
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
        total.isComplete = false
        return total
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
        if owner.node == identity {
            guard case .sessions(let found) = await store.submit(.session(id)) else {
                return Outcome(isComplete: false)
            }
            guard let session = found.first, session.ownership == owner else { return Outcome() }
            return await end(session, diedAt: diedAt)
        }
        return switch await store.submit(.claim(id, from: owner, by: identity, ground: .fenced)) {
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
