import Center
import Master
import Primitives
import Routing
import SIP
import Session
import Store

/// Masters as their shells drive them.
extension World {
    mutating func startMaster(_ index: Int) {
        masters[index].start(now: now, wall: moment(.master(index)).wall)
        note("\(masters[index].identity) starts")
        masterTick(index, masters[index].process.life)
        rearm(.master(index))
    }

    /// What the shell reads from the store once a second.
    mutating func masterTick(_ index: Int, _ life: Int) {
        guard masters[index].process.life == life, masters[index].process.isRunning else { return }
        let wall = moment(.master(index)).wall
        masters[index].setClock(wall: wall, now: now)
        let identity = masters[index].identity
        if masters[index].isRegistered {
            ask(.heartbeat(identity), for: .master(index, life: life, .heartbeat))
        } else {
            let registration = NodeRegistration(
                identity: identity, role: .master, pid: Int32(life), processStart: 1, httpAddress: "none")
            ask(.register(registration), for: .master(index, life: life, .heartbeat))
        }
        ask(.identity, for: .master(index, life: life, .identity))
        ask(.nodes, for: .master(index, life: life, .nodes))
        events.schedule(.masterTick(index, life: life), at: now + .seconds(1))
    }

    mutating func tellMaster(_ index: Int, _ event: MasterEvent) {
        guard masters[index].process.isRunning else { return }
        masters[index].handle(event, at: now)
        performMaster(index)
    }

    mutating func receiveAtMaster(_ index: Int, _ datagram: Datagram) {
        if let pong = pong(in: datagram, at: index) { return tellMaster(index, pong) }
        masters[index].receive(
            datagram.bytes, on: Flow(transport: .udp, remote: datagram.from), parser, at: now)
        performMaster(index)
    }

    /// The answer to a ping, which a real master takes from a socket of its own.
    private func pong(in datagram: Datagram, at index: Int) -> MasterEvent? {
        guard datagram.bytes.starts(with: "SIP/2.0 ".utf8), let node = Places.node(at: datagram.from)?.text,
            let message = try? parser.parse(datagram.bytes, transport: .udp), let status = message.status,
            message.cseq.method == .options, message.callID == callID(of: node, at: index)
        else { return nil }
        let notice = message.first(.tandemNode).flatMap { NodeNotice(headerValue: $0) }
        return .pong(
            node: node, token: message.cseq.number, status: status, incarnation: notice?.incarnation,
            load: message.first(.tandemLoad).flatMap { NodeLoad(headerValue: $0) })
    }

    private func callID(of node: String, at index: Int) -> String { "ping-\(node)@\(masters[index].identity)" }

    mutating func performMaster(_ index: Int) {
        for case .send(let bytes, let flow) in masters[index].effects {
            transmit(bytes, from: Places.master(index), to: flow.remote)
        }
        masters[index].effects.removeAll(keepingCapacity: true)
        while !masters[index].actions.isEmpty {
            var actions: [MasterAction] = []
            swap(&actions, &masters[index].actions)
            for action in actions { perform(action, index) }
        }
        rearm(.master(index))
    }

    private mutating func perform(_ action: MasterAction, _ index: Int) {
        let life = masters[index].process.life
        let name = Places.masterNames[index]
        switch action {
        case .sendPing(let order): ping(order, index)
        case .tableChanged:
            for access in accessNodes.indices {
                let delay = Duration.milliseconds(Int.random(in: 1...25, using: &random))
                events.schedule(.offer(master: index, access: access), at: now + delay)
            }
        case .nodeChanged(let node, _, let state, let reason): note("\(name): \(node) is \(state): \(reason)")
        case .fence(let identity, let epoch):
            note("\(name) fences \(identity)")
            ask(.fence(identity, under: term(epoch, index)), for: .master(index, life: life, .fence(identity)))
        case .askLease(let number):
            ask(
                .acquireLease(
                    name: "leader", holder: masters[index].identity,
                    duration: masters[index].core.settings.lease.length),
                for: .master(index, life: life, .lease(number)))
        case .standingChanged(let standing):
            masters[index].epoch = standing.writingEpoch
            note("\(name): \(standing)")
        case .audit(let record): note("\(name): \(record.kind.rawValue) \(record.node) \(record.detail)")
        case .recordOrder(let node, let state, let by, let epoch):
            ask(
                .administer(node: node, state, by: by, under: term(epoch, index)),
                for: .master(index, life: life, .order))
        case .refuseOrder(let node, let state, let why): note("\(name) refuses \(state) of \(node): \(why)")
        case .countSessions(let number):
            ask(.sessionOwners(limit: MasterCore.ownerLimit), for: .master(index, life: life, .count(number)))
        case .askWitnesses: askWitness(index)
        // Processes here hold no lock while they are frozen.
        case .cutPower: break
        case .takeoverBegan(let dead, let sessions):
            note("\(name): \(sessions) sessions of \(dead) are to be taken over")
        case .takeoverEnded(let dead, let outcome):
            note("\(name): \(outcome.taken) sessions of \(dead) taken in \(outcome.took), \(outcome.lost) lost")
            guard let lost = masters[index].losses.removeValue(forKey: dead), outcome.lost < lost else { break }
            broken(.callsLast, "\(name) closed \(lost) calls of \(dead) as lost and speaks of \(outcome.lost)")
        case .closeLost(let dead, let reason):
            note("\(name) closes what \(dead) left: \(reason)")
            masters[index].closings[dead] = MasterNode.Closing()
            askSessions(of: dead, index)
        }
    }

