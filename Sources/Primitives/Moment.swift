/// What a core is told of the time with each event: the monotonic clock for spans and deadlines, civil time for records.
public struct Moment: Hashable, Sendable {
    public var monotonic: MonotonicTime
    public var wall: WallTime

    public init(monotonic: MonotonicTime, wall: WallTime) {
        self.monotonic = monotonic
        self.wall = wall
    }

    /// The civil time of a monotonic deadline, as far as the two clocks agree from now on.
    public func wall(at deadline: MonotonicTime) -> WallTime { wall + (deadline - monotonic) }

    /// The monotonic time of a civil deadline, for what was read from the store.
    public func monotonic(at deadline: WallTime) -> MonotonicTime { monotonic + (deadline - wall) }
}
