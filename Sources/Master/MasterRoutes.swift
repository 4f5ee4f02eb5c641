import Primitives
import Routing
import Session

/// What a master tells others: route tables, redirects, the list of nodes.
extension MasterCore {
    // MARK: Tables

    private func entries(now: MonotonicTime) -> [RouteEntry] {
        watches.compactMap { watch in
            guard watch.node.role == .center else { return nil }
            let state = watch.health.state
            return RouteEntry(
                name: watch.node.name, incarnation: watch.health.incarnation, sip: watch.node.sip, state: state,
                weight: watch.node.weight, calls: watch.health.load?.calls ?? 0, limit: watch.health.load?.limit ?? 0,
                ramp: state == .ramping ? watch.health.ramp(at: now) : nil, since: wall(watch.health.since),
                reason: watch.health.reason, isLastResort: watch.isLastResort,
                fenced: watch.health.fenced.flatMap { $0 == watch.health.incarnation ? $0 : nil })
        }
    }

    /// A master that has not judged every center yet, or has heard none since it started, has no table to publish:
    /// access goes on with its last one, and finds out by itself who answers. Where all start together, no call is
    /// refused for centers that are about to answer.
    private var isJudged: Bool {
        let centers = watches.lazy.filter { $0.node.role == .center }.map(\.health)
        return table != nil
            || centers.allSatisfy(\.isJudged)
                && (centers.isEmpty || centers.contains { $0.incarnation != nil })
    }

    var isLoadWaiting: Bool {
        guard let table, standing.publishingEpoch != nil else { return false }
        return table.centers.contains { entry in
            guard let index = indexes[entry.name], let load = watches[index].health.load else { return false }
            return load.calls != entry.calls
        }
    }

    /// Renews the master's own view, and publishes when it leads: changes of routes at once, loads now and then.
    mutating func publish(now: MonotonicTime, into actions: inout [MasterAction]) {
        let entries = entries(now: now)
        renewView(entries, now: now)
        guard let storeID, let epoch = standing.publishingEpoch, isJudged else { return }
        var next = RouteTable(storeID: storeID, leaderEpoch: epoch, generation: 1, centers: entries)
        if let table {
            let isLoadDue = isLoadWaiting && now - tableAt >= settings.loadInterval
            guard isLoadDue || next.differsInRoutes(from: table) else { return }
            if table.storeID == storeID, table.leaderEpoch == epoch { next.generation = table.generation + 1 }
        }
        table = next
        tableAt = now
        actions.append(.tableChanged(next))
    }

    private mutating func renewView(_ entries: [RouteEntry], now: MonotonicTime) {
        var view = RouteTable(storeID: "view", leaderEpoch: 0, generation: viewGeneration + 1, centers: entries)
        // A redirect never goes to a center that is down, be it the last one.
        for index in view.centers.indices { view.centers[index].isLastResort = false }
        if let old = chooser.table, !view.differsInRoutes(from: old),
            view.centers.map(\.calls) == old.centers.map(\.calls)
        {
            return
        }
        viewGeneration += 1
        _ = chooser.adopt(view, now: now)
    }

    // MARK: Redirects

    /// What to answer to an INVITE for this line: live centers in policy order.
    public mutating func redirect(line: String, caller: String, now: MonotonicTime) -> Redirect {
        let targets = chooser.rank(line: line, caller: caller, now: now).compactMap { center in
            chooser.entry(center).flatMap { entry in
                entry.sip.first.map { Redirect.Target(name: entry.name, sip: $0) }
            }
        }
        guard targets.isEmpty else { return .contacts(targets) }
        return .unavailable(retryAfter_s: Int(max(1, settings.retryAfter.wholeMilliseconds / 1_000)))
    }

    // MARK: Nodes

    /// All nodes for the API, in the order of the profile, this master last unless the profile lists it.
    public func nodeReports() -> [NodeReport] {
        var reports = settings.nodes.map { node in
            guard let index = indexes[node.name] else { return ownReport }
            let health = watches[index].health
            var reason = health.reason
            if watches[index].isVerdictHeld, let verdict = watches[index].verdict {
                reason = "\(verdict); awaits a second witness"
            }
            // What a dead node said last is not known to hold any more.
            // Access nodes and masters hold no calls: their limit is one of transactions.
            let load = health.state.lives && node.role.holdsCalls ? health.load : nil
            let latency = health.state.lives ? health.latency : nil
            return NodeReport(
                name: node.name, role: node.role, state: health.state, reason: reason, since: wall(health.since),
                incarnation: health.incarnation, calls: load?.calls, limit: load?.limit,
                latency_ms: latency.map { Double($0.wholeNanoseconds / 1_000) / 1_000 })
        }
        if !reports.contains(where: { $0.name == settings.identity.name }) { reports.append(ownReport) }
        return reports
    }

    private var ownReport: NodeReport {
        let reason: String
        switch standing {
        case .leading(let epoch): reason = "leads, epoch \(epoch)"
        case .cutOff: reason = "the store is silent"
        case .standby(let leader): reason = "stands by\(leader.map { " for \($0.name)" } ?? "")"
        }
        return NodeReport(
            name: settings.identity.name, role: .master, state: .up, reason: reason, since: wall(startedAt),
            incarnation: settings.identity.incarnation)
    }

    /// The state of one node, for whoever forwards to it.
    public func state(of node: String) -> NodeState? { indexes[node].map { watches[$0].health.state } }

    /// What the operator wants of a node, for its pings.
    public func administrative(of node: String) -> AdministrativeState? {
        indexes[node].map { watches[$0].health.administrative }
    }

    /// The centers that look dead to this master, for another master that needs a witness.
    public var deadByOwnView: [String] {
        watches.filter { $0.health.isDoubted || ($0.health.isJudged && !$0.health.state.lives) }.map(\.node.name)
    }
}
