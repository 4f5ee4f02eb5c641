/// One run: what takes part, and from which seed everything random follows.
public struct SimulationSettings: Sendable {
    public var seed: UInt64
    public var phones = 50
    /// New calls are begun this long; then everything is healed and the last calls end.
    public var callingTime: Duration = .seconds(240)
    /// Kills, freezes, cuts, store outages, clock steps and garbage.
    public var hasDisasters = true
    /// Loss, duplication, reordering and delay.
    public var hasLoss = true
    /// Centers go on with the calls of dead ones; otherwise these end as `lost`.
    public var takesOver = Simulation.takesOver
    /// Centers are stopped and go on.
    public var freezesCenters = Simulation.freezesCenters
    /// Centers are drained while callers talk.
    public var drains = true
    /// Calls that a center takes at most; nil leaves it to the seed, which makes every fourth run a narrow one.
    public var callLimit: Int?
    /// The seed may choose such a limit.
    public var mayBeNarrow = true
    /// The only disasters to choose from, by the names of `Disaster.Kind`; nil draws some of all.
    public var kinds: [String]?
    public var fault: Fault?
    /// Events that a failure shows of the call concerned.
    public var traceLength = 120
    /// Write every event to standard error as it happens.
    public var tracesAll = false

    public init(seed: UInt64) { self.seed = seed }
}

/// What a run came to.
public struct SimulationReport: Sendable, Equatable {
    public internal(set) var calls = 0
    public internal(set) var answered = 0
    /// Calls that ended with a final answer other than 2xx.
    public internal(set) var refused = 0
    /// Answered calls whose center died.
    public internal(set) var orphaned = 0
    public internal(set) var kills = 0
    public internal(set) var cuts = 0
    public internal(set) var freezes = 0
    /// Standbys of the store that took its place.
    public internal(set) var promotions = 0
    /// An operator's.
    public internal(set) var orders = 0
    /// Sessions that changed their owner.
    public internal(set) var claims = 0
    /// Callers who heard another center after theirs was lost.
    public internal(set) var resumed = 0
    /// Of these, those who were asked again what was open.
    public internal(set) var positionsKept = 0
    /// Of these, those whose gap was judged though the leading master died with their center.
    public internal(set) var resumedWithoutLeader = 0
    /// Of these, those whose gap was judged though a second center was lost shortly before theirs or after it.
    public internal(set) var resumedAfterTwo = 0
    /// Longest silence of a caller whose center was lost, from the last loss that the rules allow for.
    public internal(set) var longestGap = Duration.zero
    /// New calls that were refused because every center that could take them was full.
    public internal(set) var turnedAway = 0
    public internal(set) var outages = 0
    public internal(set) var transfers = 0
    /// Transfers that a caller heard to be done.
    public internal(set) var toldDone = 0
    public internal(set) var records = 0
    public internal(set) var lost = 0
    /// Of these, those whose callers still waited and for whom no center had room.
    public internal(set) var lostForRoom = 0
    public internal(set) var garbage = 0
    /// Strange datagrams that could not be parsed and were answered.
    public internal(set) var garbageAnswered = 0
    public internal(set) var datagrams = 0
    public internal(set) var dropped = 0
    /// Calls that a draining center gave to another, and the longest silence at it.
    public internal(set) var handovers = 0
    public internal(set) var longestHandoverGap = Duration.zero
    /// Longest time that a caller heard two centers at once.
    public internal(set) var longestOverlap = Duration.zero
    /// Virtual time that passed.
    public internal(set) var virtualTime = Duration.zero
    /// Sum of the time that callers were connected.
    public internal(set) var callTime = Duration.zero
    /// Slowest answer among the calls that nothing but dead centers held up.
    public internal(set) var slowestAnswer = Duration.zero
    /// Folds every event in order: equal for equal seeds.
    public internal(set) var traceHash: UInt64 = 0
    public internal(set) var violation: Violation?
    /// What happened around the call concerned, oldest first; empty unless something broke.
    public internal(set) var trace: [String] = []
}
