import Banking
import Center
import Menu
import Primitives
import SIP
import Session
import Store

/// What nodes ask of the store, over a network that may be cut.
extension World {
    mutating func ask(_ request: StoreRequest, for asker: StoreAsker) {
        let node = asker.node
        let job = StoreJob(request: request, asker: asker, node: node, life: process(node)?.life ?? 0)
        if case .center(let index) = node { sessions.asked(request, of: centers[index].identity) }
        events.schedule(.storeTakes(job), at: store.turn(of: node, request, now: now))
    }

    mutating func storeTakes(_ job: StoreJob) {
        // What a killed node had not yet handed over is gone with it.
        guard let process = process(job.node), process.life == job.life, process.isRunning else { return }
        if store.isAway {
            guard !job.request.isHeld else { return store.hold(job) }
            answer(job.asker, .unavailable(StoreTrouble(.locked, "simulated outage")), after: .milliseconds(20))
        } else if cuts.blocks(job.node, .store) {
            guard !job.request.isHeld else { return store.hold(job) }
            // Who asks cannot tell whether it got there; nothing says so before a time-out.
            answer(job.asker, doubtful(job.request), after: .milliseconds(500))
        } else {
            carryOut(job)
        }
    }

    private mutating func carryOut(_ job: StoreJob) {
        let reply = execute(job.request)
        let isLost = Int.random(in: 0..<1_000_000, using: &store.random) < store.lostAnswers
        if !job.request.isDeferrable, isLost || cuts.blocks(.store, job.node) {
            // The connection broke in COMMIT.
            troubles.add(now, .store)
            note("the answer to \(job.request.shortName) of \(job.node.text) is lost", call: call(of: job.request))
            return answer(job.asker, doubtful(job.request), after: .milliseconds(isLost ? 30 : 500))
        }
        answer(job.asker, reply, after: .microseconds(Int.random(in: 50...2_000, using: &store.random)))
    }

    private mutating func answer(_ asker: StoreAsker, _ reply: StoreReply, after delay: Duration) {
        if case .nobody = asker { return }
        events.schedule(.storeSays(asker, reply), at: now + delay)
    }

    /// What a client says that does not know whether its request was carried out.
    private func doubtful(_ request: StoreRequest) -> StoreReply {
        if case .bank(let bank) = request, bank.request.action.moves { return .bank(.unknown) }
        return .unavailable(StoreTrouble(.io, "the connection broke"))
    }

    private func call(of request: StoreRequest) -> Int? { sessions.call(of: request.session) }

    /// The store, or the way to it, is there again: what nodes kept is handed in.
    mutating func storeReturns() {
        store.isAway = false
        let nodes: [NodeName] = centers.indices.map { .center($0) } + masters.indices.map { .master($0) }
        for node in nodes where !cuts.blocks(node, .store) {
            for job in store.takeHeld(of: node) {
                events.schedule(.storeTakes(job), at: store.turn(of: node, job.request, now: now))
            }
        }
    }

    /// One request at the store, watched.
    private mutating func execute(_ request: StoreRequest) -> StoreReply {
        if let leak = SecretWatch.find(in: request) {
            broken(.noSecrets, "\(leak) in \(request.shortName)", call: call(of: request))
        }
        if settings.fault == .falseDone, case .bank(let bank) = request, case .transfer = bank.request.action {
            return .bank(.done)
        }
        var reply = store.perform(mistaken(request), at: storeTime)
        if settings.fault == .doubleClaim { reply = givenToAll(request, reply) }
        if settings.fault == .staleWrites { reply = believed(request, reply) }
        if settings.fault == .youngestFirst { reply = turnedRound(reply) }
        if settings.fault == .idleStandby, case .lease(let lease) = reply, onlyLeader == nil {
            onlyLeader = lease.term.holder.name
        }
        if settings.fault == .doublePost { postAgain(request, reply) }
        if let broken = sessions.carriedOut(request, reply, at: now) {
            self.broken(broken.0, broken.1, call: call(of: request))
        }
        switch (request, reply) {
        case (.end(let record, let ownership), .done): ended(record, ownership)
        case (.bank(let bank), _): if case .transfer = bank.request.action { watch(bank, reply) }
        case (.fence(let identity, _), .done):
            if heirsTold[identity] == nil { heirsTold[identity] = toldPeers }
            // Whoever is fenced cannot keep what it promised.
            for call in calls.indices where calls[call].isOpen {
                for (index, promised) in calls[call].promises where promised == identity {
                    calls[call].promises[index] = nil
                }
            }
        case (.claim(let session, let from, let by, _), .claimed): claimed(session, from: from, by: by)
        default: break
        }
        return reply
    }

