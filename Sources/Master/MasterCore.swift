import Primitives
import Routing
import Session

/// Everything a master decides, without a clock, a socket or a store of its own.
///
/// Events come in with the time, actions go out; `nextDeadline` says when to call `fire`. Leading and standing by run
/// the same code: a standby pings and judges too, it only publishes and fences nothing, so it acts at once when it
/// becomes the leader.
public struct MasterCore: Sendable {
    struct Watch: Sendable {
        var node: WatchedNode
        var health: NodeHealth
        /// When the node looked dead or died last, for the rule about many deaths at once.
        var lastDeathAt: MonotonicTime?
        var evidence: NodeHealth.Evidence?
        var verdict: String?
        var witnessedAt: MonotonicTime?
        var isVerdictHeld = false
        /// When most other nodes were back after a verdict was held.
        var releasedAt: MonotonicTime?
        var isLastResort = false
        /// What the last verdict that stood was made of.
        var diedOf: NodeHealth.Evidence?
        /// When its process was to be ended last.
        var cutAt: MonotonicTime?
        /// When an operator's order was taken here; the store's answer may be older for a moment.
        var orderedAt: MonotonicTime?
    }

    /// A fence that is due: the incarnation is dead by verdict or by its own restart.
    struct DueFence: Sendable {
        var identity: NodeIdentity
        /// The node lives on as another incarnation, or was silent for minutes: not even the last center is spared.
        var isBeyondDoubt: Bool
        var askedAt: MonotonicTime?
        var notBefore: MonotonicTime
    }

    /// Between two questions to other witnesses.
    static let witnessing: Duration = .milliseconds(200)
    /// Before a fence that failed is asked for again.
    static let fenceRetry: Duration = .milliseconds(200)
    /// After which an asked fence without outcome counts as failed.
    static let fenceTimeout: Duration = .seconds(5)
    /// Fences that wait at once (I8).
    static let dueFenceLimit = 256
    /// How long the store may contradict an order that was just taken.
    static let orderGrace: Duration = .seconds(2)

    public let settings: MasterSettings
    var watches: [Watch]
    var indexes: [String: Int] = [:]
    var lease: LeaderLease
    var dueFences: [DueFence] = []
    var takeovers: [Takeover] = []
    /// The last question after the owners of sessions.
    var countNumber: UInt64 = 0
    var countAskedAt: MonotonicTime?
    var nextCountAt: MonotonicTime
    /// When other witnesses are asked next, while a verdict waits for one.
    var nextWitnessing = MonotonicTime.zero
    /// Centers are to be told of a takeover at once.
    var isAnnouncementDue = false
    let startedAt: MonotonicTime
    private var clock: (time: MonotonicTime, wall: WallTime)
    var storeID: String?
    var chooser: RouteChooser
    var viewGeneration: UInt64 = 0
    /// The table that was published last; nil until this master published one.
    public internal(set) var table: RouteTable?
    var tableAt = MonotonicTime.zero

    /// `wall` is the civil time at `now`, for the `since` of nodes.
    public init(_ settings: MasterSettings, now: MonotonicTime, wall: WallTime) {
        self.settings = settings
        startedAt = now
        nextCountAt = now
        clock = (now, wall)
        lease = LeaderLease(identity: settings.identity, timings: settings.lease, now: now)
        chooser = RouteChooser(plan: settings.routing)
        let others = settings.nodes.filter { $0.name != settings.identity.name }
        watches = others.enumerated().map { index, node in
            // Spread over the interval, so that the pings of many nodes do not leave in one burst.
            let share = settings.detection.interval.wholeNanoseconds / Int64(max(1, others.count)) * Int64(index)
            return Watch(
                node: node,
                health: NodeHealth(
                    timings: settings.detection, rampUp: node.role == .center ? settings.detection.rampUp : .zero,
                    now: now, firstPing: .nanoseconds(share)))
        }
        for (index, watch) in watches.enumerated() { indexes[watch.node.name] = index }
    }

    /// By how much civil time must differ to count as set: what is less is jitter, and would give every node another
    /// `since` and with it everybody a new table.
    static let clockStep: Duration = .seconds(1)

