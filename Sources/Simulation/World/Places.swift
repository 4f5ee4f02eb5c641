import Primitives

/// Who takes part. Callers count as one place, which no cut separates from itself.
enum NodeName: Sendable, Hashable {
    case access(Int), center(Int), master(Int), store, callers

    var text: String {
        switch self {
        case .access(let index): Places.accessNames[index]
        case .center(let index): Places.centerNames[index]
        case .master(let index): Places.masterNames[index]
        case .store: "the store"
        case .callers: "the callers"
        }
    }
}

/// Names and addresses: each node has a host of its own.
enum Places {
    static let accessNames = ["access-1", "access-2"]
    static let centerNames = ["center-a", "center-b", "center-c"]
    static let masterNames = ["master-a", "master-b"]
    private static let firstAccess: UInt32 = 0x0A00_0001
    private static let firstMaster: UInt32 = 0x0A00_0005
    private static let firstCenter: UInt32 = 0x0A00_000B
    private static let firstCaller: UInt32 = 0x0A01_0000

    static func access(_ index: Int) -> Endpoint { Endpoint(.v4(firstAccess + UInt32(index)), port: 5060) }
    static func master(_ index: Int) -> Endpoint { Endpoint(.v4(firstMaster + UInt32(index)), port: 5070) }
    static func center(_ index: Int) -> Endpoint { Endpoint(.v4(firstCenter + UInt32(index)), port: 5080) }
    static func caller(_ index: Int) -> Endpoint { Endpoint(.v4(firstCaller + UInt32(index)), port: 5060) }

    /// By address alone, so that it serves SIP and media; nil for strangers.
    static func node(at endpoint: Endpoint) -> NodeName? {
        guard case .v4(let bits) = endpoint.address else { return nil }
        switch bits {
        case firstAccess..<firstAccess + UInt32(accessNames.count): return .access(Int(bits - firstAccess))
        case firstMaster..<firstMaster + UInt32(masterNames.count): return .master(Int(bits - firstMaster))
        case firstCenter..<firstCenter + UInt32(centerNames.count): return .center(Int(bits - firstCenter))
        case firstCaller..<firstCaller + 0x1_0000: return .callers
        default: return nil
        }
    }

    static func callerIndex(_ endpoint: Endpoint) -> Int? {
        guard case .v4(let bits) = endpoint.address, bits & 0xFFFF_0000 == firstCaller else { return nil }
        return Int(bits & 0xFFFF)
    }
}

/// One direction between two places.
struct Way: Hashable, Sendable {
    var from: NodeName
    var to: NodeName

    static func both(_ one: NodeName, _ other: NodeName) -> [Way] {
        [Way(from: one, to: other), Way(from: other, to: one)]
    }
}

/// The ways that are cut now. Cuts overlap: a way is open again when the last of them is mended.
struct Cuts: Sendable {
    private var cuts: [(id: Int, ways: Set<Way>)] = []
    private var lastID = 0

    var isEmpty: Bool { cuts.isEmpty }

    mutating func add(_ ways: [Way]) -> Int {
        lastID += 1
        cuts.append((lastID, Set(ways)))
        return lastID
    }

    /// False when it was mended before.
    mutating func mend(_ id: Int) -> Bool {
        guard let at = cuts.firstIndex(where: { $0.id == id }) else { return false }
        cuts.remove(at: at)
        return true
    }

    mutating func mendAll() { cuts = [] }

    func blocks(_ from: NodeName, _ to: NodeName) -> Bool {
        !cuts.isEmpty && cuts.contains { $0.ways.contains(Way(from: from, to: to)) }
    }

    /// Something of that place is cut.
    func touches(_ node: NodeName) -> Bool {
        cuts.contains { $0.ways.contains { $0.from == node || $0.to == node } }
    }
}
