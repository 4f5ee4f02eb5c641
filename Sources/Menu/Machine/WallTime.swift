import Speech

/// The time that calendars show, handed into the machine for branches on the time of day.
public struct WallTime: Hashable, Comparable, Sendable, Codable {
    public var secondsSince1970: Int64

    public init(secondsSince1970: Int64) { self.secondsSince1970 = secondsSince1970 }

    public static func < (left: Self, right: Self) -> Bool { left.secondsSince1970 < right.secondsSince1970 }

    /// Parses `2026-11-22T09:30` or `2026-11-22T09:30:00Z`, in UTC.
    public init?(_ text: String) {
        let parts = text.split(separator: "T", maxSplits: 1)
        guard parts.count == 2, let date = CivilDate(String(parts[0])) else { return nil }
        var clock = parts[1]
        if clock.hasSuffix("Z") { clock = clock.dropLast() }
        let fields = clock.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard (2...3).contains(fields.count), let hour = fields[0], (0...23).contains(hour), let minute = fields[1],
            (0...59).contains(minute), let second = fields.count == 3 ? fields[2] : 0, (0...59).contains(second)
        else { return nil }
        secondsSince1970 = Int64(CivilCalendar.days(of: date)) * 86_400 + Int64(hour * 3600 + minute * 60 + second)
    }
}

/// The Gregorian calendar by arithmetic alone.
enum CivilCalendar {
    /// Days since 1970-01-01 (H. Hinnant, "chrono-compatible low-level date algorithms").
    static func days(of date: CivilDate) -> Int {
        let year = date.month <= 2 ? date.year - 1 : date.year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// 0 is Monday.
    static func weekday(ofDay days: Int) -> Int { ((days % 7) + 10) % 7 }
}

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
    var closed: Set<Int>

    public func contains(_ time: WallTime) -> Bool {
        let local = time.secondsSince1970 + Int64(offsetMinutes) * 60
        let day = Int((local - (local % 86_400 + 86_400) % 86_400) / 86_400)
        let minute = Int((local - Int64(day) * 86_400) / 60)
        if start < end { return isOpen(day) && minute >= start && minute < end }
        return isOpen(day) && minute >= start || isOpen(day - 1) && minute < end
    }

    private func isOpen(_ day: Int) -> Bool {
        days.contains(CivilCalendar.weekday(ofDay: day)) && !closed.contains(day)
    }
}
