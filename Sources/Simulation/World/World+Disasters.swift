import Center
import Primitives
import Routing

/// What goes wrong, and when it is mended.
extension World {
    mutating func scheduleDisasters() {
        events.schedule(.disaster(.next), at: now + .milliseconds(Int.random(in: 12_000...30_000, using: &random)))
        events.schedule(.disaster(.garbage), at: now + .seconds(1))
    }

    mutating func strike(_ disaster: Disaster) {
        switch disaster {
        case .next:
            guard !isClosing else { return }
            if let kind = disasterKinds.randomElement(using: &random) { strike(kind) }
            events.schedule(
                .disaster(.next), at: now + .milliseconds(Int.random(in: 6_000...32_000, using: &random)))
        case .kill(let node, let hostGone):
            guard !isClosing, isSpared(node) else { return }
            log(node, isDeath: true)
            kill(node, hostGone: hostGone)
        case .restart(let node): restart(node)
        case .thaw(let node): thaw(node)
        case .mend(let id): mend(id)
        case .storeBack:
            guard store.isAway else { return }
            note("the store is back")
            storeReturns()
        case .answersBack: store.lostAnswers = 0
        case .enable(let index): order(.enabled, index)
        case .garbage:
            guard !isClosing else { return }
            for _ in 0..<4 { throwGarbage() }
            events.schedule(.disaster(.garbage), at: now + .milliseconds(Int.random(in: 500...4_000, using: &random)))
        case .faultyTick:
            guard !isClosing else { return }
            faultyTick()
            events.schedule(.disaster(.faultyTick), at: now + .seconds(12))
        }
    }

    private mutating func log(_ node: NodeName, isDeath: Bool = false) {
        switch node {
        case .access: troubles.add(now, .access, isDeath: isDeath)
        case .center: troubles.add(now, .center, isDeath: isDeath)
        case .master: troubles.add(now, .master, isDeath: isDeath)
        case .store: troubles.add(now, .store, isDeath: isDeath)
        case .callers: break
        }
    }

    private mutating func strike(_ kind: Disaster.Kind) {
        let center = NodeName.center(Int.random(in: centers.indices, using: &random))
        let access = NodeName.access(Int.random(in: accessNodes.indices, using: &random))
        let master = NodeName.master(Int.random(in: masters.indices, using: &random))
        switch kind {
        case .killCenter: doom(center)
        case .killTwo: doomTwo()
        case .killAtTransfer: awaitsTransfer = true
        case .freezeCenter: freezeFor(center, 450...9_000)
        case .killAccess: doom(access, down_ms: 200...5_000)
        case .killMaster: doom(master)
        case .killLeaderAndCenter: doomLeader(and: center)
        case .freezeAccess: freezeFor(access, 120...7_000)
        case .freezeMaster: freezeFor(master, 120...8_000)
        case .cutMaster: cut(ways(master, center), 300...9_000, "\(master.text) and \(center.text)")
        case .cutAccess: cut(ways(access, center), 300...9_000, "\(access.text) and \(center.text)")
        case .cutStore:
            let node = Bool.random(using: &random) ? master : center
            cut(ways(node, .store), 100...6_000, "\(node.text) and the store")
        case .isolateCenter: isolate(center, fromCallers: true)
        case .cutFromInside: isolate(center, fromCallers: false)
        case .isolateMaster: isolate(master, fromCallers: true)
        case .storeAway: takeStoreAway(50...9_000)
        case .promote: promote()
        case .loseAnswers:
            log(.store)
            store.lostAnswers = Int.random(in: 20_000...200_000, using: &random)
            note("the store's answers get lost now and then")
            events.schedule(.disaster(.answersBack), at: later(2_000...15_000))
        case .stepClock: stepClock()
        case .drain: drain(center)
        }
    }

    private mutating func later(_ range: ClosedRange<Int>) -> MonotonicTime {
        now + .milliseconds(Int.random(in: range, using: &random))
    }

    // MARK: Deaths

    /// Enough is left: another center that works and is not cut off, another master, another access node.
    func isSpared(_ node: NodeName) -> Bool {
        guard isSound(node) else { return false }
        switch node {
        case .center(let index): return centers.indices.contains { $0 != index && isSound(.center($0)) }
        case .access(let index): return accessNodes.indices.contains { $0 != index && isSound(.access($0)) }
        case .master(let index): return masters.indices.contains { $0 != index && isSound(.master($0)) }
        case .store, .callers: return false
        }
    }

    func isSound(_ node: NodeName) -> Bool {
        process(node)?.isAtWork == true && !cuts.touches(node)
    }

