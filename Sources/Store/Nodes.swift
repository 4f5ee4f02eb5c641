import Primitives
import Routing
import Session

/// What a node says of itself when it starts.
public struct NodeRegistration: Sendable, Hashable {
    public var identity: NodeIdentity
    public var role: NodeRole
    public var pid: Int32
    /// The process's start time as the kernel counts it (field 22 of `/proc/PID/stat`): with the pid it names one
    /// process, so that fencing by kill never hits another.
    public var processStart: UInt64
    /// `127.0.0.1:8081`.
    public var httpAddress: String
    public var checkpointVersions: ClosedRange<Int>

    public init(
        identity: NodeIdentity, role: NodeRole, pid: Int32, processStart: UInt64, httpAddress: String,
        checkpointVersions: ClosedRange<Int> = Checkpoint.readableVersions
    ) {
        self.identity = identity
        self.role = role
        self.pid = pid
        self.processStart = processStart
        self.httpAddress = httpAddress
        self.checkpointVersions = checkpointVersions
    }
}

/// A node as the store knows it: its newest incarnation.
public struct NodeRow: Sendable, Hashable {
    public var registration: NodeRegistration
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

    /// The newest checkpoint format that every node which is not fenced can read; nil where they have none in common.
    public static func commonCheckpointVersion(of nodes: [NodeRow]) -> Int? {
        var lowest = Int.min
        var highest = Checkpoint.currentVersion
        for node in nodes where !node.isFenced && node.registration.role == .center {
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
