import Synchronization

/// A number that only grows. Adding is one atomic instruction; a loop keeps the reference and does not look it up.
public final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    public init() {}
    public func add(_ amount: UInt64 = 1) { count.wrappingAdd(amount, ordering: .relaxed) }
    public var value: UInt64 { count.load(ordering: .relaxed) }
}

/// A number that goes up and down.
public final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)

    public init() {}

    public func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    public func set(_ value: Int) { set(Double(value)) }

    public func add(_ amount: Double) {
        var current = bits.load(ordering: .relaxed)
        while true {
            let next = (Double(bitPattern: current) + amount).bitPattern
            let (done, seen) = bits.compareExchange(expected: current, desired: next, ordering: .relaxed)
            if done { return }
            current = seen
        }
    }

    public var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// How often values fell below each of some bounds, and their sum.
public final class Histogram: Sendable {
    private struct State: Sendable {
        /// One for each bound and one for what is above all of them.
        var counts: [UInt64]
        var sum = 0.0
    }

    /// Rising upper bounds, each inclusive.
    public let bounds: [Double]
    private let state: Mutex<State>

    public init(bounds: [Double]) {
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy(<), "bounds must rise: \(bounds)")
        self.bounds = bounds
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    public func record(_ value: Double) {
        guard value.isFinite else { return }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[bucket] &+= 1
            state.sum += value
        }
    }

    /// Records a span in seconds.
    public func record(_ span: Duration) {
        let (seconds, attoseconds) = span.components
        record(Double(seconds) + Double(attoseconds) * 1e-18)
    }

    /// For each bound how many values were not above it, then the number of all values, and their sum.
    public var totals: (cumulative: [UInt64], count: UInt64, sum: Double) {
        let (counts, sum) = state.withLock { ($0.counts, $0.sum) }
        var running: UInt64 = 0
        let cumulative = counts.map { count in
            running &+= count
            return running
        }
        return (Array(cumulative.dropLast()), running, sum)
    }

    /// For what a caller waits for: 5 ms to 10 s.
    public static let waitingTimes = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10]
    /// For what is done many times a second: 0.1 ms to 1 s.
    public static let shortTimes = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1]
}