    /// Tells the civil time anew; it is taken where it was set since.
    public mutating func setClock(wall: WallTime, now: MonotonicTime) {
        let difference = wall - self.wall(now)
        if difference >= Self.clockStep || difference <= .zero - Self.clockStep { clock = (now, wall) }
    }

    func wall(_ time: MonotonicTime) -> WallTime { clock.wall + (time - clock.time) }

    public var standing: LeaderLease.Standing { lease.standing }

    // MARK: Time

    public func nextDeadline() -> MonotonicTime {
        var next = min(lease.nextDeadline, takeoverDeadline)
        for watch in watches {
            next = min(next, watch.health.nextDeadline)
            if watch.isVerdictHeld { next = min(next, nextWitnessing) }
        }
        for fence in dueFences where standing.writingEpoch != nil {
            if let asked = fence.askedAt {
                next = min(next, asked + Self.fenceTimeout)
            } else if !isHeldBack(fence) {
                next = min(next, fence.notBefore)
            }
        }
        if isLoadWaiting { next = min(next, tableAt + settings.loadInterval) }
        return next
    }

    /// Does what is due. Called late by more than the starvation limit, it accuses nobody.
    public mutating func fire(now: MonotonicTime, into actions: inout [MasterAction]) {
        if now - nextDeadline() > settings.detection.starvation { observerStarved(now: now) }
        var leaseActions: [LeaderLease.Action] = []
        lease.fire(now: now, into: &leaseActions)
        follow(leaseActions, now: now, into: &actions)
        for index in watches.indices where watches[index].health.nextDeadline <= now {
            ask(index, now: now, into: &actions) { $0.fire(now: now, into: &$1) }
        }
        settle(now: now, into: &actions)
    }

    private mutating func observerStarved(now: MonotonicTime) {
        for index in watches.indices {
            watches[index].health.observerStarved(now: now)
            watches[index].lastDeathAt = nil
        }
    }

    // MARK: Events

    public mutating func handle(_ event: MasterEvent, now: MonotonicTime, into actions: inout [MasterAction]) {
        // A lease that ended while the loop stood still must not be told of in what follows from this event.
        var ended: [LeaderLease.Action] = []
        lease.expire(now: now, into: &ended)
        follow(ended, now: now, into: &actions)
        switch event {
        case .pong(let node, let token, let status, let incarnation, let load):
            guard let index = indexes[node], status >= 200 else { return }
            let answer = NodeHealth.Answer(token: token, incarnation: incarnation, load: load)
            ask(index, now: now, into: &actions) { $0.answered(answer, now: now, into: &$1) }
        case .refused(let node):
            guard let index = indexes[node] else { return }
            ask(index, now: now, into: &actions) { $0.refused(now: now, into: &$1) }
        case .reported(let node, _):
            guard let index = indexes[node] else { return }
            watches[index].witnessedAt = now
            watches[index].health.reported(now: now)
            ask(index, now: now, into: &actions) { $0.fire(now: now, into: &$1) }
        case .witnessed(let node, _):
            guard let index = indexes[node] else { return }
            watches[index].witnessedAt = now
        case .starved: observerStarved(now: now)
        case .storeLocked: storeIsLocked(now: now, into: &actions)
        case .powerCut(let identity): powerCut(identity, now: now)
        case .storeIdentified(let id): storeID = id
        case .leaseReply(let number, let reply):
            var leaseActions: [LeaderLease.Action] = []
            lease.answered(reply, number: number, now: now, into: &leaseActions)
            follow(leaseActions, now: now, into: &actions)
        case .fenceSettled(let identity, let outcome): fenceSettled(identity, outcome, now: now, into: &actions)
        case .fencedInStore(let identities): follow(fences: identities, now: now, into: &actions)
        case .sessionsCounted(let number, let owners): counted(owners, number: number, now: now, into: &actions)
        case .closed(let identity, let lost): closed(identity, lost: lost, now: now)
        case .ordered(let node, let order, let by): take(order, for: node, by: by, now: now, into: &actions)
        case .administrativeStates(let orders): follow(orders, now: now, into: &actions)
        }
        settle(now: now, into: &actions)
    }

