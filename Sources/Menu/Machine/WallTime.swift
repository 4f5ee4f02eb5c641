import Primitives

/// The machine is told the time of day for branches on it; spans are timers'.
public typealias WallTime = Primitives.WallTime

extension Primitives.WallTime {
    public init(secondsSince1970 seconds: Int64) {
        let (milliseconds, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        self.init(milliseconds: overflow ? (seconds < 0 ? .min : .max) : milliseconds)
    }
}
