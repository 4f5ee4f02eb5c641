import Primitives
import Session
import Store

/// Ends the sessions of dead nodes with a record that says so, where no center goes on with them: claim, CDR `lost`
/// (or `caller`, for one who hung up meanwhile), gone. Whoever claims first wins, so it may run beside anything else
/// that claims.
struct SessionCloser: Sendable {
    /// Sessions that are worked on at once: enough to fill the store's batches, few enough not to hold up calls.
    static let batch = 32
    /// Sessions that the store refuses are passed over, up to so many, so that they do not stand before the others.
    static let refusedLimit = 10_000
    struct Outcome: Equatable, Sendable {
        var lost = 0
        /// Ended by their callers while nobody owned them.
        var hungUp = 0
        /// The store did not take it: to be tried again.
        var isComplete = true
        /// Of these the store said that it cannot do it, as of a row that it cannot read; and why it said so.
        var refused: Set<SessionID> = []
        var reason: String?

        static func + (one: Outcome, other: Outcome) -> Outcome {
            Outcome(
                lost: one.lost + other.lost, hungUp: one.hungUp + other.hungUp,
                isComplete: one.isComplete && other.isComplete, refused: one.refused.union(other.refused),
                reason: one.reason ?? other.reason)
        }

        static func refused(_ session: SessionID, _ reason: String) -> Outcome {
            Outcome(isComplete: false, refused: [session], reason: reason)
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
            let known = total.refused.count
            guard known < Self.refusedLimit,
                case .sessionHeads(let heads) = await store.submit(
                    .sessionsOwned(by: dead, limit: Self.batch + known))
            else {
                total.isComplete = false
                return total
            }
            let next = heads.filter { !total.refused.contains($0.id) }
            guard !next.isEmpty else { return total }
            let done = await close(next.map { ($0.id, $0.ownership) }, diedAt: diedAt)
            total = total + done
            // What stayed where it was would be read again for ever.
            guard done.isComplete || total.refused.count > known else { return total }
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
            switch await store.submit(.session(id)) {
            case .sessions(let found):
                guard let session = found.first, session.ownership == owner else { return Outcome() }
                return await end(session, diedAt: diedAt)
            case .refused(let reason): return await endUnread(id, under: owner, because: reason, diedAt: diedAt)
            default: return Outcome(isComplete: false)
            }
        }
        return switch await store.submit(.claim(id, from: owner, by: identity, ground: .fenced)) {
        case .claimed(let session): await end(session, diedAt: diedAt)
        // Somebody else has it, or it is over.
        case .notOwner, .alreadyEnded, .notFound: Outcome()
        case .refused(let reason): .refused(id, reason)
        default: Outcome(isComplete: false)
        }
    }

    private func end(_ session: StoredSession, diedAt: WallTime?) async -> Outcome {
        let kind: EndKind = session.callerEnded == nil ? .lost : .caller
        let owner = session.checkpoint.record.centers.last ?? "its center"
        return await end(
            session.checkpoint.record.closed(kind, at: session.callerEnded ?? diedAt ?? clock()),
            under: session.ownership,
            detail: kind == .lost ? Self.lostDetail(of: owner) : "the caller hung up after \(owner) died")
    }

    /// Its checkpoint cannot be read, by this release at least. What the list of live calls shows of it makes a record.
    private func endUnread(
        _ id: SessionID, under owner: Ownership, because reason: String, diedAt: WallTime?
    ) async -> Outcome {
        guard case .call(let detail) = await store.submit(.call(id)) else { return .refused(id, reason) }
        let call = detail.call
        let record = CallRecord(
            id: id, line: call.line, from: call.from, centers: [], started: call.started,
            path: call.state.map { [$0] } ?? [], takeovers: call.takeovers)
        return await end(
            record.closed(.lost, at: diedAt ?? clock()), under: owner, detail: "lost: its checkpoint cannot be read")
    }

    private func end(_ record: CallRecord, under ownership: Ownership, detail: String) async -> Outcome {
        switch await store.submit(.end(record, under: ownership)) {
        case .done: break
        case .refused(let reason): return .refused(record.id, reason)
        default: return Outcome(isComplete: false)
        }
        let entry = TimelineEntry(at: record.ended ?? clock(), kind: .end, detail: detail)
        store.submit(.appendTimeline(record.id, [entry])) { _ in }
        return record.end == .lost ? Outcome(lost: 1) : Outcome(hungUp: 1)
    }

    /// What the timeline of a call says that was closed because its center died and no other went on with it.
    static func lostDetail(of center: String) -> String { "lost: \(center) died" }
}