    /// Some call just before a center dies, so that their INVITE is there when it does, some just after.
    private mutating func doom(_ node: NodeName, down_ms: ClosedRange<Int> = 300...25_000) {
        guard isSpared(node) else { return }
        if case .center = node {
            for phone in phones.indices.dropFirst(settings.phones) {
                let range = phone.isMultiple(of: 2) ? 15...42 : 43...900
                events.schedule(.errand(phone), at: later(range))
            }
        }
        let hostGone = Bool.random(using: &random)
        events.schedule(.disaster(.kill(node, hostGone: hostGone)), at: now + .milliseconds(40))
        events.schedule(.disaster(.restart(node)), at: later(down_ms))
    }

    /// A caller presses the key that confirms a transfer: their center dies somewhere between that and the answer.
    mutating func doomConfirmed(_ call: Int) {
        guard awaitsTransfer, !isClosing else { return }
        let phone = phones[calls[call].phone]
        guard let at = phone.index(of: call), let source = phone.calls[at].remoteRTP,
            case .center(let index)? = Places.node(at: source), isSpared(.center(index))
        else { return }
        awaitsTransfer = false
        let hostGone = Bool.random(using: &random)
        let delay = Duration.microseconds(Int.random(in: 0...25_000, using: &random)) + network.media
        events.schedule(.disaster(.kill(.center(index), hostGone: hostGone)), at: now + delay)
        events.schedule(.disaster(.restart(.center(index))), at: later(4_000...20_000))
    }

    /// Two in a row: the second has just taken over, is about to, or is in the middle of it.
    private mutating func doomTwo() {
        let first = Int.random(in: centers.indices, using: &random)
        let second = (first + Int.random(in: 1..<centers.count, using: &random)) % centers.count
        guard isSpared(.center(first)), isSound(.center(second)) else { return }
        doom(.center(first), down_ms: 4_000...20_000)
        let hostGone = Bool.random(using: &random)
        events.schedule(.disaster(.kill(.center(second), hostGone: hostGone)), at: later(60...3_000))
        events.schedule(.disaster(.restart(.center(second))), at: later(5_000...20_000))
    }

    /// Both at the same moment.
    private mutating func doomLeader(and center: NodeName) {
        if let leader = masters.firstIndex(where: \.isLeading) { doom(.master(leader)) }
        doom(center)
    }

    private mutating func freezeFor(_ node: NodeName, _ range: ClosedRange<Int>) {
        guard isSpared(node) else { return }
        log(node)
        freeze(node)
        events.schedule(.disaster(.thaw(node)), at: later(range))
    }

    // MARK: Cuts

