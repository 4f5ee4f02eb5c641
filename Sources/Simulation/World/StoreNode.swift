import Banking
import Center
import Menu
import Primitives
import Session
import Store

/// Why a master asked the store.
enum MasterPurpose: Sendable {
    case identity
    case nodes
    case heartbeat
    case lease(UInt64)
    case fence(NodeIdentity)
    case order
    case count(UInt64)
    case closingList(NodeIdentity)
    case closingClaim(NodeIdentity)
    case closingEnd(NodeIdentity, isLost: Bool)
}

/// Who asked the store.
enum StoreAsker: Sendable {
    case nobody(NodeName)
    case center(Int, life: Int, StorePurpose)
    case bank(Int, life: Int, CallHandle, OperationCall)
    case heartbeat(center: Int, life: Int, NodeIdentity)
    case master(Int, life: Int, MasterPurpose)

    var node: NodeName {
        switch self {
        case .nobody(let node): node
        case .center(let index, life: _, _), .bank(let index, life: _, _, _), .heartbeat(let index, life: _, _):
            .center(index)
        case .master(let index, life: _, _): .master(index)
        }
    }
}

struct StoreJob: Sendable {
    var request: StoreRequest
    var asker: StoreAsker
    /// Whose queue it came through, and that process's life.
    var node: NodeName
    var life: Int
}

/// The store in memory, with the latency and the outages of one on other machines, and a standby that lags behind.
struct StoreNode {
    private(set) var engine: MemoryEngine
    var random: SeededRandom
    var isAway = false
    /// How far the database's wall clock is off.
    var wallOffset = Duration.zero
    /// Of a million answers: those that are lost after the commit, because the connection broke then.
    var lostAnswers = 0
    /// When requests that a node hands in are carried out, in order.
    private var freeAt: [NodeName: MonotonicTime] = [:]
    /// Checkpoints and the like that wait for the store in their node's memory.
    private var held: [NodeName: [StoreJob]] = [:]
    /// What the standby has for sure, and the asynchronous writes since, which it may not have.
    private var standby: MemoryEngine?
    private var unreplicated: [(request: StoreRequest, at: StoreTime)] = []

    init(seed: UInt64, keepsStandby: Bool) {
        random = SeededRandom(seed: seed)
        engine = MemoryEngine(id: "simulation")
        if keepsStandby { standby = engine }
    }

    var hasStandby: Bool { standby != nil }

    // MARK: Queues

    /// When a request of that node is carried out: what was asked first is done first.
    mutating func turn(of node: NodeName, _ request: StoreRequest, now: MonotonicTime) -> MonotonicTime {
        var latency = Duration.microseconds(Int.random(in: 300...4_000, using: &random))
        if request.isDeferrable { latency += .milliseconds(Int.random(in: 0...10, using: &random)) }
        let at = max(now + latency, freeAt[node] ?? .zero)
        freeAt[node] = at
        return at
    }

    mutating func hold(_ job: StoreJob) { held[job.node, default: []].append(job) }
    mutating func takeHeld(of node: NodeName) -> [StoreJob] { held.removeValue(forKey: node) ?? [] }

    /// A process is gone, and with it what it had not handed in.
    mutating func forget(_ node: NodeName) {
        held[node] = nil
        freeAt[node] = nil
    }

    // MARK: Carrying out

    mutating func perform(_ request: StoreRequest, at time: StoreTime) -> StoreReply {
        let reply = engine.perform(request, at: time)
        guard standby != nil, request.writes else { return reply }
        unreplicated.append((request, time))
        // A write that is awaited comes back only when the standby has it, and everything before it.
        if !request.isDeferrable || unreplicated.count > 5_000 { replicate(unreplicated.count) }
        return reply
    }

    /// Reads without a trace.
    mutating func look(_ request: StoreRequest, at time: StoreTime) -> StoreReply { engine.perform(request, at: time) }

    private mutating func replicate(_ count: Int) {
        for write in unreplicated.prefix(count) { _ = standby?.perform(write.request, at: write.at) }
        unreplicated.removeFirst(count)
    }

    /// The primary is lost and the standby takes its place: of the last asynchronous writes only the first few got
    /// there. How many are gone.
    mutating func promote() -> Int {
        replicate(Int.random(in: 0...unreplicated.count, using: &random))
        guard let standby else { return 0 }
        engine = standby
        defer { unreplicated = [] }
        return unreplicated.count
    }
}

extension StoreRequest {
    /// Gathered for some milliseconds, not awaited, and kept by its node while the store is away.
    var isDeferrable: Bool {
        switch self {
        case .heartbeat, .checkpoint, .appendTimeline: true
        default: false
        }
    }

    /// Kept by its node while the store is away, as `WriteQueue` does.
    var isHeld: Bool {
        switch self {
        case .open, .end: true
        default: isDeferrable
        }
    }

    var writes: Bool {
        switch self {
        case .nodes, .administrativeChanges, .standingOrders, .session, .sessionsByCallID, .sessionsOwned,
            .sessionOwners, .menu, .identity, .liveCalls, .call, .callRecords, .accounts, .transfers, .attempts, .audit,
            .bankResult:
            false
        default: true
        }
    }
}
