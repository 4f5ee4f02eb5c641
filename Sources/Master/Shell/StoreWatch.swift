import NetworkIO
import Primitives
import Routing
import Session
import Store

/// Reads once a second what a master follows in the store: which store it is, and what operators want of the nodes.
struct StoreWatch: Sendable {
    /// Orders that are read: the newest of each node counts, and a node has few.
    static let changeLimit = 1_000

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
            case .administrativeChanges(let changes) = await store.submit(
                .administrativeChanges(limit: Self.changeLimit))
        else { return }
        mailbox.post(.event(.administrativeStates(Self.states(rows: rows, changes: changes))))
        let fenced = rows.filter { $0.isFenced && $0.registration.role == .center }.map(\.registration.identity)
        if !fenced.isEmpty { mailbox.post(.event(.fencedInStore(fenced))) }
    }

    /// The newest order of each node. Nodes that never registered have no row, and rows may be older than the changes
    /// that are read.
    static func states(
        rows: [NodeRow], changes: [AdministrativeChange]
    ) -> [String: AdministrativeState] {
        let registered = rows.map { ($0.registration.identity.name, $0.administrative) }
        let newest = Dictionary(changes.map { ($0.node, $0.state) }, uniquingKeysWith: { first, _ in first })
        return Dictionary(registered, uniquingKeysWith: { first, _ in first }).merging(newest) { _, change in change }
    }
}
