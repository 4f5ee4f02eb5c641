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
    static let accessAddress = Endpoint(.v4(0x0A00_0001), port: 5060)
    /// Phones that call when a center dies, beside those that call all the time.
    static let probes = 4
    static let masterAddress = Endpoint(.v4(0x0A00_0002), port: 5070)

    let settings: SimulationSettings
    let library: SpokenLibrary
    var now = MonotonicTime.zero
    var events = TimerQueue<WorldEvent>()
    /// Of the network and the disasters; every node has its own.
    var random: SeededRandom
    var network: Network
    var access: AccessNode
    var centers: [CenterNode]
    var master: MasterNode
    var store: StoreNode
    var phones: [Phone]
    var calls: [CallFacts] = []
    var money: MoneyWatch
    var sessions = SessionWatch()
    var trace: Trace
    var report = SimulationReport()
    var violation: Violation?
    /// When something went wrong on purpose.
    var disasters: [MonotonicTime] = []
    /// Errands and new calls end; disasters are over.
    var isClosing = false
    let parser = MessageParser()

    init(_ settings: SimulationSettings, library: SpokenLibrary) {
        self.settings = settings
        self.library = library
        var random = SeededRandom(seed: settings.seed)
        network = Network(isLossy: settings.hasLoss, using: &random)
        centers = ["center-a", "center-b"].enumerated().map { index, name in
            CenterNode(index: index, name: name, endpoint: Endpoint(.v4(0x0A00_000B + UInt32(index)), port: 5080))
        }
        access = AccessNode(
            seed: random.next(), centers: centers, attempts: settings.fault == .noFailover ? 1 : 4, now: .zero)
        master = MasterNode(centers: centers, seed: random.next())
        store = StoreNode(seed: random.next())
        money = MoneyWatch(customers: settings.phones + 4)
        phones = (0..<settings.phones + Self.probes).map {
            Phone(index: $0, access: Self.accessAddress, library: library, seed: random.next())
        }
        trace = Trace(length: settings.traceLength, printsAll: settings.tracesAll)
        self.random = random
    }

    var moment: Moment { Moment(monotonic: now, wall: Self.wallBase + (now - .zero)) }
    var storeTime: StoreTime { StoreTime(wall: moment.wall, sinceBoot: now, bootID: "simulation") }

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
        for index in centers.indices { start(index) }
        ask(.identity, for: .masterIdentity)
        rearm(.master)
        events.schedule(.sweep, at: now + .seconds(2))
        // Centers have to be known before anybody calls.
        for phone in phones.indices.prefix(settings.phones) {
            events.schedule(
                .errand(phone), at: now + .seconds(4) + .milliseconds(Int.random(in: 0...6_000, using: &random)))
        }
        if settings.hasDisasters { scheduleDisasters() }
        if settings.fault != nil { events.schedule(.disaster(.faultyTick), at: now + .seconds(15)) }
        events.schedule(.close, at: now + settings.callingTime)
    }

    private mutating func perform(_ event: WorldEvent) {
        switch event {
        case .arrives(let datagram): deliver(datagram)
        case .refusal(let at, let by): refused(at: at, by: by)
        case .wake(let node): wake(node)
        case .table(let table):
            access.handle(.table(table), at: now)
            performAccess()
        case .complaint(let center): tellMaster(.reported(node: center, by: "access-1"))
        case .storeTakes(let job): storeTakes(job)
        case .storeSays(let asker, let reply): storeSays(asker, reply)
        case .played(let center, let life, let handle, let playback): played(center, life, handle, playback)
        case .heard(let fact): heard(fact)
        case .keyPressed(let key, let from, let to): keyPressed(key, from, to)
        case .phone(let phone, let call, let timer):
            withPhone(phone) { $0.fired(timer, call: call) }
        case .errand(let phone): beginErrand(phone)
        case .heartbeat(let center, let life): heartbeat(center, life)
        case .sweep: sweep()
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
    indirect case table(RouteTable)
    case complaint(String)
    indirect case storeTakes(StoreJob)
    indirect case storeSays(StoreAsker, StoreReply)
    case played(center: Int, life: Int, CallHandle, UInt64)
    indirect case heard(MediaFact)
    case keyPressed(Character, from: Endpoint, to: Endpoint)
    case phone(Int, call: Int, PhoneTimer)
    case errand(Int)
    case heartbeat(center: Int, life: Int)
    case sweep
    case disaster(Disaster)
    case close
    case finish
}

enum NodeName: Sendable, Hashable { case access, master, center(Int) }

struct Datagram: Sendable {
    var from: Endpoint
    var to: Endpoint
    var bytes: [UInt8]
    var call: Int?
}
