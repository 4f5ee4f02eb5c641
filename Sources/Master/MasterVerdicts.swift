import Primitives
import Routing
import Session

/// Who is dead, and who may be fenced for it.
extension MasterCore {
    // MARK: Verdicts

    /// Lets verdicts stand that need no witness or have one.
    mutating func judge(now: MonotonicTime, into actions: inout [MasterAction]) {
        for index in watches.indices where watches[index].health.isDoubted {
            guard let evidence = watches[index].evidence, let reason = watches[index].verdict else { continue }
            if evidence == .silence, !isWitnessed(index, now: now) {
                if areManyDying(now: now) {
                    hold(index, into: &actions)
                    continue
                }
                if isReleasedTooRecently(index, now: now) { continue }
            }
            condemn(index, reason: reason, now: now, into: &actions)
        }
        guard nextWitnessing <= now, watches.contains(where: \.isVerdictHeld) else { return }
        nextWitnessing = now + Self.witnessing
        actions.append(.askWitnesses)
    }

    /// More than half of three or more nodes fell silent within the window: then it may well be the observer who is
    /// cut off. A node that misses answers counts, because it falls silent at the same time but is judged a moment
    /// later. A refused ping is no silence: the node's own host testifies.
    private func areManyDying(now: MonotonicTime) -> Bool {
        var dying = 0
        var known = 0
        for watch in watches {
            let isRecent = watch.lastDeathAt.map { now - $0 <= settings.detection.witnessWindow } ?? false
            let looksDead = isRecent || watch.health.isDoubted || watch.health.isMissingAnswers
            if looksDead || watch.health.state.lives { known += 1 }
            if looksDead { dying += 1 }
        }
        return known >= 3 && dying * 2 > known
    }

    private func isWitnessed(_ index: Int, now: MonotonicTime) -> Bool {
        guard let at = watches[index].witnessedAt else { return false }
        return now - at <= settings.detection.witnessWindow * 3
    }

    /// The other nodes came back, so the way was cut and is no more: a held verdict stands only if one more ping, sent
    /// since then, stays unanswered.
    private mutating func isReleasedTooRecently(_ index: Int, now: MonotonicTime) -> Bool {
        guard watches[index].isVerdictHeld else { return false }
        let released = watches[index].releasedAt ?? now
        watches[index].releasedAt = released
        return now - released < settings.detection.doubtInterval + settings.detection.timeout
    }

    private mutating func hold(_ index: Int, into actions: inout [MasterAction]) {
        watches[index].releasedAt = nil
        guard !watches[index].isVerdictHeld else { return }
        watches[index].isVerdictHeld = true
        let node = watches[index].node
        actions.append(
            .audit(
                AuditRecord(
                    .verdictHeld, node: node.name, by: settings.identity.name,
                    detail: "\(watches[index].verdict ?? ""); so are most nodes, a second witness must agree")))
    }

    private mutating func condemn(
        _ index: Int, reason: String, now: MonotonicTime, into actions: inout [MasterAction]
    ) {
        let node = watches[index].node
        let incarnation = watches[index].health.incarnation
        watches[index].lastDeathAt = now
        watches[index].diedOf = watches[index].evidence
        clearVerdict(index)
        let isLast = node.role == .center && !livesAnotherCenter(than: index)
        watches[index].isLastResort = isLast
        let told = isLast ? reason + "; the last live center, so not fenced" : reason
        ask(index, now: now, into: &actions) { _ = $0.condemn(reason: told, now: now, into: &$1) }
        guard node.role == .center, let incarnation else { return }
        if let identity = NodeIdentity(name: node.name, incarnation: incarnation) {
            addFence(identity, isBeyondDoubt: false, now: now)
        }
    }

    mutating func clearVerdict(_ index: Int) {
        watches[index].evidence = nil
        watches[index].verdict = nil
        watches[index].isVerdictHeld = false
        watches[index].releasedAt = nil
    }

    func livesAnotherCenter(than index: Int) -> Bool {
        watches.indices.contains {
            $0 != index && watches[$0].node.role == .center && watches[$0].health.state.lives
        }
    }

    /// The last live center is spared only as long as no other one lives.
    mutating func reconsiderLastResorts() {
        for index in watches.indices where watches[index].isLastResort {
            if watches[index].health.state.lives || livesAnotherCenter(than: index) {
                watches[index].isLastResort = false
            }
        }
    }

