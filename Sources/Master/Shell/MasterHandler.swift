import HTTPKit
import Logging
import NetworkIO
import NodeRuntime
import Primitives
import Routing
import SIP
import Session
import Store

/// Everything that a master's loop works with besides its core.
struct MasterSurroundings: Sendable {
    /// The lease that the leading master holds.
    static let leaseName = "leader"
    /// How long after the start a node may be silent before that is worth an alarm.
    static let startGrace: Duration = .seconds(5)

    var mailbox: Mailbox<MasterMail>
    var streams: StreamTransport
    var store: any Store
    /// The table that access nodes wait for; nil until this master published one.
    var table: Published<RouteTable?>
    var feed: EventFeed
    var alarms: AlarmDesk
    var metrics: MasterMetrics
    var lostSessions: LostSessions
    var takeovers: TakeoverDesk
    var witnesses: WitnessDesk
    var powerSwitch: PowerSwitch
    var log: Logger
}

/// The loop's side of a master: bytes to messages, the core's actions to sockets, the store and whoever listens.
struct MasterHandler: DatagramHandler {
    private var core: MasterCore
    private var redirects: RedirectServer
    private var pings: PingDesk
    private let around: MasterSurroundings
    private let parser = MessageParser()
    private var actions: [MasterAction] = []
    private var effects: [RedirectServer.Effect] = []
    /// The order that is being handed to the core: its actions say what becomes of it.
    private var order: MasterMail.Order?
    private let alarmsFrom: MonotonicTime
    /// Nodes that were in use since this master began: their absence is news at once.
    private var seenAlive: Set<String> = []

    init(
        core: MasterCore, redirects: RedirectServer, pings: PingDesk, around: MasterSurroundings, now: MonotonicTime
    ) {
        self.core = core
        self.redirects = redirects
        self.pings = pings
        self.around = around
        alarmsFrom = now + MasterSurroundings.startGrace
    }

