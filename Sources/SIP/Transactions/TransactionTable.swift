/// What a `TransactionTable` keeps.
protocol TransactionRecord: Sendable {
    /// Stands in empty slots and holds no memory.
    static var vacant: Self { get }
}

/// Records in numbered slots that are used again, found by a hash of their key. The hash must be seeded and well mixed:
/// its low bits choose the bucket.
struct TransactionTable<Record: TransactionRecord>: Sendable {
    private struct Slot: Sendable {
        var record: Record
        var hash: UInt64
        /// The next slot of the same bucket.
        var next: UInt32
        /// Odd while the slot is taken.
        var generation: UInt32
    }

    private static var none: UInt32 { .max }

    private var slots: [Slot] = []
    private var free: [UInt32] = []
    /// First slot of each bucket; a power of two of them.
    private var buckets = [UInt32](repeating: .max, count: 256)
    let limit: Int

    init(limit: Int) {
        precondition(limit > 0 && limit < Int(UInt32.max), "a transaction table has at least one slot")
        self.limit = limit
    }

    var count: Int { slots.count - free.count }

    /// The record in a slot.
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
        var slot = buckets[bucket(of: hash)]
        while slot != Self.none {
            if slots[Int(slot)].hash == hash, matches(slots[Int(slot)].record) { return slot }
            slot = slots[Int(slot)].next
        }
        return nil
    }

    /// The new record's slot, or nil when the table is full.
    mutating func insert(_ record: consuming Record, hash: UInt64) -> UInt32? {
        guard count < limit else { return nil }
        if count >= buckets.count { growBuckets() }
        let bucket = bucket(of: hash)
        let slot: UInt32
        if let reused = free.popLast() {
            slot = reused
            slots[Int(slot)].record = record
            slots[Int(slot)].hash = hash
            slots[Int(slot)].next = buckets[bucket]
            slots[Int(slot)].generation &+= 1
        } else {
            slot = UInt32(slots.count)
            slots.append(Slot(record: record, hash: hash, next: buckets[bucket], generation: 1))
        }
        buckets[bucket] = slot
        return slot
    }

    mutating func remove(_ slot: UInt32) {
        let bucket = bucket(of: slots[Int(slot)].hash)
        let next = slots[Int(slot)].next
        if buckets[bucket] == slot {
            buckets[bucket] = next
        } else {
            var previous = buckets[bucket]
            while slots[Int(previous)].next != slot { previous = slots[Int(previous)].next }
            slots[Int(previous)].next = next
        }
        slots[Int(slot)].record = .vacant
        slots[Int(slot)].generation &+= 1
        free.append(slot)
    }

    private func bucket(of hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (buckets.count - 1) }

    private mutating func growBuckets() {
        buckets = [UInt32](repeating: Self.none, count: buckets.count * 2)
        for slot in slots.indices where slots[slot].generation & 1 == 1 {
            let bucket = bucket(of: slots[slot].hash)
            slots[slot].next = buckets[bucket]
            buckets[bucket] = UInt32(slot)
        }
    }
}
