import Access
import Center
import Primitives
import Routing
import Session

/// Processes of every role, and access.
extension World {
    // MARK: Processes

    func process(_ node: NodeName) -> Process? {
        switch node {
        case .access(let index): accessNodes[index].process
        case .center(let index): centers[index].process
        case .master(let index): masters[index].process
        case .store, .callers: nil
        }
    }

    mutating func withProcess(_ node: NodeName, _ work: (inout Process) -> Void) {
        switch node {
        case .access(let index): work(&accessNodes[index].process)
        case .center(let index): work(&centers[index].process)
        case .master(let index): work(&masters[index].process)
        case .store, .callers: break
        }
    }

    mutating func kill(_ node: NodeName, hostGone: Bool) {
        guard process(node)?.isRunning == true else { return }
        report.kills += 1
        note("\(node.text) is killed" + (hostGone ? " with its host" : ""))
        frozen.remove(node)
        let wasAtWork = process(node)?.isAtWork ?? false
        withProcess(node) { $0.end(hostGone: hostGone) }
        store.forget(node)
        switch node {
        case .center(let index): centerDied(index, wasAtWork: wasAtWork)
        case .access(let index):
            accessNodes[index].actions = []
            breakPromises(through: index)
        case .master(let index):
            masters[index].actions = []
            masters[index].effects = []
        case .store, .callers: break
        }
        rearm(node)
    }

    mutating func restart(_ node: NodeName) {
        guard process(node)?.isRunning == false else { return }
        switch node {
        case .center(let index): startCenter(index)
        case .access(let index):
            note("\(node.text) starts")
            accessNodes[index].start(
                seed: random.next(), attempts: settings.fault == .noFailover ? 1 : 4, now: now)
            for master in masters.indices {
                masters[master].delivered[index] = nil
                events.schedule(.offer(master: master, access: index), at: now + .milliseconds(30))
            }
            rearm(node)
        case .master(let index): startMaster(index)
        case .store, .callers: break
        }
    }

    mutating func freeze(_ node: NodeName) {
        guard process(node)?.isAtWork == true else { return }
        report.freezes += 1
        note("\(node.text) stands still")
        frozen.insert(node)
        let now = now
        withProcess(node) { $0.freeze(at: now) }
        switch node {
        case .center(let index):
            streamsChanged(index)
            expectTakeover(of: index)
            breakPromises(of: index)
        case .access(let index): breakPromises(through: index)
        case .master, .store, .callers: break
        }
    }

    /// The process goes on: first it learns that time has passed, then it reads what has come, as its loop does.
    mutating func thaw(_ node: NodeName) {
        guard let since = process(node)?.frozenSince else { return }
        note("\(node.text) goes on after \(now - since)")
        frozen.remove(node)
        var due: [WorldEvent] = []
        let now = now
        withProcess(node) { due = $0.thaw(at: now) }
        stoodStill(node, for: now - since)
        // More may become due for a node that stands still again meanwhile.
        for event in due where violation == nil { perform(event) }
        if case .center(let index) = node, centers[index].process.isAtWork { tellCenter(index, .caughtUp) }
    }

    private mutating func stoodStill(_ node: NodeName, for gap: Duration) {
        switch node {
        case .access(let index):
            guard gap >= .milliseconds(100) else { return }
            accessNodes[index].handle(.starved, at: now)
            performAccess(index)
        case .master(let index):
            guard gap >= .milliseconds(100) else { return }
            tellMaster(index, .starved)
        case .center(let index): centerStoodStill(index, for: gap)
        case .store, .callers: break
        }
    }

    /// What callers may rely on no longer: that center, or all that is behind that access node.
    mutating func breakPromises(of center: Int? = nil, through access: Int? = nil) {
        for call in calls.indices where calls[call].isOpen {
            if let center { calls[call].promises[center] = nil }
            if let access, phones[calls[call].phone].access == Places.access(access) { calls[call].promises = [:] }
        }
    }

    // MARK: Clocks

    /// Sets a node's alarm to its next deadline.
    mutating func rearm(_ node: NodeName) {
        switch node {
        case .access(let index):
            let deadline = accessNodes[index].process.isRunning ? accessNodes[index].nextDeadline() : nil
            accessNodes[index].alarm.set(node, deadline, now: now, in: &events)
        case .master(let index):
            let deadline = masters[index].process.isRunning ? masters[index].nextDeadline() : nil
            masters[index].alarm.set(node, deadline, now: now, in: &events)
        case .center(let index):
            let deadline = centers[index].core?.nextDeadline()
            centers[index].alarm.set(node, deadline, now: now, in: &events)
        case .store, .callers: break
        }
    }

    mutating func wake(_ node: NodeName) {
        switch node {
        case .access(let index):
            accessNodes[index].alarm.rang()
            accessNodes[index].fire(at: now)
            performAccess(index)
        case .master(let index):
            masters[index].alarm.rang()
            masters[index].fire(at: now)
            performMaster(index)
        case .center(let index):
            centers[index].alarm.rang()
            let moment = moment(node)
            centers[index].fire(at: moment)
            performCenter(index)
        case .store, .callers: break
        }
    }

    // MARK: Access

    mutating func performAccess(_ index: Int) {
        var actions: [AccessAction] = []
        swap(&actions, &accessNodes[index].actions)
        for action in actions {
            switch action {
            case .send(let bytes, let flow): transmit(bytes, from: Places.access(index), to: flow.remote)
            case .adopted(let table):
                let states = table.centers.map { "\($0.name) \($0.state)" }.joined(separator: ", ")
                guard accessNodes[index].states != states else { break }
                accessNodes[index].states = states
                note("\(Places.accessNames[index]) uses table \(table.leaderEpoch).\(table.generation): \(states)")
            case .report(let center, let complaint):
                note("\(Places.accessNames[index]): \(center) \(complaint.rawValue)")
                for master in masters.indices where !isCut(.access(index), .master(master)) {
                    events.schedule(
                        .complaint(center, access: index, master: master), at: now + .milliseconds(2))
                }
            }
        }
        rearm(.access(index))
    }
}
