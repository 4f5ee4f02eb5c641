import Primitives
import Routing
import Session
import Store

/// What the rules promise to callers whose center is lost, as far as what else went wrong leaves the promise standing
/// (TAKEOVER.md, What always holds).
extension World {
    /// Trouble before a loss that may still be felt when it comes.
    private static let aftermath: Duration = .seconds(8)
    /// By then every center holds any session of a dead one for its own to take: half a second for the shares, and a
    /// ping that got lost.
    private static let sharesOver: Duration = .milliseconds(1_200)

    /// What the rules speak of in one breath.
    struct Loss {
        /// From then on the caller may wait for `Simulation.gapLimit`.
        var lastBlow: MonotonicTime
        /// The leading master, or the one that does not lead, died around it.
        var isWithoutMaster: Bool
        /// A second center was lost shortly before it or after it.
        var isSecond: Bool
    }

    /// The loss of a center, alone, after or before that of one other center, or with a master's death: these nobody may
    /// notice for longer than the limit. Nil where more went wrong, or nobody is left who could go on.
    func loss(of center: Int?, since: MonotonicTime, until end: MonotonicTime) -> Loss? {
        let troubles = troubles.all(from: since + (.zero - Self.aftermath), to: end)
        guard !store.isAway, !troubles.contains(where: { $0.kind == .store || $0.kind == .access }) else { return nil }
        let masters = troubles.filter { $0.kind == .master }
        let centers = troubles.count { $0.kind == .center }
        let others = troubles.count { $0.kind == .cut || $0.kind == .order }
        // A master that stands still for a while and goes on leads on: that is not its death.
        guard masters.allSatisfy(\.isDeath) else { return nil }
        switch (centers, masters.count, others) {
        case (0...1, 0, 0), (0, 0, 1), (2, 0, 0): break
        case (0...1, 1, 0): break
        default: return nil
        }
        guard !heirs(of: center, since: since).isEmpty, isLed(since: since, isMissingOne: !masters.isEmpty) else {
            return nil
        }
        let blows = troubles.map(\.at).filter { $0 > since }
        return Loss(
            lastBlow: max(since, blows.max() ?? since), isWithoutMaster: !masters.isEmpty, isSecond: centers == 2)
    }

    /// Centers that could go on with the calls of a lost one: they work, nothing of them is cut, they are not on their
    /// way out, and it has been so for long enough.
    func heirs(of center: Int?, since: MonotonicTime) -> [CenterNode] {
        centers.filter { heir in
            heir.index != center && isSound(.center(heir.index)) && heir.process.since + Self.aftermath < since
                && heir.isRegistered && heir.core?.state == .up
        }
    }

    private func isLed(since: MonotonicTime, isMissingOne: Bool) -> Bool {
        masters.contains { master in
            guard isSound(.master(master.index)) else { return false }
            return isMissingOne ? master.process.since + Self.aftermath < since : master.isLeading
        }
    }

    // MARK: Losses

    /// The record of a session that a master closed says `lost`, or `operator`, while its caller still waits.
    mutating func judgeLoss(_ call: Int, _ session: SessionID) {
        guard settings.takesOver, calls[call].isOpen, calls[call].answeredAt != nil else { return }
        let expectation = calls[call].hearing.expectation
        let since = expectation?.since ?? now + .seconds(-3)
        guard loss(of: expectation?.center, since: since, until: now) != nil else { return }
        let former = expectation.map { "\($0.identity)" } ?? "its center"
        // A master closes what is left a second after all centers said that they are full.
        let recently = now + .milliseconds(-2_500)
        if let free = heirs(of: expectation?.center, since: since).first(where: { !$0.wasFull(since: recently) }) {
            return broken(
                .callsLast, "closed as lost after the death of \(former), though \(free.name) had room", call: call)
        }
        report.lostForRoom += 1
        let younger = sessions.takenBefore(session, sharesOver: Self.sharesOver) { isSameShare($0, $1, of: $2) }
        guard let younger else { return }
        broken(
            .callsLast,
            "closed as lost for want of room, though the younger \(younger) of \(former) was taken over", call: call)
    }

    /// Whether both fall to the same center in the first half second.
    private func isSameShare(_ one: SessionID, _ other: SessionID, of dead: NodeIdentity) -> Bool {
        guard let heirs = heirsTold[dead] else { return false }
        let shares = [one, other].map { heirs.owner(of: $0.description, excluding: dead.name)?.node }
        return shares[0] == shares[1]
    }

    /// A center that went on with a call ended it as lost: its caller could not be reached.
    mutating func judgeLoss(_ call: Int, by center: NodeIdentity, _ kind: EndKind) {
        guard calls[call].isOpen, let answered = calls[call].answeredAt else { return }
        // A request of ours gives up after 64*T1, and what was cut meanwhile may have swallowed all of it.
        let from = max(calls[call].began, now + .seconds(-45))
        if troubles.any(of: [.access, .cut, .store], from: from, to: now) { return }
        broken(
            .callsLast,
            "\(center), which went on with the call \(now - answered) old, ended it as \(kind.rawValue)", call: call)
    }
}
