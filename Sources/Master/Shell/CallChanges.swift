import Session

/// What became of calls between two looks into the store. Centers tell a master nothing of single calls; what the
/// store has is what everybody sees.
struct CallChanges: Sendable {
    enum Change: Equatable, Sendable {
        case started(LiveCall)
        /// The menu state, the center or the language of a call is another one.
        case changed(LiveCall)
        case ended(CallRecord)
    }

    private var live: [SessionID: LiveCall] = [:]
    private var ended: Set<SessionID> = []
    private var hasLooked = false

    /// Takes what is there now. `records` are the newest ended calls. The first look only remembers.
    mutating func look(live calls: [LiveCall], records: [CallRecord]) -> [Change] {
        var changes: [Change] = []
        let isFirst = !hasLooked
        hasLooked = true
        for call in calls {
            let old = live[call.id]
            if old == nil { changes.append(.started(call)) } else if old != call { changes.append(.changed(call)) }
        }
        // Oldest first, as they happened.
        for record in records.reversed() where !ended.contains(record.id) {
            if live[record.id] == nil { changes.append(.started(LiveCall(record))) }
            changes.append(.ended(record))
        }
        live = Dictionary(calls.map { ($0.id, $0) }, uniquingKeysWith: { _, last in last })
        ended = Set(records.map(\.id))
        return isFirst ? [] : changes
    }
}
