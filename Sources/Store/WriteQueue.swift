import Primitives
import Session

package typealias StoreCompletion = @Sendable (StoreReply) -> Void

/// An answer that is due, to be given outside any lock.
struct DueReply: Sendable {
    var completion: StoreCompletion
    var reply: StoreReply
}

/// The writes that wait for the writer, in order. Checkpoints of one session are coalesced: only the newest is
/// written. Bounded: what does not fit is answered at once.
package struct WriteQueue: Sendable {
    package struct Limits: Sendable, Hashable {
        /// Waiting writes beyond which checkpoints, timeline rows and heartbeats are given up, and others refused.
        package var writes = 10_000
        /// The same for first checkpoints and ends of calls, which are kept longest.
        package var keptLongest = 20_000
        /// How long a deferrable write waits for company.
        package var gathering: Duration = .milliseconds(10)
        /// How long an awaited write waits for another process's lock.
        package var patience: Duration = .seconds(1)
        /// A fence and a lease must know soon that the file is locked: the answer to that is to kill the holder.
        package var fencePatience: Duration = .milliseconds(100)
        /// Writes handed to the engine at once: about as many as fit the time that a transaction may take.
        package var batch = 64

        package init(writes: Int = 10_000, keptLongest: Int = 20_000, batch: Int = 64) {
            self.writes = writes
            self.keptLongest = keptLongest
            self.batch = batch
        }
    }

    struct Item: Sendable {
        var request: StoreRequest
        var completion: StoreCompletion
        var submitted: MonotonicTime
    }

    /// Answered items that may stay among those that wait before it is worth moving the rest.
    static let holeLimit = 1_024

    let limits: Limits
    private(set) var dropped = 0
    /// Nil where an item was answered before its turn. Positions before `head` belong to a batch that is being run.
    private var items: [Item?] = []
    private var head = 0
    /// Position of `items[0]`, counted from the first item ever.
    private var base = 0
    private(set) var count = 0
    /// Places that are held, those of answered items too.
    var places: Int { items.count }
    private var urgent = 0
    /// Where the newest checkpoint of a session waits, if nothing else of the session follows it.
    private var newestCheckpoint: [SessionID: Int] = [:]
    /// The last waiting write of a session that is not a checkpoint: no checkpoint may move across it.
    private var lastBarrier: [SessionID: Int] = [:]

    init(limits: Limits = Limits()) { self.limits = limits }

    /// Adds a write. The answer, if there is one, is for a write that was overtaken or does not fit.
    mutating func add(_ request: StoreRequest, at now: MonotonicTime, _ completion: @escaping StoreCompletion)
        -> DueReply?
    {
        let item = Item(request: request, completion: completion, submitted: now)
        if case .checkpoint(let write) = request, let position = newestCheckpoint[write.session],
            let earlier = items[position - base], case .checkpoint(let older) = earlier.request,
            older.ownership == write.ownership
        {
            // Its turn and its age stay: a session that writes all the time is not put off for ever.
            items[position - base] = Item(request: request, completion: completion, submitted: earlier.submitted)
            return DueReply(completion: earlier.completion, reply: .superseded)
        }
        let limit = request.isKeptLongest ? limits.keptLongest : limits.writes
        guard count < limit else {
            if request.isRetained { dropped += 1 }
            let trouble = StoreTrouble(.overloaded, "\(count) writes wait for the store")
            return DueReply(completion: completion, reply: .unavailable(trouble))
        }
        note(request, at: base + items.count)
        items.append(item)
        count += 1
        return nil
    }

    private mutating func note(_ request: StoreRequest, at position: Int) {
        if request.requestClass == .urgent { urgent += 1 }
        enlist(request, at: position)
    }

    /// The request waits behind everything else of its session.
    private mutating func enlist(_ request: StoreRequest, at position: Int) {
        guard let session = request.writtenSession else { return }
        if case .checkpoint = request {
            newestCheckpoint[session] = position
        } else {
            newestCheckpoint[session] = nil
            lastBarrier[session] = position
        }
    }

    private mutating func forget(_ request: StoreRequest, at position: Int) {
        if request.requestClass == .urgent { urgent -= 1 }
        guard let session = request.writtenSession else { return }
        if newestCheckpoint[session] == position { newestCheckpoint[session] = nil }
        if lastBarrier[session] == position { lastBarrier[session] = nil }
    }

    /// When the next batch should run; nil while nothing waits.
    var nextBatch: MonotonicTime? {
        guard count > 0 else { return nil }
        if urgent > 0 || count >= limits.batch { return .zero }
        for case let item? in items[head...] { return item.submitted + limits.gathering }
        return nil
    }

    /// Takes the next writes out. Those that are not done must come back by `putBack` before the next call.
    mutating func takeBatch() -> [(position: Int, item: Item)] {
        var batch: [(position: Int, item: Item)] = []
        while batch.count < limits.batch, head < items.count {
            if let item = items[head] {
                batch.append((base + head, item))
                forget(item.request, at: base + head)
                count -= 1
            }
            head += 1
        }
        return batch
    }

    /// Writes of the last batch that were not done return to their places, unless a newer checkpoint has come that may
    /// stand for an older one.
    ///
    /// - Parameter undone: in the order of their positions.
    mutating func putBack(_ undone: some Sequence<(position: Int, item: Item)>) -> [DueReply] {
        var due: [DueReply] = []
        for index in 0..<head { items[index] = nil }
        // The last first: a checkpoint must know of every barrier behind it before it may give way to a newer one.
        for (position, item) in undone.reversed() {
            if case .checkpoint(let write) = item.request, let newer = newestCheckpoint[write.session],
                newer > position, (lastBarrier[write.session] ?? -1) < position,
                let later = items[newer - base], case .checkpoint(let newest) = later.request,
                newest.ownership == write.ownership
            {
                due.append(DueReply(completion: item.completion, reply: .superseded))
                continue
            }
            items[position - base] = item
            count += 1
            if item.request.requestClass == .urgent { urgent += 1 }
            guard let session = item.request.writtenSession else { continue }
            if case .checkpoint = item.request {
                // Never across a barrier, and never in place of a newer one.
                if newestCheckpoint[session] == nil, (lastBarrier[session] ?? -1) < position {
                    newestCheckpoint[session] = position
                }
            } else {
                lastBarrier[session] = max(lastBarrier[session] ?? position, position)
            }
        }
        head = 0
        trim()
        return due
    }

    /// Lets go of answered items, seldom enough that moving the rest costs little. Not while a batch is being run: what
    /// is not done of it returns to its positions.
    private mutating func trim() {
        guard head == 0 else { return }
        let answered = items.firstIndex { $0 != nil } ?? items.count
        if answered == items.count || answered >= Self.holeLimit {
            items.removeFirst(answered)
            base += answered
        }
        // Behind one that is kept for as long as the store is away there may be any number of answered ones.
        let holes = items.count - count
        guard holes > Self.holeLimit, holes > count else { return }
        items.removeAll { $0 == nil }
        newestCheckpoint.removeAll(keepingCapacity: true)
        lastBarrier.removeAll(keepingCapacity: true)
        reindex { _ in true }
    }

    /// Finds anew where writes of these sessions wait; what was known of them must be forgotten before.
    private mutating func reindex(_ isMeant: (SessionID) -> Bool) {
        for position in items.indices where position >= head {
            guard let request = items[position]?.request, let session = request.writtenSession, isMeant(session) else {
                continue
            }
            enlist(request, at: base + position)
        }
    }

    /// The answers to those who cannot wait longer, now that the store is known to be away.
    mutating func giveUp(because trouble: StoreTrouble, at now: MonotonicTime) -> [DueReply] {
        var due: [DueReply] = []
        var sessions: Set<SessionID> = []
        for index in items.indices where index >= head {
            guard let item = items[index], !item.request.isRetained else { continue }
            if trouble.kind == .locked, now - item.submitted < patience(of: item.request) { continue }
            due.append(DueReply(completion: item.completion, reply: .unavailable(trouble)))
            items[index] = nil
            count -= 1
            if item.request.requestClass == .urgent { urgent -= 1 }
            if let session = item.request.writtenSession { sessions.insert(session) }
        }
        // An earlier write is the last barrier now, or the newest checkpoint has nothing behind it any more.
        for session in sessions {
            newestCheckpoint[session] = nil
            lastBarrier[session] = nil
        }
        if !sessions.isEmpty { reindex { sessions.contains($0) } }
        trim()
        return due
    }

    /// Everything that still waits, at the end.
    mutating func abandon(because trouble: StoreTrouble) -> [DueReply] {
        let due = items.dropFirst(head).compactMap { item in
            item.map { DueReply(completion: $0.completion, reply: .unavailable(trouble)) }
        }
        self = WriteQueue(limits: limits)
        return due
    }

    private func patience(of request: StoreRequest) -> Duration {
        switch request {
        // A leader that knows too late that the lock is held leads no more when it is to end the holder.
        case .fence, .acquireLease: limits.fencePatience
        default: limits.patience
        }
    }
}

extension StoreRequest {
    /// Kept in memory while the store is away, and written when it is back.
    var isRetained: Bool { requestClass == .deferrable || isKeptLongest }

    var isKeptLongest: Bool {
        switch self {
        case .open, .end: true
        default: false
        }
    }
}
