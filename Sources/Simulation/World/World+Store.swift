import Banking
import Center
import Master
import Menu
import Primitives
import SIP
import Session
import Store

/// Who asked the store.
enum StoreAsker: Sendable {
    case nobody
    case center(Int, life: Int, StorePurpose)
    case bank(Int, life: Int, CallHandle, OperationCall)
    case heartbeat(center: Int, life: Int, NodeIdentity)
    case masterIdentity
    case lease(UInt64)
    case fence(NodeIdentity)
    case sweepList(NodeIdentity)
    case sweepClaim(SessionID)
    case sweepOwn
    case sweepEnd(SessionID)
}

struct StoreJob: Sendable {
    var request: StoreRequest
    var asker: StoreAsker
    /// Which center's queue it came through, and that center's life.
    var center: Int?
    var life = 0
}

/// The store in memory, with the latency and the outages of one on a disk.
struct StoreNode {
    var engine: MemoryEngine
    var random: SeededRandom
    var isAway = false

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        engine = MemoryEngine(id: "simulation")
    }

    mutating func latency(_ request: StoreRequest) -> Duration {
        let work = Duration.microseconds(Int.random(in: 300...4_000, using: &random))
        return request.isDeferrable ? work + .milliseconds(Int.random(in: 0...10, using: &random)) : work
    }
}

extension StoreRequest {
    /// Gathered for some milliseconds, and kept by its node while the store is away.
    var isDeferrable: Bool {
        switch self {
        case .heartbeat, .checkpoint, .appendTimeline: true
        default: false
        }
    }
}

extension World {
    mutating func ask(_ request: StoreRequest, for asker: StoreAsker, of center: Int? = nil) {
        var job = StoreJob(request: request, asker: asker, center: center)
        var at = now + store.latency(request)
        if let center {
            // One queue a node: what was asked first is done first.
            job.life = centers[center].life
            at = max(at, centers[center].storeFreeAt)
            centers[center].storeFreeAt = at
            sessions.asked(request, of: centers[center].identity)
        }
        events.schedule(.storeTakes(job), at: at)
    }

    mutating func storeTakes(_ job: StoreJob) {
        // What a killed node had not yet handed over is gone with it.
        if let center = job.center, centers[center].life != job.life || centers[center].core == nil { return }
        guard store.isAway else { return carryOut(job) }
        if job.request.isDeferrable, let center = job.center {
            centers[center].held.append(job)
        } else {
            let trouble = StoreTrouble(.locked, "simulated outage")
            events.schedule(.storeSays(job.asker, .unavailable(trouble)), at: now + .milliseconds(20))
        }
    }

    private mutating func carryOut(_ job: StoreJob) {
        let reply = execute(job.request)
        let delay = Duration.microseconds(Int.random(in: 50...2_000, using: &store.random))
        if case .nobody = job.asker { return }
        events.schedule(.storeSays(job.asker, reply), at: now + delay)
    }

    mutating func storeReturns() {
        store.isAway = false
        for index in centers.indices {
            var held: [StoreJob] = []
            swap(&held, &centers[index].held)
            for job in held where job.life == centers[index].life { carryOut(job) }
        }
    }

    /// One request at the store, watched.
    private mutating func execute(_ request: StoreRequest) -> StoreReply {
        if let leak = SecretWatch.find(in: request) {
            broken(.noSecrets, "\(leak) in \(request.shortName)", call: sessions.call(of: request.session))
        }
        if settings.fault == .falseDone, case .bank(let bank) = request, case .transfer = bank.request.action {
            return .bank(.done)
        }
        var reply = store.engine.perform(request, at: storeTime)
        if settings.fault == .staleWrites { reply = believed(request, reply) }
        if settings.fault == .doublePost { postAgain(request, reply) }
        if let broken = sessions.carriedOut(request, reply) {
            self.broken(broken.0, broken.1, call: sessions.call(of: request.session))
        }
        if case .end(let record, let ownership) = request, reply == .done { ended(record, ownership) }
        if case .bank(let bank) = request, case .transfer = bank.request.action { watch(bank, reply) }
        return reply
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
        _ = store.engine.perform(.bank(BankRequest(bank.request)), at: storeTime)
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
        case .masterIdentity:
            if case .identity(let identity) = reply { tellMaster(.storeIdentified(identity.id)) }
        case .lease(let number):
            switch reply {
            case .lease(let lease):
                tellMaster(
                    .leaseReply(
                        number: number, .held(by: lease.term.holder, epoch: UInt64(clamping: lease.term.epoch))))
            default: tellMaster(.leaseReply(number: number, .refused(reason: "away")))
            }
        case .fence(let identity):
            if reply == .done { fenced(identity) }
            tellMaster(.fenceSettled(identity, reply == .done ? .fenced : .failed(reason: "away")))
        case .sweepList, .sweepOwn, .sweepClaim, .sweepEnd: swept(asker, reply)
        }
    }

    private func isAlive(_ index: Int, _ life: Int) -> Bool {
        centers[index].life == life && centers[index].core != nil
    }

    private mutating func fenced(_ identity: NodeIdentity) {
        for call in calls.indices where calls[call].isOpen {
            for (index, promised) in calls[call].promises where promised == identity {
                calls[call].promises[index] = nil
            }
        }
        if !master.toSweep.contains(identity) { master.toSweep.append(identity) }
        ask(.sessionsOwned(by: identity, limit: 32), for: .sweepList(identity))
    }

    // MARK: The master's sweep

    /// Stands for the master's `SessionCloser`, which awaits its store: list, claim, end as `lost`, again until
    /// nothing is left.
    mutating func sweep() {
        // What was claimed and could not be ended because the store went away.
        ask(.sessionsOwned(by: master.identity, limit: 32), for: .sweepList(master.identity))
        for identity in master.toSweep { ask(.sessionsOwned(by: identity, limit: 32), for: .sweepList(identity)) }
        events.schedule(.sweep, at: now + .seconds(2))
    }

    private mutating func swept(_ asker: StoreAsker, _ reply: StoreReply) {
        switch (asker, reply) {
        case (.sweepList, .sessionHeads(let heads)):
            for head in heads {
                if head.ownership.node == master.identity {
                    ask(.session(head.id), for: .sweepOwn)
                    continue
                }
                ask(
                    .claim(head.id, from: head.ownership, by: master.identity, ground: .fenced),
                    for: .sweepClaim(head.id))
            }
        case (.sweepClaim, .claimed(let session)): endAsLost(session)
        case (.sweepOwn, .sessions(let found)):
            for session in found where session.ownership.node == master.identity { endAsLost(session) }
        default: break
        }
    }

    private mutating func endAsLost(_ session: StoredSession) {
        let kind: EndKind = session.callerEnded == nil ? .lost : .caller
        let record = session.checkpoint.record.closed(kind, at: session.callerEnded ?? moment.wall)
        ask(.end(record, under: session.ownership), for: .sweepEnd(record.id))
    }
}
