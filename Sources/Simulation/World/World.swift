import Access
import Center
import Master
import Primitives
import Routing
import SIP
import Session
import Store

/// Everything that takes part, on one clock: nodes, store, callers, and what is on its way between them.
struct World {
    /// Civil time at the beginning: a Monday morning.
    static let wallBase = WallTime(milliseconds: 1_795_399_200_000)
    /// Phones that call when a center dies, beside those that call all the time.
    static let probes = 6

    let settings: SimulationSettings
    let library: SpokenLibrary
    var now = MonotonicTime.zero
    var events = TimerQueue<WorldEvent>()
    /// Of the network and the disasters; every node has its own.
    var random: SeededRandom
    var network: Network
    var cuts = Cuts()
    var accessNodes: [AccessNode]
    var centers: [CenterNode]
    var masters: [MasterNode]
    var store: StoreNode
    var phones: [Phone]
    var calls: [CallFacts] = []
    var money: MoneyWatch
    var sessions = SessionWatch()
    var trace: Trace
    var report = SimulationReport()
    var violation: Violation?
    /// What stands still now.
    var frozen: Set<NodeName> = []
    var troubles: TroubleLog
    /// Which disasters this run draws from.
    var disasterKinds: [Disaster.Kind]
    /// The next caller who confirms a transfer loses the center.
    var awaitsTransfer = false
    /// How far any node's clock was off at any time.
    var clockSpread: ClosedRange<Duration> = .zero ... .zero
    /// Who lives and takes over, as a leader told the centers last.
    var toldPeers = PeerList()
    /// The same as each dead incarnation was fenced: who had to share its calls.
    var heirsTold: [NodeIdentity: PeerList] = [:]
    /// The fault: the only master that may lead.
    var onlyLeader: String?
    /// Errands and new calls end; disasters are over.
    var isClosing = false
    let parser = MessageParser()

    init(_ settings: SimulationSettings, library: SpokenLibrary) {
        self.settings = settings
        self.library = library
        var random = SeededRandom(seed: settings.seed)
        network = Network(isLossy: settings.hasLoss, using: &random)
        centers = Places.centerNames.indices.map { CenterNode(index: $0) }
        let attempts = settings.fault == .noFailover ? 1 : 4
        accessNodes = Places.accessNames.indices.map {
            AccessNode(index: $0, seed: random.next(), attempts: attempts)
        }
        masters = Places.masterNames.indices.map { MasterNode(index: $0, seed: random.next()) }
        store = StoreNode(seed: random.next(), keepsStandby: Bool.random(using: &random))
        money = MoneyWatch(customers: settings.phones + 4)
        phones = (0..<settings.phones + Self.probes).map {
            Phone(
                index: $0, access: Places.access($0 % Places.accessNames.count), library: library, seed: random.next())
        }
        trace = Trace(length: settings.traceLength, printsAll: settings.tracesAll)
        disasterKinds = Disaster.Kind.drawn(for: settings, using: &random)
        troubles = TroubleLog()
        self.random = random
        if let limit = settings.callLimit ?? Self.narrowLimit(settings) {
            for index in centers.indices { centers[index].callLimit = limit }
        }
    }

    /// In some runs the centers have room for nearly all callers as long as all of them live, in some not even then.
    private static func narrowLimit(_ settings: SimulationSettings) -> Int? {
        // Of its own, so that the other draws are the same with and without it.
        var random = SeededRandom(seed: settings.seed &* 0x9E37_79B9_7F4A_7C15 &+ 1)
        let isNarrow = settings.mayBeNarrow && Int.random(in: 0..<4, using: &random) == 0
        guard isNarrow || settings.fault?.needsNarrowCenters == true else { return nil }
        return max(2, settings.phones * Int.random(in: 20...40, using: &random) / 100)
    }

    /// The time as a node's own clocks show it.
    func moment(_ node: NodeName) -> Moment {
        Moment(monotonic: now, wall: wall + (process(node)?.wallOffset ?? .zero))
    }

    /// Civil time by a clock that nobody steps.
    var wall: WallTime { Self.wallBase + (now - .zero) }
    var storeTime: StoreTime {
        StoreTime(wall: wall + store.wallOffset, sinceBoot: now, bootID: "simulation")
    }

    // MARK: The run

    mutating func run() -> SimulationReport {
        begin()
        while violation == nil, let deadline = events.nextDeadline(), let event = events.popDue(at: deadline) {
            now = deadline
            if case .finish = event {
                if mayFinish() { break }
            } else {
                perform(event)
            }
        }
        report.virtualTime = now - .zero
        report.traceHash = trace.hash
        report.violation = violation
        if let violation { report.trace = trace.lines(of: violation.call) }
        return report
    }

