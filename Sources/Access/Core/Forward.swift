import Primitives
import Routing
import SIP

/// A request on its way, until its final response has gone back.
struct Forward: Sendable {
    enum Purpose: Equatable, Sendable {
        /// To a center that the policy chooses, and to the next one if that fails.
        case line
        /// To the center of its dialog.
        case dialog
        /// From a center to a caller. When the flow of a token is gone, the answer is 430.
        case caller(hasToken: Bool)

        var isToCaller: Bool { if case .caller = self { true } else { false } }
    }

    /// One attempt at one target.
    struct Branch: Sendable {
        var client: ClientTransactionID?
        /// Nil towards a caller.
        var center: CenterIndex?
        var flow: Flow
        /// It is there instead of UDP because the request is long.
        var isPromoted: Bool
        var beganAt: MonotonicTime
        /// Nothing has come back, not even 100.
        var isSilent = true
        var isOpen = true
    }

    /// Its own name; `none` while this stands in an unused place.
    var handle = ForwardHandle.none
    private(set) var request: Message
    let source: Flow
    /// Nil only in an unused place.
    private(set) var server: ServerTransactionID?
    private(set) var route: RequestRoute?
    let purpose: Purpose
    /// The new session's id, for an INVITE to a line; another one for each center that is tried.
    var session: String?
    /// The caller's flow, sealed, where it must be known again.
    private(set) var token: String?
    let beganAt: MonotonicTime
    let isInvite: Bool
    var context: ResponseContext
    var branches: [Branch] = []
    var tried = CenterSet()
    var attempts = 0
    /// The best final response so far.
    var kept: Message?
    /// The next attempt is this center once more, by UDP: it refused the connection.
    var retryByUDP: CenterIndex?
    /// The branch whose 2xx went back.
    var success: Int?
    /// What a real response said, no silence: in a dialog that is no reason to go elsewhere.
    var endedByResponse = false

    init(
        _ request: Message, from source: Flow, server: ServerTransactionID?, route: RequestRoute?, purpose: Purpose,
        session: String? = nil, token: String? = nil, firstResponse: Duration?, now: MonotonicTime
    ) {
        self.request = request
        self.source = source
        self.server = server
        self.route = route
        self.purpose = purpose
        self.session = session
        self.token = token
        beganAt = now
        isInvite = request.method == .invite
        context = ResponseContext(
            isInvite: isInvite, firstResponseTime: firstResponse, passes503: purpose.isToCaller)
    }

    /// Leaves nothing that holds memory, for an unused place.
    mutating func clear() {
        handle = .none
        request = .absent
        route = nil
        server = nil
        session = nil
        token = nil
        kept = nil
        branches = []
        context = Self.vacantContext
    }

    private static let vacantContext = ResponseContext(isInvite: false, firstResponseTime: nil)
}

/// Names one forwarded request while it lasts, and travels in its client transactions.
struct ForwardHandle: Hashable, Sendable {
    let slot: UInt32
    /// 24 bits.
    let generation: UInt32

    init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }

    /// The handle in a client transaction's context.
    init(context: UInt64) {
        slot = UInt32(truncatingIfNeeded: context >> 32)
        generation = UInt32(truncatingIfNeeded: context >> 8) & 0xFF_FFFF
    }

    /// - Parameter isInDialog: the request belongs to a dialog that was there before it.
    func context(branch: Int, isInDialog: Bool = false) -> UInt64 {
        precondition(branch < 128, "a request has at most 128 branches")
        let mark = isInDialog ? Self.dialogMark : 0
        return UInt64(slot) << 32 | UInt64(generation) << 8 | mark | UInt64(branch)
    }

    static func branch(ofContext context: UInt64) -> Int { Int(context & 127) }
    static func isInDialog(context: UInt64) -> Bool { context & dialogMark != 0 }
    private static let dialogMark: UInt64 = 128
    /// Of requests that belong to no forwarded one.
    static let none = ForwardHandle(slot: .max, generation: 0)
}

