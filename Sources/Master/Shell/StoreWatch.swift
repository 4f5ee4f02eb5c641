import NetworkIO
import Primitives
import Routing
import Session
import Store

/// Reads once a second what a master follows in the store: which store it is, and what operators want of the nodes.
struct StoreWatch: Sendable {
    let store: any Store
    let mailbox: Mailbox<MasterMail>
    let clock: @Sendable () -> WallTime

    func run(every interval: Duration) async {
        while !Task.isCancelled {
            await look()
            try? await Task.sleep(for: interval)
        }
    }

    func look() async {
        mailbox.post(.tick(clock()))
        if case .identity(let identity) = await store.submit(.identity), !identity.id.isEmpty {
            mailbox.post(.event(.storeIdentified(identity.id)))
        }
        guard case .nodes(let rows) = await store.submit(.nodes),
            case .administrativeChanges(let newest) = await store.submit(.standingOrders)
        else { return }
        let orders = newest.map { ($0.node, StandingOrder($0.state, by: $0.by)) }
        mailbox.post(
            .event(.administrativeStates(Dictionary(orders, uniquingKeysWith: { first, _ in first }))))
        let fenced = rows.filter { $0.isFenced && $0.registration.role == .center }.map(\.registration.identity)
        if !fenced.isEmpty { mailbox.post(.event(.fencedInStore(fenced))) }
    }
}