    // MARK: Fences

    /// - Parameter isBeyondDoubt: the node lives on as another incarnation, or nobody at all heard it for too long.
    mutating func addFence(_ identity: NodeIdentity, isBeyondDoubt: Bool, now: MonotonicTime) {
        if let watched = indexes[identity.name] {
            guard watches[watched].node.role == .center, watches[watched].health.fenced != identity.incarnation else {
                return
            }
        } else if !isBeyondDoubt {
            return
        }
        if let index = dueFences.firstIndex(where: { $0.identity == identity }) {
            dueFences[index].isBeyondDoubt = dueFences[index].isBeyondDoubt || isBeyondDoubt
        } else {
            // A standby that hears of no outcomes must not collect them for ever; the store fences the predecessor
            // of a node that registers, so the oldest is the one to lose.
            if dueFences.count >= Self.dueFenceLimit { dueFences.removeFirst() }
            dueFences.append(DueFence(identity: identity, isBeyondDoubt: isBeyondDoubt, notBefore: now))
        }
    }

    /// The node lives after all: what is not yet asked of the store is not asked any more.
    mutating func revoked(_ index: Int) {
        let name = watches[index].node.name
        dueFences.removeAll { $0.identity.name == name && !$0.isBeyondDoubt }
    }

    func isHeldBack(_ fence: DueFence) -> Bool {
        guard !fence.isBeyondDoubt, let index = indexes[fence.identity.name] else { return false }
        return watches[index].isLastResort
    }

    mutating func sendFences(now: MonotonicTime, into actions: inout [MasterAction]) {
        guard let epoch = standing.writingEpoch else { return }
        for position in dueFences.indices {
            let fence = dueFences[position]
            if let asked = fence.askedAt {
                guard now - asked >= Self.fenceTimeout else { continue }
                dueFences[position].askedAt = nil
            }
            guard !isHeldBack(fence), fence.notBefore <= now else { continue }
            dueFences[position].askedAt = now
            if let index = indexes[fence.identity.name] {
                watches[index].health.fenceRequested(fence.identity.incarnation)
            }
            actions.append(.fence(fence.identity, epoch: epoch))
        }
    }

    mutating func fenceSettled(
        _ identity: NodeIdentity, _ outcome: FenceOutcome, now: MonotonicTime, into actions: inout [MasterAction]
    ) {
        let position = dueFences.firstIndex { $0.identity == identity }
        let by = settings.identity.name
        switch outcome {
        case .fenced:
            if let position { dueFences.remove(at: position) }
            if position != nil {
                actions.append(
                    .audit(AuditRecord(.fenced, node: identity.name, by: by, detail: identity.incarnation)))
                beginTakeover(identity, now: now)
            }
        case .failed(let reason):
            if let position {
                dueFences[position].askedAt = nil
                dueFences[position].notBefore = now + Self.fenceRetry
                // Who lost the lead meanwhile is refused for that, and another one fences.
                if standing.writingEpoch != nil {
                    let detail = "\(identity.incarnation): \(reason)"
                    actions.append(.audit(AuditRecord(.fenceFailed, node: identity.name, by: by, detail: detail)))
                }
            }
        }
        guard let index = indexes[identity.name] else { return }
        ask(index, now: now, into: &actions) {
            $0.fenceSettled(identity.incarnation, isFenced: outcome == .fenced, now: now, into: &$1)
        }
    }
    /// What other masters fenced. A standby that did not know would count a fenced incarnation as alive again.
    mutating func follow(fences: [NodeIdentity], now: MonotonicTime, into actions: inout [MasterAction]) {
        for identity in fences {
            guard let index = indexes[identity.name], watches[index].health.fenced != identity.incarnation,
                watches[index].health.incarnation.map({ $0 == identity.incarnation }) ?? true
            else { continue }
            // What the leader asked itself comes back to it as an outcome.
            guard !dueFences.contains(where: { $0.identity == identity && $0.askedAt != nil }) else { continue }
            dueFences.removeAll { $0.identity == identity }
            ask(index, now: now, into: &actions) {
                $0.fenceSettled(identity.incarnation, isFenced: true, now: now, into: &$1)
            }
        }
    }
}
