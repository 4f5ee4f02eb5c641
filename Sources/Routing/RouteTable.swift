import Primitives

/// One center as the master sees it.
public struct RouteEntry: Hashable, Sendable {
    public var name: String
    /// Nil until the center answered once, and in tables made from a profile.
    public var incarnation: String?
    /// Where it takes SIP, by UDP and TCP; the first is preferred. Never empty, at most `RouteTable.endpointLimit`.
    public var sip: [Endpoint]
    public var state: NodeState
    /// Share of new calls relative to the others, 0...1000. 0 is a spare: used when no other is left.
    public var weight: Int
    /// Calls it holds and can hold (0: no limit known), as it said last.
    public var calls: Int
    public var limit: Int
    /// Present while `state` is `ramping`: how far it was when the table was made.
    public var ramp: RampUp?
    /// Since when the state holds; for people, nothing is decided by it.
    public var since: WallTime
    public var reason: String
    /// The center that lived last and is down only by the master's own view: tried when nothing else is left.
    public var isLastResort: Bool
    /// The incarnation that the store holds for dead, while no other one has answered: what still comes from there is of
    /// an owner that does not own any more.
    public var fenced: String?

    public init(
        name: String, incarnation: String? = nil, sip: [Endpoint], state: NodeState, weight: Int = 100, calls: Int = 0,
        limit: Int = 0, ramp: RampUp? = nil, since: WallTime = .epoch, reason: String = "", isLastResort: Bool = false,
        fenced: String? = nil
    ) {
        self.name = name
        self.incarnation = incarnation
        self.sip = sip
        self.state = state
        self.weight = weight
        self.calls = calls
        self.limit = limit
        self.ramp = ramp
        self.since = since
        self.reason = reason
        self.isLastResort = isLastResort
        self.fenced = fenced
    }
}

/// The centers with state and weight, numbered so that everyone who holds two tables knows which one is newer.
public struct RouteTable: Hashable, Sendable {
    /// More centers than this are refused (I8); a set of centers is one machine word.
    public static let centerLimit = 64
    public static let endpointLimit = 8
    /// The largest encoded table that is read.
    public static let byteLimit = 256 * 1024
    /// The store id of tables that come from an access profile and hold until a master publishes.
    public static let profileStoreID = "profile"

    /// Which store the epochs were counted in.
    public var storeID: String
    /// Which turn of leading made it.
    public var leaderEpoch: UInt64
    /// Counts tables within one turn.
    public var generation: UInt64
    public var centers: [RouteEntry]
    /// Read back from disk: it holds until any master publishes, whatever the numbers say, because a store that was
    /// restored from a backup counts its epochs on from an earlier one. Neither compared nor encoded.
    public private(set) var isProvisional = false

    public init(storeID: String, leaderEpoch: UInt64, generation: UInt64, centers: [RouteEntry]) {
        self.storeID = storeID
        self.leaderEpoch = leaderEpoch
        self.generation = generation
        self.centers = centers
    }

    /// The table of an access node that has heard no master yet.
    public init(profileCenters: [RouteEntry]) {
        self.init(storeID: Self.profileStoreID, leaderEpoch: 0, generation: 0, centers: profileCenters)
    }

    /// Whether this table takes the place of `current`: always when there is none; never when it comes from a profile
    /// and the other from a master; when its store is another one (what was kept belongs to a store that is gone), or
    /// `current` is provisional; else when it is newer by leader epoch, then by generation. The same number again is no
    /// news.
    public func supersedes(_ current: RouteTable?) -> Bool {
        guard let current else { return true }
        if storeID == Self.profileStoreID { return current.storeID == Self.profileStoreID && self != current }
        if storeID != current.storeID || current.isProvisional { return true }
        return (leaderEpoch, generation) > (current.leaderEpoch, current.generation)
    }

    /// Whether two tables differ in anything but numbers that only load sharing looks at. Publishing may wait for the
    /// latter, never for the former.
    public func differsInRoutes(from other: RouteTable) -> Bool {
        func routes(_ entry: RouteEntry) -> RouteEntry {
            var entry = entry
            entry.calls = 0
            entry.ramp = nil
            return entry
        }
        return storeID != other.storeID || leaderEpoch != other.leaderEpoch
            || centers.map(routes) != other.centers.map(routes)
    }

    /// The table as it is to be used after it was read back from disk: identities and states hold until a master says
    /// otherwise, loads and ramps are of another time.
    public func restoredFromDisk() -> RouteTable {
        var table = self
        table.isProvisional = true
        for index in table.centers.indices {
            table.centers[index].calls = 0
            table.centers[index].ramp = nil
            if table.centers[index].state == .ramping { table.centers[index].state = .up }
        }
        return table
    }

    public static func == (one: RouteTable, other: RouteTable) -> Bool {
        one.storeID == other.storeID && one.leaderEpoch == other.leaderEpoch && one.generation == other.generation
            && one.centers == other.centers
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(storeID)
        hasher.combine(leaderEpoch)
        hasher.combine(generation)
        hasher.combine(centers)
    }
}
