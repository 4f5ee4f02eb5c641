import Primitives
import Routing
import SIP
import Session
import Store

/// What the leading master tells of the dead, and sessions claimed for it.
extension CenterCore {
    /// While more claimed sessions than these wait for their re-INVITE, new calls give way.
    static let takeoversBeforeCalls = 100

    /// New calls would delay callers who are in the middle of theirs (TAKEOVER.md, Order of a takeover).
    var givesWay: Bool { resuming.count + sessionsWithoutCall > Self.takeoversBeforeCalls }

    /// Claimed, but no calls yet.
    private var sessionsWithoutCall: Int { waitingForMenu.values.reduce(rebuilds.count) { $0 + $1.count } }

    /// Sessions of the dead that wait for their claim, their turn, or until their callers may hear of it.
    public var takeoversWaiting: Int { takeovers.count + sessionsWithoutCall + resuming.count }

    /// What a ping says: who this node is to the others, what its operator wants, who lives, and who died.
    mutating func heed(_ ping: Message) {
        guard let notice = ping.first(.tandemNode).flatMap({ NodeNotice(headerValue: $0) }),
            notice.node == settings.identity.name
        else { return }
        let leads = notice.leader != nil
        // TAKEOVER.md, Identity and ownership: what a leader of a lower epoch says does not count.
        if let epoch = notice.leader {
            guard leader.admits(epoch, now: now.monotonic) else { return }
        }
        if let want = notice.want, leads || !leader.isKnown { administrative = want }
        if notice.fenced == settings.identity.incarnation { findFenced() }
        guard leads, !isFenced else { return }
        if let list = ping.first(.tandemPeers).flatMap({ PeerList(headerValue: $0) }) { take(list) }
        for value in ping.values(of: .tandemTakeover).prefix(TakeoverNotice.limit) {
            guard let takeover = TakeoverNotice(headerValue: value), takeover.leader == notice.leader,
                let dead = NodeIdentity(name: takeover.node, incarnation: takeover.incarnation),
                dead != settings.identity
            else { continue }
            perform(takeovers.heed(dead, now: now.monotonic))
        }
        claimMore()
        lookForStraysNowAndThen()
        give()
    }

    /// Who lives decides which checkpoint format all can read.
    private mutating func take(_ list: PeerList) {
        guard list != peers else {
            if formatsAreDue { askFormats() }
            return
        }
        formerPeers.learn(from: peers, to: list, now: now.monotonic)
        peers = list
        askFormats()
    }

    private mutating func askFormats() {
        formatsAreDue = false
        actions.append(.store(.nodes, .formats))
    }

    mutating func perform(_ steps: [TakeoverDesk.Step]) {
        for step in steps {
            switch step {
            case .list(let dead):
                actions.append(.store(.sessionsOwned(by: dead, limit: TakeoverDesk.listLimit), .heads(of: dead)))
            case .claim(let head):
                actions.append(
                    .store(
                        .claim(head.id, from: head.ownership, by: settings.identity, ground: .fenced),
                        .claim(head.id, dead: head.ownership.node)))
            case .lookAgain(let dead, let delay):
                timers.schedule(.takeover(dead), at: now.monotonic + delay)
            }
        }
    }

    /// The dead node's sessions, as the store has them.
    mutating func listed(_ dead: NodeIdentity, _ reply: StoreReply) {
        var heads: [SessionHead]?
        if case .sessionHeads(let list) = reply { heads = list }
        takeovers.listed(dead, heads, peers: peers, own: settings.identity, now: now.monotonic)
        claimMore()
    }

    /// As many as there is room for.
    mutating func claimMore() {
        guard !isFenced, !isShuttingDown, administrative == .enabled else { return }
        let room = settings.callLimit - calls.count - sessionsWithoutCall
        perform(takeovers.claims(room: room, now: now.monotonic))
    }

    mutating func claimed(_ session: SessionID, _ dead: NodeIdentity, _ reply: StoreReply) {
        takeovers.settled(session)
        switch reply {
        case .claimed(let stored):
            takeOver(
                ClaimedSession(
                    stored: stored, former: dead, ground: .death,
                    since: takeovers.noticed(dead) ?? now.monotonic))
        case .fenced: findFenced()
        case .refused(let reason): actions.append(.note(.takeoverFailed(session, reason: reason)))
        // Somebody else was faster, the call is over, or the store is away: the next listing tells.
        default: break
        }
        claimMore()
    }

    // MARK: Formats

    /// Nodes write the newest checkpoint format that every living node reads (TAKEOVER.md, Checkpoints). A store that is
    /// away is asked again with the next ping.
    mutating func learnFormats(_ reply: StoreReply) {
        guard case .nodes(let rows) = reply else {
            formatsAreDue = true
            return
        }
        let heardSince = WallTime(milliseconds: now.wall.milliseconds - 120_000)
        if let version = NodeRow.commonCheckpointVersion(of: rows, heardSince: heardSince) {
            checkpointVersion = version
        }
    }
}

/// A session that is this center's by a claim, before it is a call.
struct ClaimedSession: Sendable {
    var stored: StoredSession
    var former: NodeIdentity
    var ground: Takeover.Ground
    var since: MonotonicTime
}