    private mutating func begin() {
        openBank()
        for index in accessNodes.indices {
            accessNodes[index].process.start(at: now)
            rearm(.access(index))
        }
        for index in centers.indices { startCenter(index) }
        for index in masters.indices { startMaster(index) }
        // Centers have to be known before anybody calls.
        for phone in phones.indices.prefix(settings.phones) {
            events.schedule(
                .errand(phone), at: now + .seconds(4) + .milliseconds(Int.random(in: 0...6_000, using: &random)))
        }
        if settings.hasDisasters { scheduleDisasters() }
        if settings.fault != nil { events.schedule(.disaster(.faultyTick), at: now + .seconds(15)) }
        events.schedule(.close, at: now + settings.callingTime)
    }

    mutating func perform(_ event: WorldEvent) {
        if !frozen.isEmpty, let node = event.node, frozen.contains(node) {
            return withProcess(node) { $0.park(event) }
        }
        switch event {
        case .arrives(let datagram): deliver(datagram)
        case .refusal(let at, let by): refused(at: at, by: by)
        case .wake(let node): wake(node)
        case .offer(let master, let access): offer(from: master, to: access)
        case .table(let table, let access, let life):
            guard accessNodes[access].process.life == life else { return }
            accessNodes[access].handle(.table(table), at: now)
            performAccess(access)
        case .complaint(let center, let access, let master):
            tellMaster(master, .reported(node: center, by: Places.accessNames[access]))
        case .storeTakes(let job): storeTakes(job)
        case .storeSays(let asker, let reply): storeSays(asker, reply)
        case .played(let center, let life, let handle, let playback): played(center, life, handle, playback)
        case .heard(let fact): heard(fact)
        case .keyPressed(let key, let from, let to): keyPressed(key, from, to)
        case .phone(let phone, let call, let timer):
            withPhone(phone) { $0.fired(timer, call: call) }
        case .errand(let phone): beginErrand(phone)
        case .heartbeat(let center, let life): heartbeat(center, life)
        case .masterTick(let master, let life): masterTick(master, life)
        case .hearingDue(let call, let serial): hearingDue(call, serial)
        case .disaster(let disaster): strike(disaster)
        case .close: close()
        case .finish: break
        }
    }

    private mutating func close() {
        isClosing = true
        heal()
        // Whoever waits for an answer waits no longer than this.
        events.schedule(.finish, at: now + Phone.limit + .seconds(5))
    }

    /// Whether everything has come to its end; what has not by then never will.
    private mutating func mayFinish() -> Bool {
        let last = MonotonicTime.zero + settings.callingTime + CenterNode.longestCall + .seconds(40)
        if now < last, !isQuiet {
            events.schedule(.finish, at: now + .seconds(5))
            return false
        }
        settleAccounts()
        return true
    }

    private var isQuiet: Bool {
        !calls.contains(where: \.isOpen) && !centers.contains { $0.core?.isIdle == false }
            && sessions.unrecorded() == nil
    }

    // MARK: Judging

    mutating func broken(_ invariant: Invariant, _ detail: String, call: Int? = nil) {
        guard violation == nil else { return }
        violation = Violation(invariant: invariant, detail: detail, at: now - .zero, call: call)
    }

    mutating func note(_ text: String, call: Int? = nil) {
        if SecretWatch.contains(Array(text.utf8)) { broken(.noSecrets, "the PIN in the trace", call: call) }
        trace.note(text, call: call, at: now)
    }
}

enum WorldEvent: Sendable {
    indirect case arrives(Datagram)
    /// ICMP at the sender: nobody listens there.
    case refusal(at: Endpoint, by: Endpoint)
    case wake(NodeName)
    /// A master has a table for an access node that may not have it.
    case offer(master: Int, access: Int)
    indirect case table(RouteTable, access: Int, life: Int)
    case complaint(String, access: Int, master: Int)
    indirect case storeTakes(StoreJob)
    indirect case storeSays(StoreAsker, StoreReply)
    case played(center: Int, life: Int, CallHandle, UInt64)
    indirect case heard(MediaFact)
    case keyPressed(Character, from: Endpoint, to: Endpoint)
    case phone(Int, call: Int, PhoneTimer)
    case errand(Int)
    case heartbeat(center: Int, life: Int)
    case masterTick(Int, life: Int)
    /// A caller should have been heard again by now.
    case hearingDue(call: Int, serial: Int)
    case disaster(Disaster)
    case close
    case finish

    /// Whose process it happens to.
    var node: NodeName? {
        switch self {
        case .arrives(let datagram): datagram.toNode
        case .refusal(let at, _): Places.node(at: at)
        case .wake(let node): node
        case .offer(let master, access: _), .masterTick(let master, life: _): .master(master)
        case .table(_, let access, life: _): .access(access)
        case .complaint(_, _, let master): .master(master)
        case .storeTakes(let job): job.node
        case .storeSays(let asker, _): asker.node
        case .played(let center, life: _, _, _), .heartbeat(let center, life: _): .center(center)
        case .keyPressed(_, _, let to): Places.node(at: to)
        case .heard, .phone, .errand, .hearingDue, .disaster, .close, .finish: nil
        }
    }
}

struct Datagram: Sendable {
    var from: Endpoint
    var to: Endpoint
    var toNode: NodeName?
    var bytes: [UInt8]
    var call: Int?
}
