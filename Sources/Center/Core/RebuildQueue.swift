import Session

/// Claimed sessions whose turn to become calls comes, the next one first.
///
/// A dead center's sessions come by the hundred, and each costs ports, a checkpoint, an INVITE and a menu. A loop that
/// did all of it at once would answer no ping meanwhile, and on a busy machine it would be fenced for its diligence.
struct RebuildQueue: Sendable {
    /// Calls between two looks at the sockets.
    static let turn = 5

    private var waiting: [ClaimedSession] = []
    private var done = 0

    var count: Int { waiting.count }
    var isEmpty: Bool { waiting.isEmpty }

    func contains(_ session: SessionID) -> Bool {
        waiting.contains { $0.stored.checkpoint.session == session }
    }

    /// The sockets are looked at now.
    mutating func beginTurn() { done = 0 }

    /// Whether one may be rebuilt without waiting.
    mutating func admits() -> Bool {
        guard waiting.isEmpty, done < Self.turn else { return false }
        done += 1
        return true
    }

    mutating func append(_ claimed: ClaimedSession) { waiting.append(claimed) }

    /// Nil when none waits, or not in this turn.
    mutating func next() -> ClaimedSession? {
        guard !waiting.isEmpty, done < Self.turn else { return nil }
        done += 1
        return waiting.removeFirst()
    }

    mutating func removeAll() { waiting = [] }
}
