import Primitives
import Routing
import SIP
import Session
import Store

/// A node that may not be who it was says nothing until somebody who knows has said that it is (TAKEOVER.md, The old
/// owner).
extension CenterCore {
    /// A loop of this node did not run until `end`.
    mutating func stoodStill(for gap: Duration, until end: MonotonicTime, hasBacklog: Bool) {
        guard gap >= Standing.standstill else { return }
        let wasUnconfirmed = standing.isUnconfirmed
        standing.stoodStill(until: end, hasBacklog: hasBacklog, now: now.monotonic)
        if !wasUnconfirmed { actions.append(.note(.stoodStill(gap))) }
        tellMedia()
        guard !isFenced else { return }
        if let round = standing.question(now: now.monotonic) { askWhetherAlive(round) }
    }

    private mutating func askWhetherAlive(_ round: UInt64) {
        actions.append(.store(.heartbeat(settings.identity), .standing(round)))
    }

    mutating func lookAtStanding() {
        guard !isFenced, settings.isolation != nil || standing.isUnconfirmed else { return }
        if standing.judge(isolation: settings.isolation, now: now.monotonic) {
            actions.append(.note(.isolated))
            tellMedia()
        }
        if let round = standing.questionDue(now: now.monotonic) { askWhetherAlive(round) }
    }

    /// The store's word on this incarnation; `.fenced` was heeded before.
    mutating func standingAnswered(_ round: UInt64, _ reply: StoreReply) {
        let isThere = if case .unavailable = reply { false } else { true }
        // A store that knows of no such node, because it registers just now, is there all the same.
        if standing.answered(round, isThere: isThere, confirms: reply == .done, now: now.monotonic) { confirmed() }
    }

    /// A ping from somebody who is trusted: what it says of the incarnation that lives.
    mutating func hear(_ ping: Message, by flow: Flow) {
        // Connections have their own buffers, of which nobody can tell how old they are.
        guard flow.transport == .udp, !isFenced,
            let notice = ping.first(.tandemNode).flatMap({ NodeNotice(headerValue: $0) }),
            notice.node == settings.identity.name,
            notice.incarnation == nil || notice.incarnation == settings.identity.incarnation
        else { return }
        if standing.heardPing(confirms: notice.incarnation != nil, now: now.monotonic) { confirmed() }
    }

    /// A call that access sent: access is there, and holds this node for living.
    mutating func heardAccess() {
        standing.heardAccess(now: now.monotonic)
        tellMedia()
    }

    private mutating func confirmed() {
        actions.append(.note(.confirmed))
        tellMedia()
    }

    /// The next incarnation speaks for itself: what the last one had left to say is forgotten.
    mutating func beginIncarnation(_ identity: NodeIdentity) {
        // Callers whose calls were not answered yet hear of it, unless even that may be stale.
        if standing.isUnconfirmed { outputs.removeAll(keepingCapacity: true) } else { performOutputs() }
        settings.identity = identity
        standing.renew(now: now.monotonic)
        held.drop()
        foreign.removeAll()
        long = LongRequests()
        doubts.removeAll()
        transactions = TransactionLayer(timers: settings.timers, random: SeededRandom(seed: random.next()))
        ringing = [:]
        merged = MergedRequests()
        parting = PartingDialogs()
    }

    // MARK: What may leave

    /// Takes out of this event's actions what must not leave.
    ///
    /// In doubt nothing may. By UDP it is dropped: whoever waits for it repeats its request, or our transaction repeats
    /// ours, so what leaves after all is made or repeated after the confirmation and never stale. A fenced node still
    /// answers, so that masters hear of it, but asks nothing more.
    mutating func holdBack() {
        if standing.isUnconfirmed {
            actions.removeAll { action in
                guard case .send(let bytes, let flow) = action else { return false }
                if flow.transport.isReliable { held.hold(bytes, flow, now: now.monotonic) }
                return true
            }
        } else if isFenced {
            held.drop()
            actions.removeAll { action in
                if case .send(let bytes, _) = action { !bytes.starts(with: "SIP/2.0 ".utf8) } else { false }
            }
        } else if !held.isEmpty {
            // Before what this event says: they are older.
            actions.insert(contentsOf: held.takeAll(now: now.monotonic).map { .send($0.bytes, $0.flow) }, at: 0)
        }
    }

    /// A message that a thread of the transport was about to write when it stood still. This loop may have run all the time:
    /// it was a standstill of the node all the same.
    mutating func handedBack(_ bytes: [UInt8], _ flow: Flow, since: MonotonicTime) {
        guard since >= standing.began, !isFenced else { return }
        if standing.since <= since {
            stoodStill(for: now.monotonic - since, until: now.monotonic, hasBacklog: false)
        }
        actions.append(.send(bytes, flow))
    }

    /// The media loop mutes itself when it stood still; what it cannot know is said here.
    mutating func tellMedia() {
        let mustBeMuted = isFenced || !standing.isSound
        guard mustBeMuted != isMuted || standing.isUnconfirmed else { return }
        isMuted = mustBeMuted
        actions.append(.mute(mustBeMuted, asOf: max(now.monotonic, standing.since)))
    }
}
