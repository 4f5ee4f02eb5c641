import Primitives
import SIP
import Session
import Store

/// Keeps its own books of who may write which session, from what the store was asked and what it answered.
struct SessionWatch {
    private struct Kept {
        var call: Int?
        var firstOwner: NodeIdentity
        var storedAt: MonotonicTime?
        var records = 0
        var claims = 0
        /// As its checkpoint says, which is how centers see who waits longest.
        var started: WallTime?
        var hasPendingOperation = false
        /// Who owned it before it was claimed last.
        var former: NodeIdentity?
        var claimedAt: MonotonicTime?

        mutating func note(_ checkpoint: Checkpoint) {
            started = checkpoint.record.started
            hasPendingOperation = checkpoint.hasPendingOperation
        }
    }

    /// A session of a dead center that somebody goes on with.
    private struct Taken {
        var session: SessionID
        var from: NodeIdentity
        var at: MonotonicTime
        var hadPendingOperation: Bool
    }

    private var taken: [Taken] = []

    private var kept: [SessionID: Kept] = [:]
    private var owners: [SessionID: Ownership] = [:]
    private var dead: [NodeIdentity: MonotonicTime] = [:]
    private var gone: Set<NodeIdentity> = []
    private var registered: [String: NodeIdentity] = [:]
    private(set) var anySession: SessionID?

    func call(of session: SessionID?) -> Int? { session.flatMap { kept[$0]?.call } }
    func owner(of session: SessionID) -> Ownership? { owners[session] }
    /// The process of that incarnation was killed.
    mutating func died(_ identity: NodeIdentity) { gone.insert(identity) }
    func wasKilled(_ identity: NodeIdentity) -> Bool { gone.contains(identity) }
    func isDead(_ identity: NodeIdentity) -> Bool { dead[identity] != nil || gone.contains(identity) }

    /// A node is about to ask.
    mutating func asked(_ request: StoreRequest, of node: NodeIdentity) {
        guard case .open(let write) = request, kept[write.session] == nil else { return }
        let number = write.checkpoint.callID.flatMap { World.callNumber(in: Array("\r\nCall-ID: \($0)".utf8)) }
        kept[write.session] = Kept(call: number, firstOwner: node)
        anySession = write.session
    }

    /// What the store did; what is wrong with it.
    mutating func carriedOut(
        _ request: StoreRequest, _ reply: StoreReply, at now: MonotonicTime
    ) -> (Invariant, String)? {
        switch (request, reply) {
        case (.fence(let identity, _), .done): if dead[identity] == nil { dead[identity] = now }
        case (.register(let registration), .done):
            if let earlier = registered[registration.identity.name], earlier != registration.identity {
                if dead[earlier] == nil { dead[earlier] = now }
            }
            registered[registration.identity.name] = registration.identity
        case (.open(let write), .done):
            if kept[write.session]?.storedAt == nil { kept[write.session]?.storedAt = now }
            if owners[write.session] == nil { owners[write.session] = write.ownership }
            kept[write.session]?.note(write.checkpoint)
            return wrong(write.ownership, write.session, "opened")
        case (.checkpoint(let write), .done):
            kept[write.session]?.note(write.checkpoint)
            return wrong(write.ownership, write.session, "checkpointed")
        case (.bank(let bank), .bank):
            if let write = bank.write { kept[write.session]?.note(write.checkpoint) }
            return bank.write.flatMap { wrong($0.ownership, $0.session, "worked on the accounts of") }
        case (.claim(let session, let from, let by, let ground), .claimed(let claimed)):
            if ground == .fenced, dead[from.node] == nil {
                return (.oneOwner, "\(session) was claimed from \(from.node), which is not fenced")
            }
            // The answer to the first claim was lost, and the same node asks again.
            if owners[session] == claimed.ownership { return nil }
            guard owners[session] == from, claimed.ownership.epoch == from.epoch + 1 else {
                return (.oneOwner, "\(session) was claimed as \(claimed.ownership) from \(owners[session] ?? from)")
            }
            owners[session] = claimed.ownership
            kept[session]?.claims += 1
            kept[session]?.former = from.node
            kept[session]?.claimedAt = now
            if ground == .fenced, Places.centerNames.contains(by.name) {
                let isPending = kept[session]?.hasPendingOperation ?? false
                taken.append(Taken(session: session, from: from.node, at: now, hadPendingOperation: isPending))
            }
        case (.end(let record, let ownership), .done):
            kept[record.id]?.records += 1
            if let records = kept[record.id]?.records, records > 1 {
                return (.oneRecord, "\(record.id) got \(records) records")
            }
            defer { owners[record.id] = nil }
            return owners[record.id] == nil ? nil : wrong(ownership, record.id, "ended")
        default: break
        }
        return nil
    }

    private func wrong(_ writer: Ownership, _ session: SessionID, _ did: String) -> (Invariant, String)? {
        if dead[writer.node] != nil { return (.oneOwner, "\(writer.node), which is fenced, \(did) \(session)") }
        if let owner = owners[session], owner != writer {
            return (.oneOwner, "\(writer.node) \(did) \(session), which is \(owner.node)'s in epoch \(owner.epoch)")
        }
        return nil
    }

    /// A younger session of the same dead center that somebody took although this one, which nobody took, was there to
    /// be taken first. Who has a bank operation under way comes before all others.
    ///
    /// - Parameters:
    ///   - sharesOver: from then on after the fence any center takes any session.
    ///   - isSameShare: whether both fell to the same center before.
    func takenBefore(
        _ session: SessionID, sharesOver: Duration, isSameShare: (SessionID, SessionID, NodeIdentity) -> Bool
    ) -> SessionID? {
        guard let former = kept[session]?.former, let fenced = dead[former], let started = kept[session]?.started else {
            return nil
        }
        return taken.first { other in
            guard other.from == former, !other.hadPendingOperation,
                let began = kept[other.session]?.started, began > started
            else { return false }
            return other.at >= fenced + sharesOver || isSameShare(session, other.session, former)
        }?.session
    }

    /// How often a session of that call changed its owner.
    func claims(of call: Int) -> Int { kept.values.reduce(0) { $1.call == call ? max($0, $1.claims) : $0 } }

    /// When a session of that call changed its owner last.
    func claimedAt(_ call: Int) -> MonotonicTime? {
        kept.values.lazy.filter { $0.call == call }.compactMap(\.claimedAt).max()
    }

    /// Since when the store knows the session of that call that began at that node.
    func storedAt(_ call: Int, at node: NodeIdentity) -> MonotonicTime? {
        for (_, kept) in kept where kept.call == call && kept.firstOwner == node { return kept.storedAt }
        return nil
    }

    /// At the end: every session has its record, but those that died before the store ever knew them.
    func unrecorded() -> (SessionID, call: Int?)? {
        for (session, kept) in kept.sorted(by: { $0.key < $1.key }) where kept.records != 1 {
            if kept.records == 0, kept.storedAt == nil, isDead(kept.firstOwner) { continue }
            return (session, kept.call)
        }
        return nil
    }
}

extension StoreRequest {
    var session: SessionID? {
        switch self {
        case .open(let write), .checkpoint(let write): write.session
        case .end(let record, _): record.id
        case .claim(let session, _, _, _), .markCallerEnded(let session, _), .appendTimeline(let session, _): session
        case .bank(let bank): bank.write?.session
        default: nil
        }
    }

    var shortName: String {
        switch self {
        case .open: "the first checkpoint"
        case .checkpoint: "a checkpoint"
        case .end: "a record"
        case .appendTimeline: "a timeline"
        case .bank: "a bank request"
        default: "a request"
        }
    }
}
