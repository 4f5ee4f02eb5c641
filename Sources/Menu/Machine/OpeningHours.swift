import Primitives

/// A named span of the week, such as the hours in which agents work.
public struct OpeningHours: Hashable, Sendable {
    /// 0 is Monday.
    var days: Set<Int>
    /// Minutes since midnight; when the end is not after the start, the span runs past midnight into the next day.
    var start: Int
    var end: Int
    /// East of Greenwich is positive. A fixed offset: summer time is not followed.
    var offsetMinutes: Int
    /// Days on which it is closed all the same, as days since 1970-01-01.
    var closed: Set<Int64>

    public func contains(_ time: WallTime) -> Bool {
        let offset = Duration.seconds(offsetMinutes * 60)
        let day = time.day(offset: offset)
        let minute = Int((time + offset - WallTime(milliseconds: day * 86_400_000)).wholeMilliseconds / 60_000)
        if start < end { return isOpen(day) && minute >= start && minute < end }
        return isOpen(day) && minute >= start || isOpen(day - 1) && minute < end
    }

    private func isOpen(_ day: Int64) -> Bool {
        // Day 0, 1970-01-01, was a Thursday.
        days.contains(Int(((day + 3) % 7 + 7) % 7)) && !closed.contains(day)
    }
}
