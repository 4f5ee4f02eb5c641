import Primitives
import Routing
import Session
import Store

/// Whose sessions are being taken over, as the leading master follows it.
///
/// After publish and fence it tells every center in its pings, and asks the store how many sessions the dead
/// incarnation still owns, until there are none. What nobody takes is closed as `lost`, with an alarm: never silently.
extension MasterCore {
    struct Takeover: Sendable {
        var identity: NodeIdentity
        var begunAt: MonotonicTime
        /// Answers of the store to this question or earlier ones say nothing of what was fenced since.
        var asked: UInt64
        /// Sessions that it still owned when the store was asked last; nil until it answered.
        var left: Int?
        /// Most sessions that it owned.
        var most = 0
        /// From then on nobody took any, although the store answered and there was somebody to take them.
        var stalledSince: MonotonicTime
        /// Nobody takes over what is left: it is closed as lost.
        var verdict: LossReason?
        /// Being carried out now.
        var isClosing = false
        /// What could not be closed is not tried again before, and how long that pause was.
        var closesAgainAt = MonotonicTime.zero
        var pause: Duration = .zero
        /// Of its sessions so many were closed as lost.
        var lost = 0
    }

    /// Takeovers at once (I8). One that does not fit is found in the store again when there is room.
    static let takeoverLimit = 64
    /// Between two counts while calls are being taken over, and while none are.
    static let countInterval: Duration = .milliseconds(250)
    static let idleCountInterval: Duration = .seconds(2)
    /// An owner that no master ever heard is dead when its heartbeats are missing for this long as well.
    static let missedHeartbeats: Duration = .seconds(3)
    /// After which a count without answer counts as silence of the store.
    static let countTimeout: Duration = .seconds(2)
    /// Owners that one count lists; one has a row only while it has sessions.
    public static let ownerLimit = 1_024
    /// Before what could not be closed is tried again: twice as long each time that nothing of it could be, up to the
    /// longer. A row that nobody can read, or a store without space, would otherwise be tried without a pause.
    static let closingPauses: ClosedRange<Duration> = .milliseconds(250) ... .seconds(10)
    /// Nobody took a session for this long, though the store answered: nobody will.
    static let patience: Duration = .seconds(2)
    /// The same where all centers say that they are full. Longer than the half second after which anybody may take
    /// what others left.
    static let patienceWithFullCenters: Duration = .seconds(1)
    /// An owner that did not tell the store of itself for this long is not called back at yesterday's ports.
    public static let silenceForLost: Duration = .seconds(120)

    // MARK: What pings tell

    /// The centers that live and take over, with the incarnations that they live as.
    var peers: PeerList {
        PeerList(
            watches.compactMap { watch in
                guard watch.node.role == .center, watch.health.state.takesNewCalls,
                    let incarnation = watch.health.incarnation, incarnation != watch.health.fenced,
                    let sip = watch.node.sip.first
                else { return nil }
                return PeerList.Peer(node: watch.node.name, incarnation: incarnation, sip: sip)
            })
    }

    private func notices(under epoch: UInt64) -> [TakeoverNotice] {
        takeovers.lazy.filter { $0.verdict == nil }.prefix(TakeoverNotice.limit).map {
            TakeoverNotice(node: $0.identity.name, incarnation: $0.identity.incarnation, leader: epoch)
        }
    }

    /// What a ping of this node tells it: whether it counts as alive and, from a leader, who else does and whose
    /// sessions are to be taken over.
    func ping(_ index: Int, token: UInt32, to endpoint: Endpoint) -> PingOrder {
        let (node, health) = (watches[index].node, watches[index].health)
        var order = PingOrder(
            node: node.name, token: token, to: endpoint, live: health.state.lives ? health.incarnation : nil,
            fenced: health.fenced, want: health.administrative, leader: standing.writingEpoch)
        if node.role == .center, let epoch = standing.writingEpoch {
            order.peers = peers
            order.takeovers = notices(under: epoch)
        }
        return order
    }

    // MARK: Begin

    mutating func beginTakeover(_ identity: NodeIdentity, now: MonotonicTime) {
        guard standing.writingEpoch != nil, !takeovers.contains(where: { $0.identity == identity }),
            takeovers.count < Self.takeoverLimit
        else { return }
        takeovers.append(Takeover(identity: identity, begunAt: now, asked: countNumber, stalledSince: now))
        nextCountAt = now
        isAnnouncementDue = true
    }

