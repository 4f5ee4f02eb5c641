/// Names one scheduled timer, so that it can be cancelled. A token is spent once its timer fired or was cancelled;
/// using a spent token is harmless.
public struct TimerToken: Hashable, Sendable {
    var slot: UInt32
    var generation: UInt32
}

/// The timers of one core: what is due when, in an order that a seed replays exactly
/// (by deadline, ties by order of scheduling). Scheduling and firing cost O(log n), cancelling O(1).
public struct TimerQueue<Key: Sendable>: Sendable {
    private struct Entry: Sendable {
        var deadline: MonotonicTime
        var sequence: UInt64
        var slot: UInt32
        var generation: UInt32
        func precedes(_ other: Entry) -> Bool {
            deadline == other.deadline ? sequence < other.sequence : deadline < other.deadline
        }
    }

    private struct Slot: Sendable {
        var generation: UInt32
        var key: Key?
    }

    private var heap: [Entry] = []
    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []
    private var sequence: UInt64 = 0

    public init() {}

    /// How many timers are set and neither fired nor cancelled.
    public var count: Int { slots.count - freeSlots.count }

    @discardableResult
    public mutating func schedule(_ key: Key, at deadline: MonotonicTime) -> TimerToken {
        let slot: UInt32
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            slot = UInt32(slots.count)
            slots.append(Slot(generation: 0, key: nil))
        }
        slots[Int(slot)].key = key
        let generation = slots[Int(slot)].generation
        sequence &+= 1
        heap.append(Entry(deadline: deadline, sequence: sequence, slot: slot, generation: generation))
        siftUp(from: heap.count - 1)
        return TimerToken(slot: slot, generation: generation)
    }

    public mutating func cancel(_ token: TimerToken) {
        guard isLive(token.slot, token.generation) else { return }
        release(token.slot)
        // Cancelled entries stay in the heap until they surface; rebuild once they are the majority.
        if heap.count > 64, heap.count > 2 * count { compact() }
    }

    /// When the earliest timer is due; nil when none is set.
    public mutating func nextDeadline() -> MonotonicTime? {
        dropSpent()
        return heap.first?.deadline
    }

    /// Takes the earliest timer that is due at `now`, or nil. Call until nil.
    public mutating func popDue(at now: MonotonicTime) -> Key? {
        dropSpent()
        guard let first = heap.first, first.deadline <= now else { return nil }
        let key = slots[Int(first.slot)].key
        removeFirst()
        release(first.slot)
        return key
    }

    private func isLive(_ slot: UInt32, _ generation: UInt32) -> Bool {
        Int(slot) < slots.count && slots[Int(slot)].generation == generation && slots[Int(slot)].key != nil
    }

    private mutating func release(_ slot: UInt32) {
        slots[Int(slot)].key = nil
        slots[Int(slot)].generation &+= 1
        freeSlots.append(slot)
    }

    private mutating func dropSpent() {
        while let first = heap.first, !isLive(first.slot, first.generation) { removeFirst() }
    }

    private mutating func removeFirst() {
        guard let last = heap.popLast() else { return }
        guard !heap.isEmpty else { return }
        heap[0] = last
        siftDown(from: 0)
    }

    private mutating func compact() {
        heap = heap.filter { isLive($0.slot, $0.generation) }
        for index in stride(from: heap.count / 2 - 1, through: 0, by: -1) { siftDown(from: index) }
    }

    private mutating func siftUp(from start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard heap[index].precedes(heap[parent]) else { return }
            heap.swapAt(index, parent)
            index = parent
        }
    }

    private mutating func siftDown(from start: Int) {
        var index = start
        while true {
            let left = 2 * index + 1
            guard left < heap.count else { return }
            let right = left + 1
            let child = right < heap.count && heap[right].precedes(heap[left]) ? right : left
            guard heap[child].precedes(heap[index]) else { return }
            heap.swapAt(index, child)
            index = child
        }
    }
}