    /// Lets one node's machine work and turns what it says into the master's own actions.
    mutating func ask(
        _ index: Int, now: MonotonicTime, into actions: inout [MasterAction],
        _ body: (inout NodeHealth, inout [NodeHealth.Action]) -> Void
    ) {
        var said: [NodeHealth.Action] = []
        body(&watches[index].health, &said)
        let node = watches[index].node
        for action in said {
            switch action {
            case .sendPing(let token):
                guard let endpoint = node.sip.first else { continue }
                actions.append(.sendPing(ping(index, token: token, to: endpoint)))
            case .looksDead(let evidence, let reason):
                watches[index].evidence = evidence
                watches[index].verdict = reason
                watches[index].lastDeathAt = now
            case .recovered:
                clearVerdict(index)
                watches[index].lastDeathAt = nil
            case .restarted(let old, _):
                clearVerdict(index)
                watches[index].isLastResort = false
                if let identity = NodeIdentity(name: node.name, incarnation: old) {
                    addFence(identity, isBeyondDoubt: true, now: now)
                }
            case .changed(let state, let reason):
                if state.lives { revoked(index) }
                actions.append(.nodeChanged(node: node.name, role: node.role, state: state, reason: reason))
            }
        }
    }

    // MARK: Leading

    private mutating func follow(
        _ said: [LeaderLease.Action], now: MonotonicTime, into actions: inout [MasterAction]
    ) {
        for action in said {
            switch action {
            case .ask(let number): actions.append(.askLease(number: number))
            case .changed(let standing):
                let name = settings.identity.name
                let detail: String
                switch standing {
                case .leading(let epoch): detail = "leads, epoch \(epoch)"
                case .cutOff(let epoch): detail = "the store is silent; publishes under epoch \(epoch), fences nobody"
                case .standby(let leader): detail = "stands by; \(leader?.description ?? "nobody") leads"
                }
                // A fence that was asked for under another epoch has no outcome to wait for.
                for index in dueFences.indices { dueFences[index].askedAt = nil }
                leadershipChanged(now: now)
                actions.append(.standingChanged(standing))
                actions.append(.audit(AuditRecord(.leadership, node: name, by: name, detail: detail)))
            }
        }
    }

    // MARK: Orders

    private mutating func take(
        _ order: AdministrativeState, for node: String, by: String, now: MonotonicTime,
        into actions: inout [MasterAction]
    ) {
        guard let index = indexes[node] else {
            actions.append(.refuseOrder(node: node, order, .unknownNode))
            return
        }
        guard watches[index].node.role != .master else {
            actions.append(.refuseOrder(node: node, order, .servesNoCalls))
            return
        }
        guard let epoch = standing.writingEpoch else {
            var leader: NodeIdentity?
            if case .standby(let known) = standing { leader = known }
            actions.append(.refuseOrder(node: node, order, .notLeading(leader: leader)))
            return
        }
        watches[index].orderedAt = now
        actions.append(.recordOrder(node: node, order, by: by, epoch: epoch))
        actions.append(.audit(AuditRecord(.order, node: node, by: by, detail: order.rawValue)))
        let reason = "\(order.rawValue) by \(by)"
        ask(index, now: now, into: &actions) {
            $0.administer(order, reason: reason, now: now, into: &$1)
            // The node is told at once, not with its next ping.
            $0.hurry(now: now)
            $0.fire(now: now, into: &$1)
        }
    }

    private mutating func follow(
        _ orders: [String: StandingOrder], now: MonotonicTime, into actions: inout [MasterAction]
    ) {
        for index in watches.indices {
            let standing = orders[watches[index].node.name]
            let order = standing?.state ?? .enabled
            if order == watches[index].health.administrative {
                watches[index].orderedAt = nil
                continue
            }
            if let orderedAt = watches[index].orderedAt, now - orderedAt < Self.orderGrace { continue }
            let reason = "\(order.rawValue) by \(standing?.by ?? "an operator")"
            ask(index, now: now, into: &actions) { $0.administer(order, reason: reason, now: now, into: &$1) }
        }
    }

    /// What follows from all that was just learned, in the order of a takeover: publish, fence, tell the survivors.
    private mutating func settle(now: MonotonicTime, into actions: inout [MasterAction]) {
        judge(now: now, into: &actions)
        reconsiderLastResorts()
        publish(now: now, into: &actions)
        sendFences(now: now, into: &actions)
        driveTakeovers(now: now, into: &actions)
    }
}
