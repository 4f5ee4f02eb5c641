import Primitives

/// Chooses a center for each call: the newest route table, what this node itself suspects, and the policy of the line.
/// `choose` is on the hot path of the proxy: no allocation, time proportional to the number of centers.
public struct RouteChooser: Sendable {
    /// What became of a table that was offered.
    public enum Adoption: Equatable, Sendable {
        /// It is not newer than the one in use.
        case ignored
        /// It is in use now. `fallen` are the centers that it takes down (or that are gone from it, or that live on as
        /// another incarnation): requests waiting there need not wait any longer.
        case adopted(fallen: CenterSet)
    }

    struct Slot: Sendable {
        var entry: RouteEntry
        var isPresent = true
        var credit: Int64 = 0
        var sentSince = 0
        var nameHash: UInt64
        var passive = PassiveDetection()
    }

    enum Resolved: Sendable {
        case weighted, leastLoaded, hash
        case homeFirst(slot: Int?)
    }

    public let plan: RoutingPlan
    public let timings: PassiveTimings
    /// The table in use; nil until one was adopted.
    public private(set) var table: RouteTable?
    private var adoptedAt = MonotonicTime.zero
    var slots: [Slot] = []
    private var policy = Resolved.weighted
    private var lines: [String: Resolved] = [:]
    var homeCredit = 0.0

    public init(plan: RoutingPlan, timings: PassiveTimings = PassiveTimings()) {
        self.plan = plan
        self.timings = timings
    }

    // MARK: Tables

    /// Takes the table into use if it supersedes the one there is.
    public mutating func adopt(_ table: RouteTable, now: MonotonicTime) -> Adoption {
        guard table.supersedes(self.table) else { return .ignored }
        var fallen = CenterSet()
        let names = Set(table.centers.map(\.name))
        for index in slots.indices where slots[index].isPresent && !names.contains(slots[index].entry.name) {
            slots[index].isPresent = false
            fallen.insert(CenterIndex(index))
        }
        for entry in table.centers.prefix(RouteTable.centerLimit) {
            guard let index = slots.firstIndex(where: { $0.entry.name == entry.name }) else {
                insert(entry)
                continue
            }
            let old = slots[index]
            let isOther = old.entry.incarnation != nil && old.entry.incarnation != entry.incarnation
            if old.isPresent, old.entry.state.lives, !entry.state.lives || isOther { fallen.insert(CenterIndex(index)) }
            // What was suspected of one incarnation says nothing about the next.
            if entry.incarnation != old.entry.incarnation { slots[index].passive = PassiveDetection() }
            slots[index].entry = entry
            slots[index].isPresent = true
            slots[index].sentSince = 0
        }
        self.table = table
        adoptedAt = now
        policy = resolve(plan.policy)
        lines = plan.lines.mapValues { resolve($0) }
        return .adopted(fallen: fallen)
    }

    private mutating func insert(_ entry: RouteEntry) {
        let slot = Slot(entry: entry, nameHash: Rendezvous.hash(entry.name))
        if slots.count < RouteTable.centerLimit {
            slots.append(slot)
        } else if let free = slots.firstIndex(where: { !$0.isPresent }) {
            slots[free] = slot
        }
    }

    private func resolve(_ policy: RoutingPolicy) -> Resolved {
        switch policy {
        case .weighted: .weighted
        case .leastLoaded: .leastLoaded
        case .hash: .hash
        case .homeFirst(let home): .homeFirst(slot: slots.firstIndex { $0.entry.name == home })
        }
    }

    // MARK: Choosing

    /// The center for a new call, or nil when none is left: then the answer is 503 with Retry-After.
    /// Counts as sent there; tell what became of it by `noteAnswered`, `noteUnanswered` or `noteRefused`.
    public mutating func choose(
        line: String, caller: String, excluding tried: CenterSet = .none, now: MonotonicTime
    ) -> CenterIndex? {
        guard let tier = bestTier(excluding: tried, now: now) else { return nil }
        let chosen: Int
        switch lines.isEmpty ? policy : lines[line] ?? policy {
        case .weighted: chosen = pickByWeight(among: tier, now: now)
        case .leastLoaded: chosen = pickByLoad(among: tier, now: now)
        case .hash: chosen = pickByHash(Rendezvous.hash(caller), among: tier, now: now)
        case .homeFirst(let home): chosen = pickHome(home, among: tier, now: now)
        }
        slots[chosen].sentSince += 1
        slots[chosen].passive.sent(now: now)
        return CenterIndex(chosen)
    }

    /// All centers that a new call may go to, best first, for a redirect. Counts as one call to the first.
    public mutating func rank(line: String, caller: String, limit: Int = 8, now: MonotonicTime) -> [CenterIndex] {
        var order: [CenterIndex] = []
        var tried = CenterSet()
        guard let first = choose(line: line, caller: caller, now: now) else { return [] }
        order.append(first)
        tried.insert(first)
        var others = self
        while order.count < limit, let next = others.choose(line: line, caller: caller, excluding: tried, now: now) {
            order.append(next)
            tried.insert(next)
        }
        return order
    }

