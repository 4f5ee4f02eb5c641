import Primitives
import Session

/// Records of calls that are over, until the store has taken them (I5). Each is handed in at once; one that the store
/// refused, or whose answer is lost, is handed in again later.
struct UnwrittenRecords: Sendable {
    struct Entry: Sendable {
        var record: CallRecord
        var ownership: Ownership
        /// When it is handed in again; nil while its answer may still come before that matters.
        fileprivate var due: MonotonicTime
    }

    /// Beyond it the oldest is given up (I8).
    static let limit = 100_000
    /// Between two tries.
    static let interval = Duration.seconds(1)
    /// An answer that took longer is lost.
    static let patience = Duration.seconds(15)
    /// At most this many are handed in again at a time: the store has just come back.
    static let batch = 1_000

    private var entries: [SessionID: Entry] = [:]
    /// Oldest first; names what is not there any more until it is compacted.
    private var order: [SessionID] = []

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    func contains(_ session: SessionID) -> Bool { entries[session] != nil }

    /// Keeps a record that is being handed in. Returns the session whose record is given up for it, at the limit.
    mutating func insert(_ record: CallRecord, under ownership: Ownership, now: MonotonicTime) -> SessionID? {
        var givenUp: SessionID?
        if entries.count >= Self.limit {
            givenUp = order.first { entries[$0] != nil }
            if let givenUp { entries[givenUp] = nil }
        }
        if entries.updateValue(
            Entry(record: record, ownership: ownership, due: now + Self.patience), forKey: record.id) == nil
        {
            order.append(record.id)
        }
        if order.count > 2 * entries.count + 64 { compact() }
        return givenUp
    }

    /// The store has taken it, or will never.
    mutating func remove(_ session: SessionID) { entries[session] = nil }

    /// The store was away.
    mutating func refused(_ session: SessionID, now: MonotonicTime) { entries[session]?.due = now }

    /// What is to be handed in again now, oldest first.
    mutating func takeDue(now: MonotonicTime) -> [Entry] {
        compact()
        var due: [Entry] = []
        for session in order where due.count < Self.batch {
            guard let entry = entries[session], entry.due <= now else { continue }
            entries[session]?.due = now + Self.patience
            due.append(entry)
        }
        return due
    }

    private mutating func compact() { order.removeAll { entries[$0] == nil } }
}