    /// Who leads anew looks for what the one before left half done.
    mutating func leadershipChanged(now: MonotonicTime) {
        countAskedAt = nil
        nextCountAt = now
        if case .standby = standing { takeovers.removeAll() }
        for index in takeovers.indices { takeovers[index].stalledSince = now }
    }

    /// When something is due here; only who may write to the store takes over.
    var takeoverDeadline: MonotonicTime {
        guard standing.writingEpoch != nil else { return .distantFuture }
        return countAskedAt.map { $0 + Self.countTimeout } ?? nextCountAt
    }

    /// Counts first, so that the answer still holds what the survivors are about to take; then tells them at once
    /// instead of with the next ping that is due anyway.
    mutating func driveTakeovers(now: MonotonicTime, into actions: inout [MasterAction]) {
        guard standing.writingEpoch != nil else { return }
        if let asked = countAskedAt, now - asked >= Self.countTimeout { storeIsSilent(now: now) }
        if countAskedAt == nil, nextCountAt <= now {
            countNumber += 1
            countAskedAt = now
            actions.append(.countSessions(number: countNumber))
        }
        if isAnnouncementDue {
            isAnnouncementDue = false
            for index in watches.indices where watches[index].node.role == .center {
                guard watches[index].health.state.takesNewCalls else { continue }
                ask(index, now: now, into: &actions) {
                    $0.hurry(now: now)
                    $0.fire(now: now, into: &$1)
                }
            }
        }
    }

    private mutating func storeIsSilent(now: MonotonicTime) {
        countAskedAt = nil
        nextCountAt = now + Self.countInterval
        for index in takeovers.indices { takeovers[index].stalledSince = now }
    }

    // MARK: Counts

    /// - Parameter owners: nil when the store could not be asked.
    mutating func counted(
        _ owners: [SessionOwner]?, number: UInt64, now: MonotonicTime, into actions: inout [MasterAction]
    ) {
        guard number == countNumber, countAskedAt != nil, standing.writingEpoch != nil else { return }
        guard let owners else { return storeIsSilent(now: now) }
        countAskedAt = nil
        nextCountAt = now + (takeovers.isEmpty ? Self.idleCountInterval : Self.countInterval)
        let found = Dictionary(owners.map { ($0.identity, $0) }, uniquingKeysWith: { first, _ in first })
        for index in takeovers.indices.reversed() where takeovers[index].asked < number {
            follow(index, found[takeovers[index].identity], now: now, into: &actions)
        }
        for owner in owners where !takeovers.contains(where: { $0.identity == owner.identity }) {
            look(at: owner, number: number, now: now, into: &actions)
        }
    }

    private mutating func follow(
        _ index: Int, _ owner: SessionOwner?, now: MonotonicTime, into actions: inout [MasterAction]
    ) {
        let takeover = takeovers[index]
        let left = owner?.sessions ?? 0
        if takeover.left == nil, left > 0 { actions.append(.takeoverBegan(takeover.identity, sessions: left)) }
        guard let owner, left > 0 else {
            takeovers.remove(at: index)
            if takeover.left == nil { return }
            return actions.append(
                .takeoverEnded(
                    takeover.identity,
                    TakeoverOutcome(
                        taken: takeover.most - takeover.lost, lost: takeover.lost, took: now - takeover.begunAt)
                ))
        }
        let isFirst = takeover.left == nil
        let hasFallen = takeover.left.map { left < $0 } ?? true
        takeovers[index].left = left
        takeovers[index].most = max(takeover.most, left)
        let peers = peers.peers
        if hasFallen || peers.isEmpty { takeovers[index].stalledSince = now }
        guard !takeover.isClosing else { return }
        if let verdict = takeover.verdict {
            if now >= takeover.closesAgainAt { close(index, verdict, into: &actions) }
            return
        }
        // With nobody there it waits, until it is too late to call anybody back.
        if isFirst || peers.isEmpty, isLongSilent(owner, now: now) {
            return close(index, .ownerLongSilent(since: owner.lastHeard), into: &actions)
        }
        let isFull = areFull(peers)
        let patience = isFull ? Self.patienceWithFullCenters : Self.patience
        if now - takeovers[index].stalledSince >= patience {
            close(index, isFull ? .centersFull : .nobodyTook, into: &actions)
        }
    }