    /// The other master, where both ways to it are open, says at once what looks dead from there.
    private mutating func askWitness(_ index: Int) {
        for other in masters.indices
        where other != index && masters[other].process.isAtWork && !isCut(.master(index), .master(other))
            && !isCut(.master(other), .master(index))
        {
            for node in masters[other].core.deadByOwnView {
                tellMaster(index, .witnessed(node: node, by: Places.masterNames[other]))
            }
        }
    }

    private func term(_ epoch: UInt64, _ index: Int) -> LeaderTerm {
        LeaderTerm(lease: "leader", holder: masters[index].identity, epoch: Int64(clamping: epoch))
    }

    private mutating func ping(_ order: PingOrder, _ index: Int) {
        var order = order
        if settings.fault == .silentLeader { order.takeovers = [] }
        if let peers = order.peers { toldPeers = peers }
        let target = URI(user: order.node, host: order.to.address.description, port: order.to.port)
        let address = Places.master(index)
        let own = URI(user: Places.masterNames[index], host: address.address.description, port: address.port)
        let bytes = MessageWriter.request(
            method: .options, uri: target,
            via: Via(
                transport: .udp, host: own.host, port: own.port,
                branch: Via.magicCookie + masters[index].random.hex(20), rport: .requested),
            from: NameAddress(uri: own, parameters: [Parameter("tag", "\(masters[index].identity).0")]),
            to: NameAddress(uri: target),
            callID: callID(of: order.node, at: index), cseq: order.token & 0x7FFF_FFFF,
            headers: order.headers)
        transmit(bytes, from: address, to: order.to)
    }

    // MARK: Tables

    /// An access node's long poll at a master: it gets the newest table, again and again where the way was cut.
    mutating func offer(from master: Int, to access: Int) {
        guard masters[master].process.isRunning, let table = masters[master].core.table,
            masters[master].delivered[access] != table
        else { return }
        if accessNodes[access].process.isAtWork,
            !isCut(.master(master), .access(access)), !isCut(.access(access), .master(master))
        {
            masters[master].delivered[access] = table
            events.schedule(
                .table(table, access: access, life: accessNodes[access].process.life), at: now + .milliseconds(1))
        } else {
            let backOff = Duration.milliseconds(Int.random(in: 200...2_000, using: &random))
            events.schedule(.offer(master: master, access: access), at: now + backOff)
        }
    }

    // MARK: What the store says

