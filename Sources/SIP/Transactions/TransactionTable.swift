/// What a `TransactionTable` keeps.
protocol TransactionRecord: Sendable {
    /// Stands in empty slots and holds no memory.
    static var vacant: Self { get }
}

/// Records in numbered slots that are used again, found by a hash of their key. Records with equal hashes are chained.
struct TransactionTable<Record: TransactionRecord>: Sendable {
    private struct Slot: Sendable {
        var record: Record
        var hash: UInt64
        var next: UInt32
        /// Odd while the slot is taken.
        var generation: UInt32
    }

    private static var none: UInt32 { .max }

    private var slots: [Slot] = []
    private var free: [UInt32] = []
    private var chains: [UInt64: UInt32] = [:]
    let limit: Int

    init(limit: Int) {
        precondition(limit > 0 && limit < Int(UInt32.max), "a transaction table has at least one slot")
        self.limit = limit
    }

    var count: Int { slots.count - free.count }

    /// The record in a slot that is known to be taken.
    subscript(slot: UInt32) -> Record {
        _read { yield slots[Int(slot)].record }
        _modify { yield &slots[Int(slot)].record }
    }

    func generation(of slot: UInt32) -> UInt32 { slots[Int(slot)].generation }

    func isLive(slot: UInt32, generation: UInt32) -> Bool {
        Int(slot) < slots.count && slots[Int(slot)].generation == generation && generation & 1 == 1
    }

    @inline(__always)
    func find(_ hash: UInt64, where matches: (borrowing Record) -> Bool) -> UInt32? {
        guard var slot = chains[hash] else { return nil }
        while slot != Self.none {
            if matches(slots[Int(slot)].record) { return slot }
            slot = slots[Int(slot)].next
        }
        return nil
    }

    /// The new record's slot, or nil when the table is full.
    mutating func insert(_ record: consuming Record, hash: UInt64) -> UInt32? {
        guard count < limit else { return nil }
        let next = chains[hash] ?? Self.none
        let slot: UInt32
        if let reused = free.popLast() {
            slot = reused
            slots[Int(slot)].record = record
            slots[Int(slot)].hash = hash
            slots[Int(slot)].next = next
            slots[Int(slot)].generation &+= 1
        } else {
            slot = UInt32(slots.count)
            slots.append(Slot(record: record, hash: hash, next: next, generation: 1))
        }
        chains[hash] = slot
        return slot
    }

    mutating func remove(_ slot: UInt32) {
        let hash = slots[Int(slot)].hash
        let next = slots[Int(slot)].next
        if chains[hash] == slot {
            chains[hash] = next == Self.none ? nil : next
        } else if var previous = chains[hash] {
            while slots[Int(previous)].next != slot { previous = slots[Int(previous)].next }
            slots[Int(previous)].next = next
        }
        slots[Int(slot)].record = .vacant
        slots[Int(slot)].generation &+= 1
        free.append(slot)
    }
}
