import Banking
import Primitives
import Routing
import Session

/// The store's tables as dictionaries. Order of insertion is kept where replies are ordered by it.
struct MemoryTables: StoreTables, Sendable {
    private struct SessionRow: Sendable {
        var ownership: Ownership
        var checkpoint: Checkpoint
        var callerEnded: WallTime?
    }

    private struct EndedCall: Sendable {
        var record: CallRecord
        var call: LiveCall
    }

    private var values: [StoreKey: String]
    private var nodes: [String: StoredNode] = [:]
    private var fences: [NodeIdentity: WallTime] = [:]
    private var states: [String: AdministrativeState] = [:]
    private var changes: [AdministrativeChange] = []
    private var leases: [String: StoredLease] = [:]
    private var sessions: [SessionID: SessionRow] = [:]
    private var byCallID: [String: Set<SessionID>] = [:]
    private var timelines: [SessionID: [TimelineEntry]] = [:]
    private var ended: [SessionID: EndedCall] = [:]
    private var endedOrder: [SessionID] = []
    private var menus: [String: (content: [UInt8], at: WallTime)] = [:]
    var bank = MemoryBank()

    init(id: String) { values = [.storeID: id] }

    // MARK: Nodes

    func node(named name: String) -> StoredNode? { nodes[name] }
    mutating func put(_ node: StoredNode) { nodes[node.registration.identity.name] = node }

    mutating func setHeartbeat(of identity: NodeIdentity, at time: WallTime) -> Bool {
        guard nodes[identity.name]?.registration.identity == identity else { return false }
        nodes[identity.name]?.lastHeartbeat = time
        return true
    }

    func allNodes() -> [StoredNode] {
        nodes.values.sorted { $0.registration.identity.name < $1.registration.identity.name }
    }

    func isFenced(_ identity: NodeIdentity) -> Bool { fences[identity] != nil }
    mutating func fence(_ identity: NodeIdentity, at time: WallTime) {
        if fences[identity] == nil { fences[identity] = time }
    }
    func administrativeStates() -> [String: AdministrativeState] { states }

    mutating func insert(_ change: AdministrativeChange) {
        states[change.node] = change.state
        changes.append(change)
    }

    func administrativeChanges(limit: Int) -> [AdministrativeChange] { changes.suffix(limit).reversed() }
    func standingOrders() -> [AdministrativeChange] {
        let newest = Dictionary(changes.map { ($0.node, $0) }, uniquingKeysWith: { _, last in last })
        return newest.values.sorted { $0.node < $1.node }
    }

    func lease(named name: String) -> StoredLease? { leases[name] }
    mutating func put(_ lease: StoredLease) { leases[lease.term.lease] = lease }

    // MARK: Sessions

    func ownership(of session: SessionID) -> Ownership? { sessions[session]?.ownership }

    func session(_ id: SessionID) -> StoredSession? {
        sessions[id].map {
            StoredSession(
                ownership: $0.ownership, checkpoint: $0.checkpoint, callerEnded: $0.callerEnded,
                ownerFenced: isFenced($0.ownership.node))
        }
    }

    func sessions(callID: String, limit: Int) -> [StoredSession] {
        (byCallID[callID] ?? []).sorted().prefix(limit).compactMap(session)
    }

    func sessionHeads(ownedBy node: NodeIdentity, limit: Int) -> [SessionHead] {
        let heads = sessions.compactMap { id, row in
            row.ownership.node == node
                ? SessionHead(
                    id: id, ownership: row.ownership, started: row.checkpoint.record.started,
                    hasPendingOperation: row.checkpoint.hasPendingOperation)
                : nil
        }
        return Array(
            heads.sorted { left, right in
                if left.hasPendingOperation != right.hasPendingOperation { return left.hasPendingOperation }
                return (left.started, left.id) < (right.started, right.id)
            }.prefix(limit))
    }

    func sessionOwners(limit: Int) -> [StoredOwner] {
        var owners: [NodeIdentity: Int] = [:]
        for row in sessions.values { owners[row.ownership.node, default: 0] += 1 }
        let sorted = owners.sorted {
            ($0.key.name, $0.key.incarnation) < ($1.key.name, $1.key.incarnation)
        }
        return sorted.prefix(limit).map { StoredOwner(identity: $0.key, sessions: $0.value, fencedAt: fences[$0.key]) }
    }

