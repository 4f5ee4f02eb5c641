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
        var entries: [Entry] = []
        var head = 0

        var first: Entry? { head < entries.count ? entries[head] : nil }

        mutating func removeFirst() {
            head += 1
            guard head == entries.count || (head >= 1_024 && head * 2 >= entries.count) else { return }
            entries.removeFirst(head)
            head = 0
        }
    }

    private var lanes: [Lane] = []
    private var lastTicket: Ticket = 0
    private var latest = MonotonicTime.zero

    /// Sets a timer. A clock that went backwards is taken to stand still, so that every lane stays in order.
    mutating func schedule(
        _ timer: TransactionTimer, of slot: UInt32, after delay: Duration, now: MonotonicTime
    ) -> Ticket {
        lastTicket = lastTicket == .max ? 1 : lastTicket + 1
        latest = max(latest, now)
        let entry = Entry(deadline: latest + delay, ticket: lastTicket, slot: slot, timer: timer)
        for index in lanes.indices where lanes[index].delay == delay {
            lanes[index].entries.append(entry)
            return lastTicket
        }
        lanes.append(Lane(delay: delay, entries: [entry]))
        return lastTicket
    }

    /// The earliest timer that still counts, by deadline and then by order of setting; forgets those before it.
    mutating func first(where counts: (Entry) -> Bool) -> Entry? {
        var best: Entry?
        for index in lanes.indices {
            while let entry = lanes[index].first {
                guard counts(entry) else {
                    lanes[index].removeFirst()
                    continue
                }
                if let found = best, (found.deadline, found.ticket) < (entry.deadline, entry.ticket) { break }
                best = entry
                break
            }
        }
        return best
    }
}

/// Which timer of which kind of transaction.
enum TransactionTimer: Sendable {
    case inviteServer(InviteServerTransaction.Timer)
    case nonInviteServer(NonInviteServerTransaction.Timer)
    case inviteClient(InviteClientTransaction.Timer)
    case nonInviteClient(NonInviteClientTransaction.Timer)
}
