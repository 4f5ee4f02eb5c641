import HTTPKit
import NetworkIO
import Primitives
import Routing
import Session
import Store

/// What the HTTP side of a master works with.
struct MasterDesk: Sendable {
    let identity: NodeIdentity
    let store: any Store
    let feed: EventFeed
    let alarms: AlarmDesk
    let table: Published<RouteTable?>
    let mailbox: Mailbox<MasterMail>
    /// Where the other nodes serve HTTP, by name.
    let peers: [String: Endpoint]
    /// Who may read route tables without a token, besides this machine.
    let trusted: [CIDR]
    let longPoll: Duration

    /// Nil when the loop takes no messages.
    func report() async -> MasterReport? { await mailbox.report() }

    /// Nil when the loop takes no messages.
    func order(_ state: AdministrativeState, for node: String, by: String) async -> OrderOutcome? {
        await withCheckedContinuation { continuation in
            let order = MasterMail.Order(node: node, state: state, by: by) { continuation.resume(returning: $0) }
            if !mailbox.post(.order(order)) { continuation.resume(returning: nil) }
        }
    }
}

extension Mailbox<MasterMail> {
    func report() async -> MasterReport? {
        await withCheckedContinuation { continuation in
            if !post(.report({ continuation.resume(returning: $0) })) { continuation.resume(returning: nil) }
        }
    }
}