    mutating func insert(_ write: SessionWrite) {
        sessions[write.session] = SessionRow(ownership: write.ownership, checkpoint: write.checkpoint)
        if let callID = write.checkpoint.callID { byCallID[callID, default: []].insert(write.session) }
    }

    mutating func update(_ write: SessionWrite) -> Bool {
        guard let row = sessions[write.session], row.ownership == write.ownership,
            !isFenced(write.ownership.node)
        else { return false }
        if row.checkpoint.callID != write.checkpoint.callID {
            forget(row.checkpoint.callID, of: write.session)
            if let callID = write.checkpoint.callID { byCallID[callID, default: []].insert(write.session) }
        }
        sessions[write.session]?.checkpoint = write.checkpoint
        return true
    }

    mutating func setOwner(of session: SessionID, to ownership: Ownership) {
        sessions[session]?.ownership = ownership
    }

    mutating func setCallerEnded(_ session: SessionID, at time: WallTime) -> Bool {
        guard let row = sessions[session] else { return false }
        if row.callerEnded == nil { sessions[session]?.callerEnded = time }
        return true
    }

    mutating func removeSession(_ id: SessionID) {
        guard let row = sessions.removeValue(forKey: id) else { return }
        forget(row.checkpoint.callID, of: id)
    }

    private mutating func forget(_ callID: String?, of session: SessionID) {
        guard let callID else { return }
        byCallID[callID]?.remove(session)
        if byCallID[callID]?.isEmpty == true { byCallID[callID] = nil }
    }

    func liveCall(_ id: SessionID) -> LiveCall? {
        sessions[id].map { $0.checkpoint.liveCall(center: $0.ownership.node.name) }
    }

    func liveCalls(limit: Int) -> [LiveCall] {
        Array(
            sessions.values.map { $0.checkpoint.liveCall(center: $0.ownership.node.name) }
                .sorted { ($0.started, $0.id) < ($1.started, $1.id) }.prefix(limit))
    }

    mutating func append(_ entries: [TimelineEntry], to session: SessionID, limit: Int) {
        let room = max(0, limit - (timelines[session]?.count ?? 0))
        timelines[session, default: []].append(contentsOf: entries.prefix(room))
    }

    func timeline(of session: SessionID) -> [TimelineEntry] { timelines[session] ?? [] }

    // MARK: Ended calls

    func hasRecord(_ id: SessionID) -> Bool { ended[id] != nil }

    mutating func insert(_ record: CallRecord, lastSeenAs call: LiveCall) {
        ended[record.id] = EndedCall(record: record, call: call)
        endedOrder.append(record.id)
    }

    func endedCall(_ id: SessionID) -> LiveCall? { ended[id]?.call }

    func records(limit: Int, before: SessionID?) -> [CallRecord]? {
        var end = endedOrder.endIndex
        if let before {
            guard let index = endedOrder.lastIndex(of: before) else { return nil }
            end = index
        }
        return endedOrder[..<end].suffix(limit).reversed().compactMap { ended[$0]?.record }
    }

    // MARK: The rest

    func value(of key: StoreKey) -> String? { values[key] }
    mutating func setValue(_ value: String, of key: StoreKey) { values[key] = value }
    func menu(hash: String) -> [UInt8]? { menus[hash]?.content }

    mutating func putMenu(_ content: [UInt8], hash: String, at time: WallTime) {
        menus[hash] = (content, time)
    }

    mutating func prune(before time: WallTime, menusBefore: WallTime, limit: Int, attemptLimit: Int) {
        let old = endedOrder.lazy.filter { [ended] in (ended[$0]?.record.ended ?? time) < time }.prefix(limit)
        for id in Array(old) {
            ended[id] = nil
            timelines[id] = nil
        }
        endedOrder.removeAll { ended[$0] == nil }
        bank.pruneAttempts(before: time, limit: attemptLimit)
        let used = Set(sessions.values.compactMap { $0.checkpoint.menu?.hash })
        let eldest = menus.filter { $0.value.at < menusBefore }.keys.sorted().prefix(limit)
        for hash in eldest where !used.contains(hash) { menus[hash] = nil }
    }
}

extension Checkpoint {
    /// A bank operation has its id and no result yet: such callers are taken over first.
    package var hasPendingOperation: Bool { menu?.pendingOperation.map { $0.phase != .executed } ?? false }
}
