/// A point in civil time, in whole milliseconds since 1970-01-01T00:00:00Z without leap seconds.
/// For records that people read and for deadlines that outlive a boot; spans are measured with `MonotonicTime`.
public struct WallTime: Hashable, Comparable, Sendable {
    public var milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    public static let epoch = WallTime(milliseconds: 0)

    @inlinable public static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }

    /// Saturates instead of trapping.
    public static func + (time: Self, span: Duration) -> Self {
        let (sum, overflow) = time.milliseconds.addingReportingOverflow(span.wholeMilliseconds)
        return overflow ? Self(milliseconds: span < .zero ? .min : .max) : Self(milliseconds: sum)
    }

    public static func - (later: Self, earlier: Self) -> Duration {
        let (difference, overflow) = later.milliseconds.subtractingReportingOverflow(earlier.milliseconds)
        return .milliseconds(overflow ? (later < earlier ? .min : .max) : difference)
    }

    /// The number of the civil day since 1970-01-01 at a place `offset` east of Greenwich.
    public func day(offset: Duration = .zero) -> Int64 {
        let shifted = (self + offset).milliseconds
        return shifted >= 0 ? shifted / Self.millisecondsPerDay : (shifted + 1) / Self.millisecondsPerDay - 1
    }

    /// Midnight UTC of a day since 1970-01-01; its `description` begins with that day's date.
    public init(day: Int64) {
        let (milliseconds, overflow) = day.multipliedReportingOverflow(by: Self.millisecondsPerDay)
        self.init(milliseconds: overflow ? (day < 0 ? .min : .max) : milliseconds)
    }

    private static let millisecondsPerDay: Int64 = 86_400_000
    /// 0000-01-01 and 9999-12-31, the years that RFC 3339 can write.
    private static let writable: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999
}

extension WallTime: LosslessStringConvertible, CustomStringConvertible {
    /// RFC 3339 in UTC with milliseconds, `2026-03-01T08:15:30.250Z`; years outside 0…9999 are clamped.
    public var description: String {
        let clamped = WallTime(milliseconds: min(max(milliseconds, Self.writable.lowerBound), Self.writable.upperBound))
        let days = clamped.day()
        let rest = clamped.milliseconds - days * Self.millisecondsPerDay
        let (year, month, day) = Self.civil(fromDays: days)
        var text: [UInt8] = []
        text.reserveCapacity(24)
        func append(_ value: Int64, width: Int, then separator: Character) {
            var divisor: Int64 = 1
            for _ in 1..<width { divisor *= 10 }
            while divisor > 0 {
                text.append(UInt8(48 + value / divisor % 10))
                divisor /= 10
            }
            text.append(separator.asciiValue ?? 0)
        }
        append(year, width: 4, then: "-")
        append(month, width: 2, then: "-")
        append(day, width: 2, then: "T")
        append(rest / 3_600_000, width: 2, then: ":")
        append(rest / 60_000 % 60, width: 2, then: ":")
        append(rest / 1000 % 60, width: 2, then: ".")
        append(rest % 1000, width: 3, then: "Z")
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads what `description` writes, and RFC 3339 in UTC with none or one to three decimals; nil for other zones.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard (20...24).contains(bytes.count), bytes.last == UInt8(ascii: "Z") else { return nil }
        func number(_ range: Range<Int>) -> Int64? {
            var value: Int64 = 0
            for byte in bytes[range] {
                guard (48...57).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 48)
            }
            return value
        }
        let separators: [(Int, UInt8)] = [
            (4, UInt8(ascii: "-")), (7, UInt8(ascii: "-")), (10, UInt8(ascii: "T")), (13, UInt8(ascii: ":")),
            (16, UInt8(ascii: ":")),
        ]
        guard separators.allSatisfy({ bytes[$0.0] == $0.1 }),
            let year = number(0..<4), let month = number(5..<7), (1...12).contains(month),
            let day = number(8..<10), (1...31).contains(day), let hour = number(11..<13), hour < 24,
            let minute = number(14..<16), minute < 60, let second = number(17..<19), second < 60
        else { return nil }
        var fraction: Int64 = 0
        if bytes.count > 20 {
            guard bytes[19] == UInt8(ascii: "."), bytes.count > 21, let digits = number(20..<bytes.count - 1) else {
                return nil
            }
            fraction = digits
            for _ in 0..<(24 - bytes.count) { fraction *= 10 }
        }
        let days = Self.days(fromYear: year, month: month, day: day)
        guard Self.civil(fromDays: days) == (year, month, day) else { return nil }
        milliseconds = ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + fraction
    }

    /// The proleptic Gregorian date of a day number (Howard Hinnant's `civil_from_days`).
    private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        )
    }

    private static func days(fromYear year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

extension WallTime: Codable {
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let time = WallTime(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "not an RFC 3339 time in UTC"))
        }
        self = time
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