    /// The live center for a request whose dialog's own center is gone: the same one for each request of a Call-ID.
    public func center(hashing callID: String, now: MonotonicTime) -> CenterIndex? {
        guard let tier = bestTier(excluding: .none, now: now) ?? livingTier() else { return nil }
        return CenterIndex(pickByHash(Rendezvous.hash(callID), among: tier, now: now))
    }

    /// The best of what is left: centers with a weight that are trusted or due for a probe; then spares; then suspected
    /// ones; then the last resort. Nil when all are empty.
    private func bestTier(excluding tried: CenterSet, now: MonotonicTime) -> UInt64? {
        var usable: UInt64 = 0
        var spare: UInt64 = 0
        var suspected: UInt64 = 0
        var lastResort: UInt64 = 0
        for index in slots.indices {
            let bit: UInt64 = 1 << UInt64(index)
            guard slots[index].isPresent, tried.bits & bit == 0 else { continue }
            let state = slots[index].entry.state
            guard state.takesNewCalls else {
                if state == .down, slots[index].entry.isLastResort, !slots[index].passive.isSuspected {
                    lastResort |= bit
                }
                continue
            }
            if slots[index].passive.standing(at: now, timings) == .suspected {
                suspected |= bit
            } else if slots[index].entry.weight > 0 {
                usable |= bit
            } else {
                spare |= bit
            }
        }
        if usable != 0 { return usable }
        if spare != 0 { return spare }
        if suspected != 0 { return suspected }
        return lastResort != 0 ? lastResort : nil
    }

    private func livingTier() -> UInt64? {
        var living: UInt64 = 0
        for index in slots.indices where slots[index].isPresent && slots[index].entry.state.lives {
            living |= 1 << UInt64(index)
        }
        return living != 0 ? living : nil
    }

    /// Part of a center's weight that counts now: its ramp-up as the master sees it and as this node does.
    func share(_ index: Int, now: MonotonicTime) -> Double {
        var share = 1.0
        if slots[index].entry.state == .ramping, let ramp = slots[index].entry.ramp {
            share = ramp.share(after: now - adoptedAt)
        }
        if slots[index].passive.rampStart != nil { share = min(share, slots[index].passive.share(at: now, timings)) }
        return share
    }

    // MARK: What became of calls

    /// The center answered (any response, even a refusal of the call, but not one that says it is broken).
    public mutating func noteAnswered(_ center: CenterIndex, now: MonotonicTime) {
        guard slots.indices.contains(Int(center.slot)) else { return }
        slots[Int(center.slot)].passive.answered(now: now)
    }

    /// No response came in time. True when the center is suspected from now on: report it to the masters.
    public mutating func noteUnanswered(_ center: CenterIndex, now: MonotonicTime) -> Bool {
        guard slots.indices.contains(Int(center.slot)) else { return false }
        return slots[Int(center.slot)].passive.failed(isRefusal: false, now: now, timings)
    }

    /// ICMP, or a TCP connection that was refused. True when the center is suspected from now on.
    public mutating func noteRefused(_ center: CenterIndex, now: MonotonicTime) -> Bool {
        guard slots.indices.contains(Int(center.slot)) else { return false }
        return slots[Int(center.slot)].passive.failed(isRefusal: true, now: now, timings)
    }

    // MARK: Looking up

    public func entry(_ center: CenterIndex) -> RouteEntry? {
        guard slots.indices.contains(Int(center.slot)) else { return nil }
        return slots[Int(center.slot)].entry
    }

    public func isSuspected(_ center: CenterIndex) -> Bool {
        slots.indices.contains(Int(center.slot)) && slots[Int(center.slot)].passive.isSuspected
    }

    /// Whether requests inside dialogs may go there: present and not down, whatever its administrative state.
    public func isLive(_ center: CenterIndex) -> Bool {
        guard slots.indices.contains(Int(center.slot)) else { return false }
        let slot = slots[Int(center.slot)]
        return slot.isPresent && slot.entry.state.lives
    }

    /// The center by the name and incarnation in a tag, if exactly that incarnation lives. A table that does not know
    /// incarnations yet (from a profile) trusts the name.
    public func liveCenter(named name: some StringProtocol, incarnation: some StringProtocol) -> CenterIndex? {
        for index in slots.indices where slots[index].entry.name == name {
            guard slots[index].isPresent, slots[index].entry.state.lives else { return nil }
            if let known = slots[index].entry.incarnation, known != incarnation { return nil }
            return CenterIndex(index)
        }
        return nil
    }

    /// The live center that takes SIP at this endpoint.
    public func liveCenter(at endpoint: Endpoint) -> CenterIndex? {
        for index in slots.indices where slots[index].isPresent && slots[index].entry.state.lives {
            if slots[index].entry.sip.contains(endpoint) { return CenterIndex(index) }
        }
        return nil
    }

    /// The center, dead or alive, that takes SIP at this endpoint.
    public func center(at endpoint: Endpoint) -> CenterIndex? {
        for index in slots.indices where slots[index].isPresent && slots[index].entry.sip.contains(endpoint) {
            return CenterIndex(index)
        }
        return nil
    }

    /// Whether any center takes new calls, suspected or not.
    public var hasRoute: Bool { slots.contains { $0.isPresent && $0.entry.state.takesNewCalls } }
}