    mutating func storeTold(_ index: Int, _ purpose: MasterPurpose, _ reply: StoreReply) {
        switch purpose {
        case .identity:
            if case .identity(let identity) = reply { tellMaster(index, .storeIdentified(identity.id)) }
        case .nodes:
            guard case .nodes(let rows) = reply else { return }
            let states = rows.map { ($0.registration.identity.name, StandingOrder($0.administrative)) }
            tellMaster(
                index, .administrativeStates(Dictionary(states, uniquingKeysWith: { first, _ in first })))
            let fenced = rows.filter { $0.isFenced && $0.registration.role == .center }
            if !fenced.isEmpty { tellMaster(index, .fencedInStore(fenced.map(\.registration.identity))) }
        case .lease(let number):
            if case .lease(let lease) = reply {
                tellMaster(
                    index,
                    .leaseReply(
                        number: number,
                        .held(
                            by: lease.term.holder, epoch: UInt64(clamping: lease.term.epoch),
                            remaining: lease.remaining)))
            } else {
                tellMaster(index, .leaseReply(number: number, .refused(reason: "away")))
            }
        case .fence(let identity):
            let outcome: FenceOutcome =
                switch reply {
                case .done: .fenced
                case .identity: .fenced  // What the fault says.
                case .staleLeader: .failed(reason: "another master leads")
                default: .failed(reason: "away")
                }
            tellMaster(index, .fenceSettled(identity, outcome))
        case .count(let number):
            var owners: [SessionOwner]?
            if case .sessionOwners(let found) = reply { owners = found }
            tellMaster(index, .sessionsCounted(number: number, owners))
        case .heartbeat: if reply == .done { masters[index].isRegistered = true }
        case .order: if reply != .done { note("\(Places.masterNames[index]): the order is not kept: \(reply)") }
        case .closingList, .closingClaim, .closingEnd: closing(index, purpose, reply)
        }
    }

    // MARK: What nobody took over

    /// Stands for the master's `SessionCloser`, which awaits its store: list, claim, end as `lost`, until the list is
    /// empty or nothing of it could be done.
    private mutating func askSessions(of identity: NodeIdentity, _ index: Int) {
        ask(
            .sessionsOwned(by: identity, limit: 32),
            for: .master(index, life: masters[index].process.life, .closingList(identity)))
    }

    private mutating func closing(_ index: Int, _ purpose: MasterPurpose, _ reply: StoreReply) {
        let (identity, life) = (masters[index].identity, masters[index].process.life)
        switch (purpose, reply) {
        case (.closingList(let dead), .sessionHeads(let heads)):
            guard !heads.isEmpty else { return endClosing(of: dead, index) }
            masters[index].closings[dead]?.open = heads.count
            masters[index].closings[dead]?.isComplete = true
            for head in heads {
                ask(
                    head.ownership.node == identity
                        ? .session(head.id)
                        : .claim(head.id, from: head.ownership, by: identity, ground: .fenced),
                    for: .master(index, life: life, .closingClaim(dead)))
            }
        case (.closingList(let dead), _): endClosing(of: dead, index)
        case (.closingClaim(let dead), .claimed(let session)): endAsLost(session, of: dead, index)
        case (.closingClaim(let dead), .sessions(let found)):
            if let session = found.first, session.ownership.node == identity {
                endAsLost(session, of: dead, index)
            } else {
                closed(of: dead, index)
            }
        case (.closingEnd(let dead, let isLost), .done): closed(isLost: isLost, of: dead, index)
        // Somebody else has it, or it is over.
        case (.closingClaim(let dead), .notOwner), (.closingClaim(let dead), .alreadyEnded),
            (.closingClaim(let dead), .notFound):
            closed(of: dead, index)
        case (.closingClaim(let dead), _), (.closingEnd(let dead, _), _):
            masters[index].closings[dead]?.isComplete = false
            closed(of: dead, index)
        default: break
        }
    }

    private mutating func endAsLost(_ session: StoredSession, of dead: NodeIdentity, _ index: Int) {
        let kind: EndKind = session.callerEnded == nil ? .lost : .caller
        let at = session.callerEnded ?? moment(.master(index)).wall
        let record = session.checkpoint.record.closed(kind, at: at)
        ask(
            .end(record, under: session.ownership),
            for: .master(index, life: masters[index].process.life, .closingEnd(dead, isLost: kind == .lost)))
    }

    private mutating func closed(isLost: Bool = false, of dead: NodeIdentity, _ index: Int) {
        guard var closing = masters[index].closings[dead] else { return }
        closing.open -= 1
        if isLost { closing.lost += 1 }
        masters[index].closings[dead] = closing
        guard closing.open <= 0 else { return }
        if closing.isComplete { askSessions(of: dead, index) } else { endClosing(of: dead, index) }
    }

    private mutating func endClosing(of dead: NodeIdentity, _ index: Int) {
        guard let closing = masters[index].closings.removeValue(forKey: dead) else { return }
        if closing.lost > 0 {
            masters[index].losses[dead, default: 0] += closing.lost
            note("\(Places.masterNames[index]) raises an alarm: \(closing.lost) calls of \(dead) are lost")
        }
        tellMaster(index, .closed(dead, lost: closing.lost))
    }
}