    /// An owner of sessions that nothing is known of so far.
    private mutating func look(
        at owner: SessionOwner, number: UInt64, now: MonotonicTime, into actions: inout [MasterAction]
    ) {
        let isMaster =
            owner.identity.name == settings.identity.name
            || indexes[owner.identity.name].map { watches[$0].node.role == .master } ?? false
        let isOwn = owner.identity == settings.identity
        // A master owns sessions only to close them.
        guard !isMaster || isOwn || owner.isFenced else { return }
        guard isOwn || owner.isFenced else {
            // Nobody heard it for so long, neither the store nor this master: it needs no verdict to be dead.
            if isLongSilent(owner, now: now), !isHeard(owner.identity) {
                addFence(owner.identity, isBeyondDoubt: true, now: now)
            } else if diedUnseen(owner, now: now) {
                addFence(owner.identity, isBeyondDoubt: false, now: now)
            }
            return
        }
        guard takeovers.count < Self.takeoverLimit else { return }
        beginTakeover(owner.identity, now: now)
        guard let index = takeovers.indices.last, takeovers[index].identity == owner.identity else { return }
        takeovers[index].asked = number - 1
        nextCountAt = now + Self.countInterval
        if isMaster {
            takeovers[index].left = owner.sessions
            takeovers[index].most = owner.sessions
            return close(index, .claimedToClose, into: &actions)
        }
        follow(index, owner, now: now, into: &actions)
    }

    /// By the store's civil times, unless this master heard it since: a clock that was set loses no calls.
    private func isLongSilent(_ owner: SessionOwner, now: MonotonicTime) -> Bool {
        guard let stored = owner.lastHeard, wall(now) - stored > Self.silenceForLost else { return false }
        let health = indexes[owner.identity.name].map { watches[$0].health }
        guard let heard = health?.lastHeard(owner.identity.incarnation) else { return true }
        return now - heard > Self.silenceForLost
    }

    /// It died while no master watched: this one never heard it, so only the store knows as whom it lived. The store
    /// must have missed several of its heartbeats, which come once a second.
    private func diedUnseen(_ owner: SessionOwner, now: MonotonicTime) -> Bool {
        guard let index = indexes[owner.identity.name], watches[index].node.role == .center,
            watches[index].health.isJudged, !watches[index].health.state.lives,
            watches[index].health.incarnation == nil,
            let heard = owner.lastHeard, livesAnotherCenter(than: index)
        else { return false }
        return wall(now) - heard > Self.missedHeartbeats
    }

    private func isHeard(_ identity: NodeIdentity) -> Bool {
        guard let index = indexes[identity.name] else { return false }
        return watches[index].health.state.lives && watches[index].health.incarnation == identity.incarnation
    }

    private func areFull(_ peers: [PeerList.Peer]) -> Bool {
        !peers.isEmpty
            && peers.allSatisfy { peer in
                guard let load = indexes[peer.node].flatMap({ watches[$0].health.load }) else { return false }
                return load.limit > 0 && load.calls >= load.limit
            }
    }

    // MARK: What is left over

    private mutating func close(_ index: Int, _ reason: LossReason, into actions: inout [MasterAction]) {
        takeovers[index].verdict = reason
        takeovers[index].isClosing = true
        actions.append(.closeLost(takeovers[index].identity, reason))
    }

    /// What was closed is over, as the next count says; what could not be closed is tried again after a pause.
    mutating func closed(_ identity: NodeIdentity, lost: Int, now: MonotonicTime) {
        guard let index = takeovers.firstIndex(where: { $0.identity == identity }) else { return }
        let pauses = Self.closingPauses
        let pause =
            lost > 0 ? pauses.lowerBound : min(max(takeovers[index].pause * 2, pauses.lowerBound), pauses.upperBound)
        takeovers[index].isClosing = false
        takeovers[index].lost += lost
        takeovers[index].pause = pause
        takeovers[index].closesAgainAt = now + pause
        nextCountAt = now
    }
}
