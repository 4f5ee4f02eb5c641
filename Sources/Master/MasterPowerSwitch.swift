import Primitives
import Routing
import Session

/// Fencing by power switch. On one machine a process that was stopped inside a write holds the lock of the store's file,
/// and with it blocks every writer: no fence, no claim, no lease. Who is judged dead and silent is ended then.
extension MasterCore {
    /// Before the same process is ended again.
    static let cutSpacing: Duration = .seconds(2)

    /// Only who leads, or led until the store fell silent, ends others. Where the leader itself is judged dead it may
    /// be the one that holds the lock, and where none is known nobody else will.
    private var mayCutPower: Bool {
        switch standing {
        case .leading, .cutOff: return true
        case .standby(nil): return true
        case .standby(let leader?):
            guard leader.name != settings.identity.name, let index = indexes[leader.name] else { return false }
            return isSilentlyDead(index)
        }
    }

    /// Judged, by silence: where a port is refused the process is gone already, and its locks with it.
    private func isSilentlyDead(_ index: Int) -> Bool {
        watches[index].diedOf == .silence && watches[index].health.isJudged && !watches[index].health.state.lives
    }

    mutating func storeIsLocked(now: MonotonicTime, into actions: inout [MasterAction]) {
        guard mayCutPower else { return }
        for index in watches.indices where isSilentlyDead(index) && !watches[index].isLastResort {
            let name = watches[index].node.name
            guard let incarnation = watches[index].health.incarnation,
                let identity = NodeIdentity(name: name, incarnation: incarnation),
                watches[index].cutAt.map({ now - $0 >= Self.cutSpacing }) ?? true
            else { continue }
            watches[index].cutAt = now
            actions.append(.cutPower(identity))
        }
    }

    /// What waited for the lock is tried again at once.
    mutating func powerCut(_ identity: NodeIdentity, now: MonotonicTime) {
        lease.hurry(now: now)
        for index in dueFences.indices where dueFences[index].askedAt == nil { dueFences[index].notBefore = now }
    }
}
