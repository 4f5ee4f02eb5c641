import Banking
import Primitives
import Session

/// What each request means, over any tables.
package struct RequestRunner<Tables: StoreTables> {
    package var ledger: Ledger

    package init(ledger: Ledger) { self.ledger = ledger }

    package func run(_ request: StoreRequest, at now: StoreTime, on tables: inout Tables) throws -> StoreReply {
        switch request {
        case .register, .heartbeat, .fence, .nodes, .administer, .administrativeChanges, .standingOrders, .acquireLease,
            .releaseLease:
            return try runNodes(request, at: now, on: &tables)
        case .open, .checkpoint, .end, .claim, .markCallerEnded, .session, .sessionsByCallID, .sessionsOwned,
            .sessionOwners, .appendTimeline:
            return try runSessions(request, at: now, on: &tables)
        case .bank, .bankResult, .seed, .setAccountStatus, .bindPINKey, .accounts, .transfers, .attempts, .audit:
            return try runBank(request, at: now, on: &tables)
        case .putMenu, .menu, .identity, .liveCalls, .call, .callRecords, .prune:
            return try runRest(request, at: now, on: &tables)
        }
    }

    /// Most rows that one query answers.
    static var rowLimit: Int { 100_000 }

    static func bounded(_ limit: Int) -> Int { min(max(0, limit), rowLimit) }

    // MARK: Nodes

    private func runNodes(_ request: StoreRequest, at now: StoreTime, on tables: inout Tables) throws -> StoreReply {
        switch request {
        case .register(let registration):
            if try tables.isFenced(registration.identity) { return .fenced }
            // A restarted node is another node: what its earlier life still writes must not count.
            if let earlier = try tables.node(named: registration.identity.name),
                earlier.registration.identity != registration.identity
            {
                try tables.fence(earlier.registration.identity, at: earlier.lastHeartbeat)
            }
            try tables.put(
                StoredNode(
                    registration: registration,
                    registered: try firstSeen(registration, on: &tables) ?? now.wall, lastHeartbeat: now.wall))
            return .done
        case .heartbeat(let identity):
            if try tables.isFenced(identity) { return .fenced }
            return try tables.setHeartbeat(of: identity, at: now.wall) ? .done : .notFound
        case .fence(let identity, let term):
            guard try holds(term, on: &tables) else { return .staleLeader }
            if try !tables.isFenced(identity) {
                try tables.fence(identity, at: try lastHeartbeat(of: identity, on: &tables) ?? now.wall)
            }
            return .done
        case .nodes:
            let states = try tables.administrativeStates()
            return .nodes(
                try tables.allNodes().map { node in
                    NodeRow(
                        registration: node.registration, registered: node.registered,
                        lastHeartbeat: node.lastHeartbeat, isFenced: try tables.isFenced(node.registration.identity),
                        administrative: states[node.registration.identity.name] ?? .enabled)
                })
        case .administer(let node, let state, let by, let term):
            guard try holds(term, on: &tables) else { return .staleLeader }
            try tables.insert(AdministrativeChange(at: now.wall, node: node, state: state, by: by))
            return .done
        case .administrativeChanges(let limit):
            return .administrativeChanges(try tables.administrativeChanges(limit: Self.bounded(limit)))
        case .standingOrders:
            return .administrativeChanges(try tables.standingOrders())
        case .acquireLease(let name, let holder, let duration):
            return try acquire(name, holder, duration, at: now, on: &tables)
        case .releaseLease(let term):
            if var lease = try tables.lease(named: term.lease), lease.term == term {
                // The row stays: its epoch must go on growing.
                lease.expires = .zero
                try tables.put(lease)
            }
            return .done
        default: preconditionFailure("not a request about nodes: \(request)")
        }
    }

    /// When the process registered first; nil if it is new. A node that was fenced wrongly goes on under another
    /// incarnation in the same process, with the menus it put here when it started.
    private func firstSeen(_ registration: NodeRegistration, on tables: inout Tables) throws -> WallTime? {
        guard let earlier = try tables.node(named: registration.identity.name),
            earlier.registration.isSameProcess(as: registration)
        else { return nil }
        return earlier.registered
    }

    private func acquire(
        _ name: String, _ holder: NodeIdentity, _ duration: Duration, at now: StoreTime, on tables: inout Tables
    ) throws -> StoreReply {
        if try tables.isFenced(holder) { return .fenced }
        let kept = try tables.lease(named: name)
        var epoch = (kept?.term.epoch ?? 0) + 1
        if let kept, kept.holds(at: now) {
            guard kept.term.holder == holder else {
                return .lease(Lease(term: kept.term, remaining: kept.expires - now.sinceBoot))
            }
            epoch = kept.term.epoch
        }
        let term = LeaderTerm(lease: name, holder: holder, epoch: epoch)
        try tables.put(StoredLease(term: term, bootID: now.bootID, expires: now.sinceBoot + duration))
        return .lease(Lease(term: term, remaining: duration))
    }

    private func lastHeartbeat(of identity: NodeIdentity, on tables: inout Tables) throws -> WallTime? {
        guard let node = try tables.node(named: identity.name), node.registration.identity == identity else {
            return nil
        }
        return node.lastHeartbeat
    }

    private func holds(_ term: LeaderTerm?, on tables: inout Tables) throws -> Bool {
        guard let term else { return true }
        return try tables.lease(named: term.lease)?.term == term
    }

    // MARK: Sessions

    private func runSessions(
        _ request: StoreRequest, at now: StoreTime, on tables: inout Tables
    ) throws -> StoreReply {
        switch request {
        case .open(let write):
            if try tables.update(write) { return .done }
            if try tables.isFenced(write.ownership.node) { return .fenced }
            if try tables.ownership(of: write.session) != nil { return .notOwner }
            if try tables.hasRecord(write.session) { return .alreadyEnded }
            try tables.insert(write)
            return .done
        case .checkpoint(let write):
            return try tables.update(write) ? .done : .notOwner
        case .end(let record, let ownership):
            return try end(record, under: ownership, on: &tables)
        case .claim(let id, let from, let node, let ground):
            return try claim(Claim(id, from: from, by: node, ground: ground), on: &tables)
        case .markCallerEnded(let id, let time):
            if try tables.setCallerEnded(id, at: time) { return .done }
            return try tables.hasRecord(id) ? .alreadyEnded : .notFound
        case .session(let id):
            return .sessions(try tables.session(id).map { [$0] } ?? [])
        case .sessionsByCallID(let callID):
            return .sessions(try tables.sessions(callID: callID, limit: 8))
        case .sessionsOwned(let node, let limit):
            return .sessionHeads(try tables.sessionHeads(ownedBy: node, limit: Self.bounded(limit)))
        case .sessionOwners(let limit):
            return .sessionOwners(
                try tables.sessionOwners(limit: Self.bounded(limit)).map { owner in
                    SessionOwner(
                        identity: owner.identity, sessions: owner.sessions, isFenced: owner.fencedAt != nil,
                        lastHeard: try lastHeartbeat(of: owner.identity, on: &tables) ?? owner.fencedAt)
                })
        case .appendTimeline(let id, let entries):
            try tables.append(entries, to: id, limit: StoreRequest.timelineLimit)
            return .done
        default: preconditionFailure("not a request about sessions: \(request)")
        }
    }

    private func end(
        _ record: CallRecord, under ownership: Ownership, on tables: inout Tables
    ) throws -> StoreReply {
        guard record.end != nil, record.ended != nil else { return .refused("the call record has no end") }
        if try tables.isFenced(ownership.node) { return .notOwner }
        guard let owner = try tables.ownership(of: record.id) else {
            if try tables.hasRecord(record.id) { return .alreadyEnded }
            try tables.insert(record, lastSeenAs: LiveCall(record))
            return .done
        }
        guard owner == ownership else { return .notOwner }
        let call = try tables.liveCall(record.id) ?? LiveCall(record)
        try tables.removeSession(record.id)
        try tables.insert(record, lastSeenAs: call)
        return .done
    }

    private func claim(_ claim: Claim, on tables: inout Tables) throws -> StoreReply {
        let verdict = try claim.judged(
            claimerIsFenced: try tables.isFenced(claim.claimer), owner: try tables.ownership(of: claim.session),
            isEnded: try tables.hasRecord(claim.session), ownerIsFenced: try tables.isFenced(claim.from.node))
        if case .refused(let reply) = verdict { return reply }
        // Reading it first: a checkpoint in an unknown format is refused, and the row left to a node that knows it.
        guard let session = try tables.session(claim.session) else { return .notFound }
        if verdict == .granted { try tables.setOwner(of: claim.session, to: claim.right) }
        return claim.reply(session)
    }

    // MARK: Bank

    private func runBank(_ request: StoreRequest, at now: StoreTime, on tables: inout Tables) throws -> StoreReply {
        switch request {
        case .bank(let bank):
            // The session's row is written first: it is what a claim would take away meanwhile.
            if let write = bank.write, try !tables.update(write) { return .notOwner }
            return .bank(
                try ledger.perform(
                    bank.request, at: now.wall, session: bank.write?.session.description, on: &tables))
        case .bankResult(let id):
            return .bankResult(try tables.operation(id)?.outcome)
        case .seed(let customers):
            guard customers.count <= StoreRequest.seedLimit else {
                return .refused("\(customers.count) customers at a time, at most \(StoreRequest.seedLimit)")
            }
            for customer in customers { try ledger.enter(customer, at: now.wall, on: &tables) }
            return .done
        case .setAccountStatus(let number, let status):
            guard number != .equity, try tables.account(number) != nil else { return .notFound }
            try tables.setStatus(status, of: number)
            return .done
        case .bindPINKey(let id):
            if let kept = try tables.value(of: .pinKeyID) { return kept == id ? .done : .wrongKey(expected: kept) }
            try tables.setValue(id, of: .pinKeyID)
            return .done
        case .accounts(let includingBank):
            return .accounts(try tables.accountRows(includingBank: includingBank))
        case .transfers(let limit):
            return .transfers(try tables.transferRows(limit: Self.bounded(limit)))
        case .attempts(let limit):
            return .attempts(try tables.attempts(limit: Self.bounded(limit)))
        case .audit:
            return .audit(try tables.auditReport())
        default: preconditionFailure("not a request to the bank: \(request)")
        }
    }

    // MARK: The rest

    private func runRest(_ request: StoreRequest, at now: StoreTime, on tables: inout Tables) throws -> StoreReply {
        switch request {
        case .putMenu(let hash, let content):
            guard content.count <= StoreRequest.menuSizeLimit else {
                return .refused("menu of \(content.count) bytes, at most \(StoreRequest.menuSizeLimit)")
            }
            try tables.putMenu(content, hash: hash, at: now.wall)
            return .done
        case .menu(let hash):
            return try tables.menu(hash: hash).map { .menu($0) } ?? .notFound
        case .identity:
            return .identity(
                StoreIdentity(
                    id: try tables.value(of: .storeID) ?? "", schemaMajor: StoreSchema.major,
                    schemaMinor: StoreSchema.minor, pinKeyID: try tables.value(of: .pinKeyID)))
        case .liveCalls(let limit):
            return .liveCalls(try tables.liveCalls(limit: Self.bounded(limit)))
        case .call(let id):
            guard let call = try tables.liveCall(id) ?? tables.endedCall(id) else { return .notFound }
            return .call(CallDetail(call: call, timeline: try tables.timeline(of: id)))
        case .callRecords(let limit, let before):
            return try tables.records(limit: Self.bounded(limit), before: before).map { .callRecords($0) } ?? .notFound
        case .prune(let time, let limit, let term):
            guard try holds(term, on: &tables) else { return .staleLeader }
            try tables.prune(
                before: time, menusBefore: try eldestMenuInUse(before: time, on: &tables), limit: Self.bounded(limit),
                attemptLimit: Self.bounded(Self.bounded(limit) * StoreRequest.attemptsPerRecord))
            return .done
        default: preconditionFailure("not one of the other requests: \(request)")
        }
    }

    /// Before this no center has put a menu that it may answer calls with. A center puts its menus when it starts, and
    /// may then be up for longer than records are kept. One that has not been heard for as long is gone for good; one
    /// that is fenced may come back as a new incarnation of the same process.
    private func eldestMenuInUse(before time: WallTime, on tables: inout Tables) throws -> WallTime {
        let starts = try tables.allNodes()
            .filter { $0.registration.role == .center && $0.lastHeartbeat >= time }
            .map { $0.registered + (.zero - Self.menuMargin) }
        return min(time, starts.min() ?? time)
    }

    /// How long a menu may be in the store before the center that put it there is registered: both are tried until they
    /// are done, whatever the store does in between.
    static var menuMargin: Duration { .seconds(86_400) }
}
