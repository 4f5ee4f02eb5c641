import SIP
import Session

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
    private var bySession: [SessionID: CallHandle] = [:]
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
        bySession[call.session] = handle
        slots[Int(slot)].call = call
        count += 1
        return handle
    }

    /// The call of a dialog of ours. Our tags are unique in a node; the rest of the id must be the caller's all the same.
    func find(_ dialog: DialogID) -> CallHandle? {
        guard let handle = byLocalTag[dialog.localTag], slots[Int(handle.slot)].call?.dialog.id == dialog else {
            return nil
        }
        return handle
    }

    /// A copy, for who only looks.
    subscript(handle: CallHandle) -> Call? {
        guard Int(handle.slot) < slots.count, slots[Int(handle.slot)].generation == handle.generation else {
            return nil
        }
        return slots[Int(handle.slot)].call
    }

    /// The call that goes on with a session here.
    func find(_ session: SessionID) -> CallHandle? { bySession[session] }

    func owner(of handle: CallHandle) -> NodeIdentity? {
        guard Int(handle.slot) < slots.count, slots[Int(handle.slot)].generation == handle.generation else {
            return nil
        }
        return slots[Int(handle.slot)].call?.ownership.node
    }

    /// All calls, in an order that a seed replays.
    var handles: [CallHandle] { byLocalTag.values.sorted { $0.slot < $1.slot } }

    /// Takes the call out of the table without a copy. It must come back by `checkIn`.
    mutating func checkOut(_ handle: CallHandle) -> Call? {
        let slot = Int(handle.slot)
        guard slot < slots.count, slots[slot].generation == handle.generation else { return nil }
        precondition(!slots[slot].isCheckedOut, "call \(handle) is worked on twice at once")
        slots[slot].isCheckedOut = true
        return slots[slot].call.take()
    }

    mutating func checkIn(_ call: consuming Call) {
        let handle = call.handle
        let slot = Int(handle.slot)
        slots[slot].isCheckedOut = false
        guard call.isOver else {
            slots[slot].call = consume call
            return
        }
        byLocalTag[call.localTag] = nil
        if bySession[call.session] == handle { bySession[call.session] = nil }
        slots[slot].generation &+= 1
        free.append(handle.slot)
        count -= 1
    }

    /// A look at every call.
    func forEach(_ look: (Call) -> Void) {
        for slot in slots { if let call = slot.call { look(call) } }
    }

    /// A connection is closed: calls that were signalled by it have none now.
    mutating func forget(connection: UInt64) {
        for index in slots.indices where slots[index].call?.flow.connection == connection {
            slots[index].call?.flow.connection = 0
        }
    }
}
