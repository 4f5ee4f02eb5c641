import HTTPKit
import NetworkIO
import Primitives
import Routing
import Session
import Store
import Synchronization

/// What the HTTP side of a master works with.
struct MasterDesk: Sendable {
    let identity: NodeIdentity
    let store: any Store
    let feed: EventFeed
    let alarms: AlarmDesk
    let calls: CallWatch
    let table: Published<RouteTable?>
    let mailbox: Mailbox<MasterMail>
    /// Where the other nodes serve HTTP, by name.
    let peers: [String: Endpoint]
    /// Who may read route tables without a token, besides this machine.
    let trusted: [CIDR]
    let longPoll: Duration

    /// Nil when the loop takes no messages.
    func report() async -> MasterReport? { await mailbox.report() }

    /// Nil when the loop takes no messages, or nobody answered in time.
    func order(_ state: AdministrativeState, for node: String, by: String) async -> OrderOutcome? {
        await answer(within: .seconds(10)) { give in
            mailbox.post(.order(MasterMail.Order(node: node, state: state, by: by, answer: give)))
        }
    }
}

extension Mailbox<MasterMail> {
    func report() async -> MasterReport? {
        await answer(within: .seconds(2)) { give in post(.report(give)) }
    }
}

/// Asks another thread and waits for its answer, but not for ever: a loop that ends takes no more out of its mailbox.
///
/// - Parameter ask: hands the question over with what is to be called with the answer; false when it was not taken.
/// - Returns: nil when the question was not taken or the time is over.
func answer<Value: Sendable>(
    within limit: Duration, _ ask: (@escaping @Sendable (Value) -> Void) -> Bool
) async -> Value? {
    let pending = PendingAnswer<Value>()
    let alarm = Task {
        try? await Task.sleep(for: limit)
        pending.give(nil)
    }
    defer { alarm.cancel() }
    return await withCheckedContinuation { continuation in
        pending.wait(continuation)
        if !ask({ pending.give($0) }) { pending.give(nil) }
    }
}

/// Resumes its waiter once, whoever comes first.
private final class PendingAnswer<Value: Sendable>: Sendable {
    private let waiter = Mutex<CheckedContinuation<Value?, Never>?>(nil)

    func wait(_ continuation: CheckedContinuation<Value?, Never>) { waiter.withLock { $0 = continuation } }

    func give(_ value: Value?) {
        let waiting = waiter.withLock { waiter in
            defer { waiter = nil }
            return waiter
        }
        waiting?.resume(returning: value)
    }
}
