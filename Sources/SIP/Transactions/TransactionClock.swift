import Primitives

/// The timers of a transaction layer. Its delays are a dozen fixed ones, so each has a queue of its own that is in order
/// by itself: setting and firing a timer cost O(1), and cancelling nothing at all, because a timer counts only while
/// its transaction still has its ticket.
struct TransactionClock: Sendable {
    /// Names one setting of one timer; 0 is none.
    typealias Ticket = UInt32

    struct Entry: Sendable {
        var deadline: MonotonicTime
        var ticket: Ticket
        var slot: UInt32
        var timer: TransactionTimer
    }

    /// All timers of one delay, the earliest at `head`.
    private struct Lane: Sendable {
        let delay: Duration
        let delay_ns: Int64
        /// How late its timers may be called for.
        let patience_ns: Int64
        var entries: [Entry] = []
        var head = 0

        init(delay: Duration) {
            self.delay = delay
            delay_ns = delay.wholeNanoseconds
            patience_ns = delay >= TransactionClock.longDelay ? TransactionClock.patience_ns : 0
        }

        var first: Entry? { head < entries.count ? entries[head] : nil }

        mutating func removeFirst() {
            head += 1
            guard head == entries.count || (head >= 1_024 && head * 2 >= entries.count) else { return }
            entries.removeFirst(head)
            head = 0
        }
    }

    /// From this delay on a timer ends something, or notes that nothing came; shorter ones repeat messages.
    private static var longDelay: Duration { .seconds(5) }
    private static var patience_ns: Int64 { 100_000_000 }

    private var lanes: [Lane] = []
    private var lastTicket: Ticket = 0
    private var latest = MonotonicTime.zero

    /// Sets a timer. A clock that went backwards is taken to stand still, so that every lane stays in order.
    mutating func schedule(
        _ timer: TransactionTimer, of slot: UInt32, after delay: Duration, now: MonotonicTime
    ) -> Ticket {
        lastTicket = lastTicket == .max ? 1 : lastTicket + 1
        latest = max(latest, now)
        let lane: Int
        if let known = lanes.firstIndex(where: { $0.delay == delay }) {
            lane = known
        } else {
            lane = lanes.count
            lanes.append(Lane(delay: delay))
        }
        let (sum, overflow) = latest.nanoseconds.addingReportingOverflow(lanes[lane].delay_ns)
        let deadline = overflow ? MonotonicTime.distantFuture : MonotonicTime(nanoseconds: sum)
        lanes[lane].entries.append(Entry(deadline: deadline, ticket: lastTicket, slot: slot, timer: timer))
        return lastTicket
    }

    /// The earliest timer that still counts, by deadline and then by order of setting; forgets those before it.
    mutating func first(where counts: (Entry) -> Bool) -> Entry? {
        var best: Entry?
        for index in lanes.indices {
            guard let entry = firstEntry(of: index, where: counts) else { continue }
            if let found = best, (found.deadline, found.ticket) < (entry.deadline, entry.ticket) { continue }
            best = entry
        }
        return best
    }

    /// When the earliest timer has to be called for. Every call leaves four timers that only end what lingers; waking
    /// up for each of them would cost as much as a message, so that those wait for each other for a tenth of a second.
    mutating func wakeUp(where counts: (Entry) -> Bool) -> MonotonicTime? {
        var earliest: MonotonicTime?
        for index in lanes.indices {
            guard let entry = firstEntry(of: index, where: counts) else { continue }
            let (sum, overflow) = entry.deadline.nanoseconds.addingReportingOverflow(lanes[index].patience_ns)
            let time = overflow ? MonotonicTime.distantFuture : MonotonicTime(nanoseconds: sum)
            earliest = earliest.map { min($0, time) } ?? time
        }
        return earliest
    }

    private mutating func firstEntry(of lane: Int, where counts: (Entry) -> Bool) -> Entry? {
        while let entry = lanes[lane].first {
            if counts(entry) { return entry }
            lanes[lane].removeFirst()
        }
        return nil
    }
}

/// Which timer of which kind of transaction.
enum TransactionTimer: Sendable {
    case inviteServer(InviteServerTransaction.Timer)
    case nonInviteServer(NonInviteServerTransaction.Timer)
    case inviteClient(InviteClientTransaction.Timer)
    case nonInviteClient(NonInviteClientTransaction.Timer)
}