    // MARK: What comes in

    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, from source: Endpoint, listener: UInt16, now: MonotonicTime,
        into outbox: inout Outbox
    ) {
        let flow = Flow(transport: .udp, remote: source, listener: listener)
        serve(on: flow, now: now, into: &outbox) { parser throws(SIPParseError) in
            try parser.parse(bytes, transport: .udp)
        }
    }

    private mutating func serve(
        on flow: Flow, now: MonotonicTime, into outbox: inout Outbox,
        parse: (MessageParser) throws(SIPParseError) -> Message
    ) {
        do throws(SIPParseError) {
            let message = try parse(parser)
            around.metrics.received(message.method)
            redirects.receive(message, on: flow, now: now, core: &core, into: &effects)
        } catch {
            redirects.refuse(error, on: flow, into: &effects)
        }
        perform(now: now, into: &outbox)
    }

    /// The answer to a ping, on the node's own socket.
    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, onSocket id: UInt32, now: MonotonicTime, into outbox: inout Outbox
    ) {
        guard let message = try? parser.parse(bytes, transport: .udp), let pong = pings.pong(message, onSocket: id)
        else { return around.metrics.rejected(.malformed) }
        around.metrics.ponged()
        core.handle(pong, now: now, into: &actions)
        perform(now: now, into: &outbox)
    }

    mutating func socketFailed(_ id: UInt32, error: Int32, now: MonotonicTime, into outbox: inout Outbox) {
        guard let refusal = pings.failed(id, error: error) else { return }
        core.handle(refusal, now: now, into: &actions)
        perform(now: now, into: &outbox)
    }

    /// A starved observer accuses nobody (TAKEOVER.md, Detection).
    mutating func ranLate(by gap: Duration, now: MonotonicTime, into outbox: inout Outbox) {
        core.handle(.starved, now: now, into: &actions)
        perform(now: now, into: &outbox)
    }

    mutating func receive(_ mail: MasterMail, now: MonotonicTime, into outbox: inout Outbox) {
        switch mail {
        case .event(let event): core.handle(event, now: now, into: &actions)
        case .stream(.message(let bytes, let flow)):
            return serve(on: flow, now: now, into: &outbox) { parser throws(SIPParseError) in
                try parser.parse(bytes, transport: flow.transport)
            }
        case .stream(.unframeable(let head, let failure, let flow)):
            redirects.refuse(parser.refusal(of: head, failure), on: flow, into: &effects)
        case .stream(.closed(let flow, _)), .stream(.connectFailed(let flow, _)):
            redirects.transportFailed(to: flow, now: now, core: &core, into: &effects)
        case .order(let order):
            self.order = order
            core.handle(.ordered(node: order.node, order.state, by: order.by), now: now, into: &actions)
        case .report(let answer):
            answer(
                MasterReport(
                    nodes: core.nodeReports(), standing: core.standing, dead: core.deadByOwnView))
        case .tick(let wall):
            core.setClock(wall: wall, now: now)
            lookAround(now: now)
        }
        perform(now: now, into: &outbox)
    }

    mutating func nextDeadline() -> MonotonicTime? {
        min(core.nextDeadline(), redirects.nextDeadline() ?? .distantFuture)
    }

    mutating func fire(now: MonotonicTime, into outbox: inout Outbox) {
        core.fire(now: now, into: &actions)
        redirects.fire(now: now, core: &core, into: &effects)
        perform(now: now, into: &outbox)
    }

    mutating func refused(
        by destination: Endpoint, error: Int32, listener: UInt16, now: MonotonicTime, into outbox: inout Outbox
    ) {
        let flow = Flow(transport: .udp, remote: destination, listener: listener)
        redirects.transportFailed(to: flow, now: now, core: &core, into: &effects)
        perform(now: now, into: &outbox)
    }

    // MARK: What is done

    private mutating func perform(now: MonotonicTime, into outbox: inout Outbox) {
        for effect in effects { perform(effect, into: &outbox) }
        effects.removeAll(keepingCapacity: true)
        var index = 0
        while index < actions.count {
            let action = actions[index]
            index += 1
            perform(action, now: now, into: &outbox)
        }
        actions.removeAll(keepingCapacity: true)
        order = nil
    }

    private func perform(_ effect: RedirectServer.Effect, into outbox: inout Outbox) {
        switch effect {
        case .send(let bytes, let flow):
            if flow.transport == .udp {
                outbox.send(bytes, to: flow.remote, listener: flow.listener)
            } else {
                around.streams.send(bytes, to: flow)
            }
            around.metrics.sent(bytes)
        case .rejected(let reason): around.metrics.rejected(reason)
        }
    }

    private mutating func perform(_ action: MasterAction, now: MonotonicTime, into outbox: inout Outbox) {
        switch action {
        case .sendPing(let ping):
            pings.send(ping, into: &outbox)
            around.metrics.pinged()
        case .tableChanged(let table): around.table.publish(table)
        case .nodeChanged(let node, _, let state, let reason):
            around.log.notice(
                "node changed", metadata: ["about": "\(node)", "state": "\(state.rawValue)", "reason": "\(reason)"])
            tell(of: node)
            // It lives: nobody wants a fence of it any more. One that must be all the same tells of itself again.
            if state.lives { around.alarms.clear(.fenceFailed, node: node) }
            lookAround(now: now)
        case .fence(let identity, let epoch): fence(identity, epoch: epoch)
        case .askWitnesses: around.witnesses.ask()
        case .cutPower(let dead): cutPower(dead)
        case .countSessions(let number): countSessions(number)
        case .takeoverBegan(let dead, let sessions): around.takeovers.began(dead, sessions: sessions)
        case .takeoverEnded(let dead, let outcome): around.takeovers.ended(dead, outcome)
        case .closeLost(let dead, let reason): around.lostSessions.close(dead, reason)
        case .askLease(let number): askLease(number)
        case .standingChanged(let standing):
            around.lostSessions.lead(term(of: standing))
            // Fences are the leader's: whoever leads now raises the alarm where one fails again.
            if case .standby = standing { around.alarms.clearAll(.fenceFailed) }
            tell(of: core.settings.identity.name)
        case .recordOrder(let node, let state, let by, let epoch): record(state, for: node, by: by, epoch: epoch)
        case .refuseOrder(_, _, let refusal): order?.answer(.refused(refusal))
        case .audit(let record): note(record)
        }
    }

    private func tell(of node: String) {
        guard around.feed.listenerCount > 0, let report = core.nodeReports().first(where: { $0.name == node }) else {
            return
        }
        around.feed.publish("node", report)
    }

    private func note(_ record: AuditRecord) {
        around.log.notice(
            "audit",
            metadata: [
                "kind": "\(record.kind.rawValue)", "about": "\(record.node)", "by": "\(record.by)",
                "detail": "\(record.detail)",
            ])
        switch record.kind {
        case .verdictHeld:
            around.alarms.raise(.verdictHeld, .major, node: record.node, record.detail, lasts: .seconds(60))
        case .fenceFailed: around.alarms.raise(.fenceFailed, .major, node: record.node, record.detail)
        case .fenced: around.alarms.clear(.fenceFailed, node: record.node)
        case .order, .leadership: break
        }
    }

    // MARK: The store

    private func term(of standing: LeaderLease.Standing) -> LeaderTerm? {
        standing.writingEpoch.map { term($0) }
    }

    private func term(_ epoch: UInt64) -> LeaderTerm {
        LeaderTerm(
            lease: MasterSurroundings.leaseName, holder: core.settings.identity, epoch: Int64(clamping: epoch))
    }

    private func askLease(_ number: UInt64) {
        let mailbox = around.mailbox
        let request = StoreRequest.acquireLease(
            name: MasterSurroundings.leaseName, holder: core.settings.identity, duration: core.settings.lease.length)
        around.store.submit(request) { reply in
            let answer: LeaderLease.Reply =
                switch reply {
                case .lease(let lease):
                    .held(
                        by: lease.term.holder, epoch: UInt64(clamping: lease.term.epoch), remaining: lease.remaining)
                case .unavailable(let trouble): .refused(reason: trouble.description)
                default: .refused(reason: "this incarnation is fenced")
                }
            mailbox.post(.event(.leaseReply(number: number, answer)))
            if case .unavailable(let trouble) = reply, trouble.kind == .locked { mailbox.post(.event(.storeLocked)) }
        }
    }

    private func cutPower(_ dead: NodeIdentity) {
        let (mailbox, powerSwitch) = (around.mailbox, around.powerSwitch)
        Task {
            switch await powerSwitch.cut(dead) {
            case .ended, .gone: mailbox.post(.event(.powerCut(dead)))
            case .elsewhere, .unknown: break
            }
        }
    }

    private func countSessions(_ number: UInt64) {
        let mailbox = around.mailbox
        around.store.submit(.sessionOwners(limit: MasterCore.ownerLimit)) { reply in
            var owners: [SessionOwner]?
            if case .sessionOwners(let found) = reply { owners = found }
            mailbox.post(.event(.sessionsCounted(number: number, owners)))
        }
    }

    private func fence(_ identity: NodeIdentity, epoch: UInt64) {
        let mailbox = around.mailbox
        around.store.submit(.fence(identity, under: term(epoch))) { reply in
            let outcome: FenceOutcome
            switch reply {
            case .done: outcome = .fenced
            case .staleLeader: outcome = .failed(reason: "another master leads")
            case .unavailable(let trouble): outcome = .failed(reason: trouble.description)
            default: outcome = .failed(reason: "the store did not do it")
            }
            mailbox.post(.event(.fenceSettled(identity, outcome)))
            if case .unavailable(let trouble) = reply, trouble.kind == .locked { mailbox.post(.event(.storeLocked)) }
        }
    }

    private func record(_ state: AdministrativeState, for node: String, by: String, epoch: UInt64) {
        let answer = order?.answer
        around.store.submit(.administer(node: node, state, by: by, under: term(epoch))) { reply in
            switch reply {
            case .done: answer?(.recorded)
            case .unavailable(let trouble): answer?(.notKept(trouble))
            default: answer?(.overtaken)
            }
        }
    }

    // MARK: What holds

    /// Alarms and metrics of what lasts.
    private mutating func lookAround(now: MonotonicTime) {
        let reports = core.nodeReports()
        let own = core.settings.identity.name
        for report in reports {
            around.metrics.node(report.name, isUp: report.state.lives)
            guard report.name != own else { continue }
            if report.state.lives { seenAlive.insert(report.name) }
            let isNew = now < alarmsFrom && !seenAlive.contains(report.name)
            around.alarms.set(
                report.state == .down && !isNew, .nodeDown, report.role == .seats ? .major : .critical,
                node: report.name, report.reason)
            let isFull = report.limit.map { limit in limit > 0 && (report.calls ?? 0) >= limit } ?? false
            around.alarms.set(
                isFull, .nodeFull, .warning, node: report.name, "at its limit of \(report.limit ?? 0) calls")
        }
        let centers = reports.filter { $0.role == .center }
        around.alarms.set(
            now >= alarmsFrom && !centers.isEmpty && !centers.contains { $0.state.takesNewCalls }, .noCenter, .critical,
            "no center takes new calls")
        let trouble = around.store.health.trouble
        around.alarms.set(trouble != nil, .storeAway, .critical, trouble?.description ?? "")
        around.alarms.expire()
    }
}