    /// Faults by which the store does something else than it was asked.
    private mutating func mistaken(_ request: StoreRequest) -> StoreRequest {
        switch (settings.fault, request) {
        case (.noFencing, .fence(let identity, _)):
            // Nobody is marked dead, and whoever asks for a session gets it.
            note("fault: \(identity) is not fenced")
            return .identity
        case (.noFencing, .claim(let session, let from, let by, .fenced)):
            return .claim(session, from: from, by: by, ground: .handover)
        case (.idleStandby, .acquireLease(_, let holder, _)) where !mayLead(holder): return .identity
        case (.oneTakeover, .claim(let session, let from, let by, .fenced))
        where from.epoch > 1 && Places.centerNames.contains(by.name):
            // Nobody is the owner in that epoch.
            return .claim(session, from: Ownership(node: from.node, epoch: from.epoch + 100), by: by, ground: .fenced)
        case (.staleCheckpoint, .checkpoint(var write)):
            write.checkpoint.menu = nil
            return .checkpoint(write)
        case (.doubleClaim, .claim(let session, _, _, .fenced)): return .session(session)
        case (.freshOperationID, .bank(var bank)):
            guard case .transfer(_, let payee, let amount) = bank.request.action,
                let fresh = OperationID("fresh-\(store.random.hex(12))")
            else { return request }
            bank.request.action = .transfer(fresh, payee: payee, amountMinor: amount)
            return .bank(bank)
        default: return request
        }
    }

    /// The fault: who led first leads for ever, or nobody does.
    private func mayLead(_ holder: NodeIdentity) -> Bool { onlyLeader.map { $0 == holder.name } ?? true }

    /// The fault: the youngest calls look like the oldest.
    private func turnedRound(_ reply: StoreReply) -> StoreReply {
        guard case .sessionHeads(let heads) = reply else { return reply }
        return .sessionHeads(
            heads.map { head in
                var head = head
                head.started = WallTime(milliseconds: -head.started.milliseconds)
                return head
            })
    }

    /// The fault: whoever claims a session gets it, and nobody is told that it is taken.
    private func givenToAll(_ request: StoreRequest, _ reply: StoreReply) -> StoreReply {
        guard case .claim(_, let from, let by, .fenced) = request, case .sessions(let found) = reply,
            var session = found.first
        else { return reply }
        session.ownership = Ownership(node: by, epoch: from.epoch + 1)
        return .claimed(session)
    }

    /// The fault: whoever writes is believed to be alive and the owner.
    private func believed(_ request: StoreRequest, _ reply: StoreReply) -> StoreReply {
        switch (request, reply) {
        case (.checkpoint, .notOwner), (.heartbeat, .fenced): .done
        default: reply
        }
    }

    /// The fault: an order is carried out twice, as a store would that does not know operations by their ids.
    private mutating func postAgain(_ request: StoreRequest, _ reply: StoreReply) {
        guard case .bank(var bank) = request, reply == .bank(.done),
            case .transfer(let id, let payee, let amount) = bank.request.action,
            let again = OperationID("\(id)-again")
        else { return }
        bank.request.action = .transfer(again, payee: payee, amountMinor: amount)
        _ = store.perform(.bank(BankRequest(bank.request)), at: storeTime)
    }

    mutating func storeSays(_ asker: StoreAsker, _ reply: StoreReply) {
        switch asker {
        case .nobody: break
        case .center(let index, let life, let purpose):
            guard purpose != .nothing, isAlive(index, life) else { return }
            tellCenter(index, .stored(purpose, reply))
        case .bank(let index, let life, let handle, let call):
            guard isAlive(index, life) else { return }
            let outcome: BankOutcome =
                switch reply {
                case .bank(let outcome): outcome
                case .notOwner: .notOwner
                default: .unavailable
                }
            tellCenter(index, .bank(handle, call, outcome))
        case .heartbeat(let index, let life, let identity):
            if isAlive(index, life) { heartbeatAnswered(index, identity, reply) }
        case .master(let index, let life, let purpose):
            guard masters[index].process.life == life, masters[index].process.isRunning else { return }
            storeTold(index, purpose, reply)
        }
    }

    private func isAlive(_ index: Int, _ life: Int) -> Bool {
        centers[index].process.life == life && centers[index].core != nil
    }
}

extension LedgerRequest.Action {
    /// Asked again it would be another thing, or it matters whether it happened.
    var moves: Bool {
        switch self {
        case .transfer, .reportCard, .changePIN: true
        default: false
        }
    }
}
