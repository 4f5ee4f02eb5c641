import Access
import Center
import Master
import Primitives
import Routing
import SIP
import Session
import Store

/// Driving access and master.
extension World {
    // MARK: Clocks

    /// Sets a node's alarm to its next deadline.
    mutating func rearm(_ node: NodeName) {
        switch node {
        case .access: access.alarm.set(node, access.nextDeadline(), now: now, in: &events)
        case .master: master.alarm.set(node, master.core.nextDeadline(), now: now, in: &events)
        case .center(let index):
            let deadline = centers[index].core?.nextDeadline()
            centers[index].alarm.set(node, deadline, now: now, in: &events)
        }
    }

    mutating func wake(_ node: NodeName) {
        switch node {
        case .access:
            access.alarm.rang()
            access.fire(at: now)
            performAccess()
        case .master:
            master.alarm.rang()
            master.fire(at: now)
            performMaster()
        case .center(let index):
            centers[index].alarm.rang()
            let moment = moment
            centers[index].fire(at: moment)
            performCenter(index)
        }
    }

    // MARK: Access

    mutating func performAccess() {
        var actions: [AccessAction] = []
        swap(&actions, &access.actions)
        for action in actions {
            switch action {
            case .send(let bytes, let flow): transmit(bytes, from: Self.accessAddress, to: flow.remote)
            case .adopted(let table):
                note(
                    "access uses table \(table.generation): "
                        + table.centers.map { "\($0.name) \($0.state)" }.joined(separator: ", "))
            case .report(let center, let complaint):
                note("access: \(center) \(complaint.rawValue)")
                events.schedule(.complaint(center), at: now + .milliseconds(2))
            }
        }
        rearm(.access)
    }

    // MARK: Master

    mutating func tellMaster(_ event: MasterEvent) {
        master.handle(event, at: now)
        performMaster()
    }

    mutating func receiveAtMaster(_ datagram: Datagram) {
        guard let node = master.pinged[datagram.from],
            let message = try? parser.parse(datagram.bytes, transport: .udp), let status = message.status,
            message.cseq.method == .options, message.callID == "ping-\(node)@master-a"
        else { return }
        let notice = message.first(.tandemNode).flatMap { NodeNotice(headerValue: $0) }
        tellMaster(
            .pong(
                node: node, token: message.cseq.number, status: status, incarnation: notice?.incarnation,
                load: message.first(.tandemLoad).flatMap { NodeLoad(headerValue: $0) }))
    }

    mutating func performMaster() {
        while !master.actions.isEmpty {
            var actions: [MasterAction] = []
            swap(&actions, &master.actions)
            for action in actions { perform(action) }
        }
        rearm(.master)
    }

    private mutating func perform(_ action: MasterAction) {
        switch action {
        case .sendPing(let order): ping(order)
        case .tableChanged(let table):
            let delay = Duration.milliseconds(Int.random(in: 1...25, using: &random))
            events.schedule(.table(table), at: now + delay)
        case .nodeChanged(let node, _, let state, let reason): note("master: \(node) is \(state): \(reason)")
        case .fence(let identity, let epoch):
            note("master fences \(identity)")
            ask(.fence(identity, under: term(epoch)), for: .fence(identity))
        case .askLease(let number):
            ask(
                .acquireLease(name: "leader", holder: master.identity, duration: master.core.settings.lease.length),
                for: .lease(number))
        case .standingChanged(let standing):
            if case .leading(let epoch) = standing { master.epoch = epoch }
            note("master: \(standing)")
        case .audit(let record): note("master: \(record.kind.rawValue) \(record.node) \(record.detail)")
        case .recordOrder, .refuseOrder: break
        // What a dead center leaves is swept here as soon as it is fenced.
        case .countSessions, .takeoverBegan, .takeoverEnded, .closeLost: break
        }
    }

    private func term(_ epoch: UInt64) -> LeaderTerm {
        LeaderTerm(lease: "leader", holder: master.identity, epoch: Int64(clamping: epoch))
    }

    private mutating func ping(_ order: PingOrder) {
        let notice = NodeNotice(node: order.node, incarnation: order.live, fenced: order.fenced)
        let target = URI(user: order.node, host: order.to.address.description, port: order.to.port)
        let own = URI(user: "master-a", host: Self.masterAddress.address.description, port: Self.masterAddress.port)
        let bytes = MessageWriter.request(
            method: .options, uri: target,
            via: Via(
                transport: .udp, host: own.host, port: own.port, branch: Via.magicCookie + master.random.hex(20),
                rport: .requested),
            from: NameAddress(uri: own, parameters: [Parameter("tag", "master-a.1.0")]), to: NameAddress(uri: target),
            callID: "ping-\(order.node)@master-a", cseq: order.token & 0x7FFF_FFFF,
            headers: [(.tandemNode, notice.headerValue)])
        transmit(bytes, from: Self.masterAddress, to: order.to)
    }
}
