/// Names one call of this node while it lasts; a handle whose call is gone names nothing.
public struct CallHandle: Hashable, Sendable {
    var slot: UInt32
    var generation: UInt32

    /// One number for threads that know nothing of calls, such as the media plane.
    public var rawValue: UInt64 { UInt64(generation) << 32 | UInt64(slot) }

    public init(rawValue: UInt64) {
        slot = UInt32(truncatingIfNeeded: rawValue)
        generation = UInt32(truncatingIfNeeded: rawValue >> 32)
    }

    init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }
}

/// The calls of a node in reused slots. A call is checked out while it is worked on, so that it is changed in place.
struct CallTable: Sendable {
    private struct Slot: Sendable {
        var generation: UInt32 = 0
        var call: Call?
        var isCheckedOut = false
    }

    private var slots: [Slot] = []
    private var free: [UInt32] = []
    private var byLocalTag: [String: CallHandle] = [:]
    private(set) var count = 0

    mutating func insert(_ make: (CallHandle) -> Call) -> CallHandle {
        let slot: UInt32
        if let reused = free.popLast() {
            slot = reused
        } else {
            slot = UInt32(slots.count)
            slots.append(Slot())
        }
        let handle = CallHandle(slot: slot, generation: slots[Int(slot)].generation)
        let call = make(handle)
        byLocalTag[call.localTag] = handle
        slots[Int(slot)].call = call
        count += 1
        return handle
    }

    /// The call of our tag; tags are unique in a node, the rest of the dialog id is the caller's to get right.
    func find(localTag: String) -> CallHandle? { byLocalTag[localTag] }

    var handles: [CallHandle] { Array(byLocalTag.values).sorted { $0.slot < $1.slot } }

    mutating func checkOut(_ handle: CallHandle) -> Call? {
        guard Int(handle.slot) < slots.count, slots[Int(handle.slot)].generation == handle.generation else { return nil }
        precondition(!slots[Int(handle.slot)].isCheckedOut, "call \(handle) is worked on twice at once")
        defer {
            slots[Int(handle.slot)].call = nil
            slots[Int(handle.slot)].isCheckedOut = true
        }
        return slots[Int(handle.slot)].call
    }

    mutating func checkIn(_ call: consuming Call) {
        let slot = Int(call.handle.slot)
        slots[slot].isCheckedOut = false
        guard !call.isOver else {
            byLocalTag[call.localTag] = nil
            slots[slot].generation &+= 1
            free.append(UInt32(slot))
            count -= 1
            return
        }
        slots[slot].call = call
    }

    /// A look without working on it.
    func peek(_ handle: CallHandle) -> Call? {
        guard Int(handle.slot) < slots.count, slots[Int(handle.slot)].generation == handle.generation else { return nil }
        return slots[Int(handle.slot)].call
    }
}
