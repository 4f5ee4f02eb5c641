import Glibc
import Logging
import NetworkIO
import NodeRuntime
import Primitives
import Session
import Store

/// Ends the process of a node that is judged dead: the one way to fence when the store cannot be written because that
/// very process holds its lock. `tandem up` starts it again.
struct PowerSwitch: Sendable {
    enum Outcome: Equatable, Sendable {
        case ended(pid: Int32)
        /// That process is no more.
        case gone
        /// It runs on another machine, or in another boot of this one: its number means nothing here.
        case elsewhere
        /// The store does not say which process it is, or it is another life of that node by now.
        case unknown
    }

    let store: any Store
    let state: StateDirectory
    let machine: MachineIdentity
    let log: Logger

    /// Reading does not wait for the lock of writers.
    func cut(_ dead: NodeIdentity) async -> Outcome {
        guard case .nodes(let rows) = await store.submit(.nodes),
            let row = rows.first(where: { $0.registration.identity == dead })
        else { return .unknown }
        let outcome = cut(row.registration)
        log.warning(
            "the store is locked; fencing by power switch",
            metadata: ["about": "\(dead)", "pid": "\(row.registration.pid)", "outcome": "\(outcome)"])
        return outcome
    }

    private func cut(_ node: NodeRegistration) -> Outcome {
        guard !machine.bootID.isEmpty, node.machine == machine else { return .elsewhere }
        // A process that may not be ended, or is this one, is not what a row may name.
        guard node.pid > 1, node.pid != getpid() else { return .unknown }
        guard ProcessIdentity.of(pid: node.pid)?.startTicks == node.processStart else { return .gone }
        do throws(NodeFailure) {
            try RestartNote(.killed, of: node.identity.name, in: state).leave(for: node.pid)
        } catch {
            log.error("no note for tandem up", metadata: ["reason": "\(error)"])
        }
        guard kill(node.pid, SIGKILL) == 0 else { return errno == ESRCH ? .gone : .unknown }
        return .ended(pid: node.pid)
    }
}
