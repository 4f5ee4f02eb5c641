import Primitives
import Routing
import Session
import Store

/// Whose sessions this center takes over, and in which order (TAKEOVER.md, Order of a takeover). It only decides: the
/// core asks the store, rebuilds calls, and tells it what came of either.
struct TakeoverDesk: Sendable {
    enum Step: Equatable, Sendable {
        /// Ask the store for the sessions of that incarnation.
        case list(NodeIdentity)
        case claim(SessionHead)
        /// Call `look(at:)` then: what nobody took is anybody's.
        case lookAgain(NodeIdentity, after: Duration)
    }

    /// Claims without an answer, at most.
    static let chunk = 100
    /// Sessions of one incarnation in one listing; what is beyond comes with the next.
    static let listLimit = 1_000
    /// After this time any survivor takes what is left.
    static let ownShareTime = Duration.milliseconds(500)
    /// Notices that come faster than this do not ask the store again.
    static let listInterval = Duration.milliseconds(200)
    /// An answer that took longer is lost.
    static let patience = Duration.seconds(5)
    /// Dead incarnations that are seen to at once. A ping names no more than four.
    static let deathLimit = 64

    private struct Death: Sendable {
        var noticed: MonotonicTime
        var heard: MonotonicTime
        /// When the store was asked last, and whether its answer is out.
        var listed: MonotonicTime?
        var isListing = false
    }

    private var deaths: [NodeIdentity: Death] = [:]
    /// Pending bank operations first, then the oldest.
    private var waiting: [SessionHead] = []
    private var claims: [SessionID: MonotonicTime] = [:]

    /// Sessions that wait for their claim or its answer.
    var count: Int { waiting.count + claims.count }

    /// When this center first heard of that death.
    func noticed(_ dead: NodeIdentity) -> MonotonicTime? { deaths[dead]?.noticed }

    /// The leader says that an incarnation is dead and may still own sessions. It says so again until none is left.
    mutating func heed(_ dead: NodeIdentity, now: MonotonicTime) -> [Step] {
        if deaths[dead] == nil {
            forgetOld(now)
            guard deaths.count < Self.deathLimit else { return [] }
            deaths[dead] = Death(noticed: now, heard: now)
            return list(dead, now) + [.lookAgain(dead, after: Self.ownShareTime)]
        }
        deaths[dead]?.heard = now
        return list(dead, now)
    }

    /// The time of the own share is over.
    mutating func look(at dead: NodeIdentity, now: MonotonicTime) -> [Step] {
        guard deaths[dead] != nil else { return [] }
        deaths[dead]?.listed = nil
        return list(dead, now)
    }

    private mutating func list(_ dead: NodeIdentity, _ now: MonotonicTime) -> [Step] {
        guard let death = deaths[dead] else { return [] }
        if let listed = death.listed {
            guard now - listed >= (death.isListing ? Self.patience : Self.listInterval) else { return [] }
        }
        deaths[dead]?.listed = now
        deaths[dead]?.isListing = true
        return [.list(dead)]
    }

    /// The store's answer; nil when it is away, and the next notice asks again.
    ///
    /// - Parameters:
    ///   - peers: who shares the sessions.
    ///   - own: this center, which takes what is nobody's of the peers, too: a restarted node that is alone.
    mutating func listed(
        _ dead: NodeIdentity, _ heads: [SessionHead]?, peers: PeerList, own: NodeIdentity, now: MonotonicTime
    ) {
        guard let death = deaths[dead] else { return }
        deaths[dead]?.isListing = false
        guard let heads else { return }
        // Who is asked to keep out takes nothing over; without any list this node is alone.
        guard peers.peers.isEmpty || peers.peer(named: own.name) != nil else { return }
        let isAnybodys = now - death.noticed >= Self.ownShareTime
        waiting.removeAll { $0.ownership.node == dead }
        for head in heads where claims[head.id] == nil {
            let owner = peers.owner(of: head.id.description, excluding: dead.name)?.node ?? own.name
            if isAnybodys || owner == own.name { waiting.append(head) }
        }
        waiting.sort(by: Self.precedes)
    }

    private static func precedes(_ one: SessionHead, _ other: SessionHead) -> Bool {
        if one.hasPendingOperation != other.hasPendingOperation { return one.hasPendingOperation }
        return one.started == other.started ? one.id < other.id : one.started < other.started
    }

    /// Claims to be made now.
    ///
    /// - Parameter room: for so many calls more; what does not fit stays where it is.
    mutating func claims(room: Int, now: MonotonicTime) -> [Step] {
        claims = claims.filter { now - $0.value < Self.patience }
        let count = min(Self.chunk - claims.count, room - claims.count, waiting.count)
        guard count > 0 else { return [] }
        let next = waiting.prefix(count)
        waiting.removeFirst(count)
        for head in next { claims[head.id] = now }
        return next.map { .claim($0) }
    }

    /// Takes note of a claim that the desk did not decide on; false when one is out already.
    mutating func claims(_ session: SessionID, now: MonotonicTime) -> Bool {
        if let since = claims[session], now - since < Self.patience { return false }
        claims[session] = now
        return true
    }

    /// The claim was answered, whatever the answer.
    mutating func settled(_ session: SessionID) { claims[session] = nil }

    /// This node is another incarnation now, or takes nothing over any more.
    mutating func clear() {
        deaths = [:]
        waiting = []
        claims = [:]
    }

    /// Deaths that no leader speaks of any more.
    private mutating func forgetOld(_ now: MonotonicTime) {
        deaths = deaths.filter { now - $0.value.heard < .seconds(30) }
    }
}
