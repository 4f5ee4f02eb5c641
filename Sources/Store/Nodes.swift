import Foundation
import Primitives
import Routing
import Session

/// Where a process runs: a process number means something only on its own machine, within one boot.
public struct MachineIdentity: Sendable, Hashable {
    /// The kernel's host name; empty in rows that an older release wrote.
    public var host: String
    /// The kernel's random id of the boot, as in `/proc/sys/kernel/random/boot_id`; empty likewise.
    public var bootID: String

    public init(host: String, bootID: String) {
        self.host = host
        self.bootID = bootID
    }

    /// This machine.
    public static let current = MachineIdentity(
        host: line(of: "/proc/sys/kernel/hostname") ?? "", bootID: line(of: "/proc/sys/kernel/random/boot_id") ?? "")
    /// Of a node whose release did not say.
    public static let unknown = MachineIdentity(host: "", bootID: "")

    private static func line(of file: String) -> String? {
        (try? String(contentsOfFile: file, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// What a node says of itself when it starts.
public struct NodeRegistration: Sendable, Hashable {
    public var identity: NodeIdentity
    public var role: NodeRole
    public var pid: Int32
    /// The process's start time as the kernel counts it (field 22 of `/proc/PID/stat`): with the pid it names one
    /// process, so that fencing by kill never hits another.
    public var processStart: UInt64
    /// Where that process runs. Who would end it by its number must be on the same machine in the same boot.
    public var machine: MachineIdentity
    /// `127.0.0.1:8081`.
    public var httpAddress: String
    public var checkpointVersions: ClosedRange<Int>

    public init(
        identity: NodeIdentity, role: NodeRole, pid: Int32, processStart: UInt64, httpAddress: String,
        checkpointVersions: ClosedRange<Int> = Checkpoint.readableVersions, machine: MachineIdentity = .current
    ) {
        self.identity = identity
        self.role = role
        self.pid = pid
        self.processStart = processStart
        self.httpAddress = httpAddress
        self.checkpointVersions = checkpointVersions
        self.machine = machine
    }
}

extension NodeRegistration {
    /// Whether both are of one process, which may have had several incarnations.
    package func isSameProcess(as other: NodeRegistration) -> Bool {
        pid == other.pid && processStart == other.processStart && machine == other.machine
    }
}

/// A node as the store knows it: its newest incarnation.
public struct NodeRow: Sendable, Hashable {
    public var registration: NodeRegistration
    /// When its process registered first.
    public var registered: WallTime
    public var lastHeartbeat: WallTime
    public var isFenced: Bool
    public var administrative: AdministrativeState

    public init(
        registration: NodeRegistration, registered: WallTime, lastHeartbeat: WallTime, isFenced: Bool,
        administrative: AdministrativeState
    ) {
        self.registration = registration
        self.registered = registered
        self.lastHeartbeat = lastHeartbeat
        self.isFenced = isFenced
        self.administrative = administrative
    }

    /// The newest checkpoint format that every living node of the store can read, which is the one to write; nil where
    /// they have none in common. Masters count as well: they write the records of calls that nobody took. Fenced nodes
    /// do not count, nor those whose last heartbeat is before `heardSince`: a node that was taken away for good would
    /// hold all others to its format.
    public static func commonCheckpointVersion(
        of nodes: [NodeRow], heardSince: WallTime = WallTime(milliseconds: .min)
    ) -> Int? {
        var lowest = Int.min
        var highest = Checkpoint.currentVersion
        for node in nodes where !node.isFenced && node.lastHeartbeat >= heardSince {
            lowest = max(lowest, node.registration.checkpointVersions.lowerBound)
            highest = min(highest, node.registration.checkpointVersions.upperBound)
        }
        return lowest <= highest ? highest : nil
    }
}

/// One change of a node's administrative state.
public struct AdministrativeChange: Sendable, Hashable, Codable {
    public var at: WallTime
    public var node: String
    public var state: AdministrativeState
    public var by: String

    public init(at: WallTime, node: String, state: AdministrativeState, by: String) {
        self.at = at
        self.node = node
        self.state = state
        self.by = by
    }
}