    /// Both directions, or one of them.
    private mutating func ways(_ one: NodeName, _ other: NodeName) -> [Way] {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: [Way(from: one, to: other)]
        case 1: [Way(from: other, to: one)]
        default: Way.both(one, other)
        }
    }

    private mutating func isolate(_ node: NodeName, fromCallers: Bool) {
        var others: [NodeName] = masters.indices.map { .master($0) } + [.store]
        if fromCallers { others += accessNodes.indices.map { .access($0) } + centers.indices.map { .center($0) } }
        if fromCallers, case .center = node { others.append(.callers) }
        cut(
            others.filter { $0 != node }.flatMap { Way.both(node, $0) }, 500...12_000,
            "\(node.text) and \(fromCallers ? "everybody" : "masters and store")", isolating: node)
    }

    private mutating func cut(
        _ ways: [Way], _ range: ClosedRange<Int>, _ what: String, isolating node: NodeName? = nil
    ) {
        // Enough is left also of whoever is hit by it.
        let hit = Set(ways.flatMap { [$0.from, $0.to] }).filter {
            if case .center = $0 { true } else { false }
        }
        guard hit.allSatisfy({ isSpared($0) }), ways.allSatisfy({ isSound($0.from) || isSound($0.to) }) else { return }
        report.cuts += 1
        troubles.add(now, .cut)
        let isOneWay = Set(ways).count == 1
        note("\(what) are cut off from each other" + (isOneWay ? " (\(ways[0].from.text) is not heard)" : ""))
        let id = cuts.add(ways)
        waysChanged(ways)
        if case .center(let index)? = node { expectTakeover(of: index) }
        events.schedule(.disaster(.mend(id)), at: later(range))
    }

    private mutating func mend(_ id: Int) {
        let before = centers.indices.map { cuts.blocks(.center($0), .callers) }
        guard cuts.mend(id) else { return }
        troubles.add(now, .cut)
        note("a cut is mended")
        reopened(before)
    }

    private mutating func waysChanged(_ ways: [Way]) {
        for index in centers.indices where ways.contains(where: { $0.from == .center(index) }) {
            if cuts.blocks(.center(index), .callers) { wayToCallersChanged(index) }
        }
        for call in calls.indices where calls[call].isOpen {
            let access = Places.node(at: phones[calls[call].phone].access)
            calls[call].promises = calls[call].promises.filter { promise in
                !ways.contains {
                    ($0.from == access && $0.to == .center(promise.key))
                        || ($0.to == access && $0.from == .center(promise.key))
                        || $0.from == .center(promise.key) && $0.to == .callers
                }
            }
        }
    }

    private mutating func reopened(_ wasClosed: [Bool]) {
        for index in centers.indices where wasClosed[index] && !cuts.blocks(.center(index), .callers) {
            wayToCallersChanged(index)
        }
        if !store.isAway { storeReturns() }
    }

    // MARK: The store

    private mutating func takeStoreAway(_ range: ClosedRange<Int>) {
        guard !store.isAway else { return }
        report.outages += 1
        log(.store)
        store.isAway = true
        note("the store is away")
        events.schedule(.disaster(.storeBack), at: later(range))
    }

    /// The primary dies; its standby takes its place and lacks the last writes that nobody waited for.
    private mutating func promote() {
        guard !store.isAway, store.hasStandby else { return }
        report.promotions += 1
        let lost = store.promote()
        note("the store's primary is lost, and with it \(lost) writes that nobody waited for")
        takeStoreAway(500...6_000)
    }

    private mutating func stepClock() {
        let step = Duration.milliseconds(Int.random(in: -90_000...90_000, using: &random))
        let nodes: [NodeName] =
            centers.indices.map { .center($0) } + masters.indices.map { .master($0) } + [.access(0), .store]
        guard let node = nodes.randomElement(using: &random) else { return }
        note("the clock of \(node.text) is set by \(step)")
        if node == .store {
            store.wallOffset += step
        } else {
            withProcess(node) { $0.wallOffset += step }
            let offset = process(node)?.wallOffset ?? .zero
            clockSpread = min(clockSpread.lowerBound, offset)...max(clockSpread.upperBound, offset)
        }
    }

    // MARK: Drains

    private mutating func drain(_ node: NodeName) {
        guard case .center(let index) = node, isSpared(node) else { return }
        troubles.add(now, .order)
        breakPromises(of: index)
        order(.draining, index)
        events.schedule(.disaster(.enable(index)), at: later(4_000...15_000))
    }

    private mutating func order(_ state: AdministrativeState, _ index: Int) {
        guard let leader = masters.firstIndex(where: { $0.isLeading && $0.process.isAtWork }) else { return }
        note("an operator wants \(Places.centerNames[index]) \(state.rawValue)")
        report.orders += 1
        tellMaster(leader, .ordered(node: Places.centerNames[index], state, by: "operator"))
    }

    // MARK: The end

    mutating func heal() {
        let before = centers.indices.map { cuts.blocks(.center($0), .callers) }
        cuts.mendAll()
        store.lostAnswers = 0
        if store.isAway { storeReturns() } else { reopened(before) }
        let nodes: [NodeName] =
            accessNodes.indices.map { .access($0) } + centers.indices.map { .center($0) }
            + masters.indices.map { .master($0) }
        for node in nodes {
            if frozen.contains(node) { thaw(node) }
            restart(node)
        }
        for index in centers.indices { order(.enabled, index) }
    }

    // MARK: Faults that need an occasion

    private mutating func faultyTick() {
        let index = Int.random(in: centers.indices, using: &random)
        switch settings.fault {
        case .staleWrites:
            if isSpared(.center(index)) { strike(.cutMaster, center: index) }
        case .noFailover, .noFencing, .silentLeader, .staleCheckpoint, .staleOrigin: doom(.center(index))
        case .doubleClaim: if isSpared(.center(index)) { strike(.cutMaster, center: index) }
        case .freshOperationID: awaitsTransfer = true
        case .dropCalls: if centers[index].core != nil { tellCenter(index, .endAllCalls) }
        case .idleStandby: doomLeader(and: .center(index))
        case .oneTakeover, .youngestFirst: doomTwo()
        case .unawareOwner: freezeFor(.center(index), 450...700)
        case .doublePost, .falseDone, .forgetCDR, .leakPIN, .swallowAnswers, .crossedLines, .noRetryAfter,
            .muteToGarbage, nil:
            break
        }
    }

    /// Both masters lose a center that goes on writing.
    private mutating func strike(_ kind: Disaster.Kind, center: Int) {
        let ways = masters.indices.flatMap { Way.both(.master($0), .center(center)) }
        cut(ways, 3_000...9_000, "the masters and \(Places.centerNames[center])")
    }
}
