import Primitives
import StrictYAML

extension MenuReading {
    private static let dayNames = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

    /// The `hours` section: names for spans of the week.
    func hours(_ value: YAMLValue?) -> [String: OpeningHours] {
        var result: [String: OpeningHours] = [:]
        for (key, value) in value?.entries("a mapping of names to hours") ?? [] {
            guard let name = key.name("a name for these hours"), let map = value.mapping() else { continue }
            let days = map.require("days").flatMap(self.days)
            let start = map.require("from").flatMap { clock($0) }
            let end = map.require("to").flatMap { clock($0) }
            let offset = map.require("utc-offset").flatMap(self.offset)
            let closed = (map.take("closed-on")?.list("a list of dates") ?? []).compactMap { day -> Int64? in
                guard let date = WallTime((day.text("a date") ?? "") + "T00:00:00Z") else {
                    day.fail("found \(day.found), expected a date such as 2026-10-01")
                    return nil
                }
                return date.day()
            }
            map.finish()
            if let days, let start, let end, let offset {
                result[name] = OpeningHours(
                    days: days, start: start, end: end, offsetMinutes: offset, closed: Set(closed))
            }
        }
        return result
    }

    private func days(_ value: YAMLValue) -> Set<Int>? {
        let days = value.list("a list of days, such as [mon, tue]")?.compactMap { day -> Int? in
            guard let index = Self.dayNames.firstIndex(of: day.text("a day") ?? "") else {
                day.fail("found \(day.found), expected one of \(Self.dayNames.joined(separator: ", "))")
                return nil
            }
            return index
        }
        return days.map(Set.init)
    }

    /// `08:30`; 24:00 is the end of the day.
    private func clock(_ value: YAMLValue) -> Int? {
        let parts = value.text("a time of day")?.split(separator: ":") ?? []
        guard parts.count == 2, parts[1].utf8.count == 2, let hour = Int(parts[0]), let minute = Int(parts[1]),
            (0...24).contains(hour), (0...59).contains(minute), hour * 60 + minute <= 1440
        else {
            value.fail("found \(value.found), expected a time of day such as \"08:30\", in quotes")
            return nil
        }
        return hour * 60 + minute
    }

    private func offset(_ value: YAMLValue) -> Int? {
        guard let text = value.text("an offset from UTC"), let sign = text.first, sign == "+" || sign == "-",
            case let parts = text.dropFirst().split(separator: ":"), parts.count == 2, let hours = Int(parts[0]),
            let minutes = Int(parts[1]), (0...14).contains(hours), (0...59).contains(minutes)
        else {
            value.fail("found \(value.found), expected an offset from UTC such as \"+08:00\", in quotes")
            return nil
        }
        return (sign == "-" ? -1 : 1) * (hours * 60 + minutes)
    }
}