/// All forwarded requests. An answered INVITE stays as a few bytes for repetitions of its 2xx, for half a minute; what
/// it needed until then is used again at once, so that the working set is that of the calls being set up.
struct ForwardTable: Sendable {
    private struct Slot: Sendable {
        var generation: UInt32 = 0
        /// Index into `open`; `none` once answered, and while the slot is free.
        var place: UInt32
        var answered: ServerTransactionID?
        var answeredBranch = 0
    }

    private static let none = UInt32.max

    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []
    private var open: [Forward] = []
    private var freePlaces: [UInt32] = []

    /// Requests without a final response.
    var openCount: Int { open.count - freePlaces.count }

    mutating func insert(_ forward: consuming Forward) -> ForwardHandle {
        let slot: UInt32
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            slot = UInt32(slots.count)
            slots.append(Slot(place: Self.none))
        }
        let handle = ForwardHandle(slot: slot, generation: slots[Int(slot)].generation)
        forward.handle = handle
        if let place = freePlaces.popLast() {
            slots[Int(slot)].place = place
            open[Int(place)] = forward
        } else {
            slots[Int(slot)].place = UInt32(open.count)
            open.append(forward)
        }
        return handle
    }

    /// Where the request is; nil when it was answered. Places are used again: keep the handle, not the place.
    func place(_ handle: ForwardHandle) -> Int? {
        let slot = Int(handle.slot)
        guard slot < slots.count, slots[slot].generation == handle.generation, slots[slot].place != Self.none else {
            return nil
        }
        return Int(slots[slot].place)
    }

    subscript(place: Int) -> Forward {
        _read { yield open[place] }
        _modify { yield &open[place] }
    }

    /// Where repetitions of the 2xx go; nil when there is no such request.
    func answered(_ handle: ForwardHandle) -> ServerTransactionID? {
        let slot = Int(handle.slot)
        guard slot < slots.count, slots[slot].generation == handle.generation else { return nil }
        return slots[slot].answered
    }

    /// The final response has gone back.
    /// - Parameter server: where repetitions of a 2xx from that branch go, until `forget`; nil for other responses.
    mutating func close(_ handle: ForwardHandle, remembering server: ServerTransactionID?, branch: Int = 0) {
        guard let place = place(handle) else { return }
        open[place].clear()
        freePlaces.append(UInt32(place))
        slots[Int(handle.slot)].place = Self.none
        slots[Int(handle.slot)].answered = server
        slots[Int(handle.slot)].answeredBranch = branch
        if server == nil { release(handle.slot) }
    }

    /// No repetition of a response can come any more from that branch.
    mutating func forget(_ handle: ForwardHandle, branch: Int) {
        guard answered(handle) != nil, slots[Int(handle.slot)].answeredBranch == branch else { return }
        slots[Int(handle.slot)].answered = nil
        release(handle.slot)
    }

    private mutating func release(_ slot: UInt32) {
        slots[Int(slot)].generation = (slots[Int(slot)].generation &+ 1) & 0xFF_FFFF
        freeSlots.append(slot)
    }

    /// The open requests.
    var openHandles: [ForwardHandle] { open.map(\.handle).filter { $0 != .none } }
}

/// When a branch has been silent for too long. All wait the same time, so they are in order by themselves, and one
/// that was answered is passed over when its turn comes.
struct SilenceQueue: Sendable {
    struct Entry: Sendable {
        var deadline: MonotonicTime
        var forward: ForwardHandle
        var branch: Int
    }

    private var entries: [Entry] = []
    private var head = 0

    mutating func append(_ entry: Entry) {
        // Entries that were put off may be later than new ones: the queue's order is what counts.
        var entry = entry
        if let last = entries.last, head < entries.count { entry.deadline = max(entry.deadline, last.deadline) }
        entries.append(entry)
    }

    /// The first entry that still matters.
    mutating func first(where matters: (Entry) -> Bool) -> Entry? {
        while head < entries.count {
            if matters(entries[head]) { return entries[head] }
            removeFirst()
        }
        return nil
    }

    mutating func removeFirst() {
        head += 1
        guard head == entries.count || (head >= 1_024 && head * 2 >= entries.count) else { return }
        entries.removeFirst(head)
        head = 0
    }
}
