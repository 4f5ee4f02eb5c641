/// A calendar day, without a clock or a time zone.
public struct CivilDate: Hashable, Sendable, Codable {
    public var year: Int
    public var month: Int
    public var day: Int

    /// Nil unless it is a day of the Gregorian calendar in the years 1...9999.
    public init?(year: Int, month: Int, day: Int) {
        guard (1...9999).contains(year), (1...12).contains(month), day >= 1 else { return nil }
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let days = month == 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
        guard day <= days else { return nil }
        self.year = year
        self.month = month
        self.day = day
    }

    /// Parses `2026-11-22`; what follows the day, such as `T10:00:00.000Z`, is passed over.
    public init?(_ text: String) {
        let head = text.prefix(10)
        let parts = head.split(separator: "-", omittingEmptySubsequences: false)
        guard head.utf8.count == 10, parts.count == 3, parts[0].utf8.count == 4, parts[1].utf8.count == 2,
            let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2])
        else { return nil }
        self.init(year: year, month: month, day: day)
    }
}

/// Something to be spoken: a recorded sentence or a value that speech composes from small clips.
public struct PromptItem: Hashable, Sendable, Codable {
    public enum Content: Hashable, Sendable, Codable {
        /// A clip of the catalogue by its name.
        case clip(String)
        /// Money in minor units with its ISO 4217 code: (1000700, "CNY") is ten thousand and seven yuan.
        case amount(minor: Int64, currency: String)
        /// A plain number, as in counting: 2 is 二.
        case number(Int64)
        /// How many of something: 2 is 两.
        case count(Int64)
        /// A decimal number as it is written, such as an exchange rate: "7.182".
        case decimal(String)
        /// Digits one by one, with a short pause between groups; what is left over goes to the last group.
        case digits(String, groups: [Int])
        /// Year, month and day.
        case date(CivilDate)
        /// Month and day.
        case monthDay(CivilDate)
        /// Time of day on the 24-hour clock.
        case time(hour: Int, minute: Int)
        /// The name of a currency by its ISO 4217 code.
        case currencyName(String)
    }

    public var content: Content
    /// The code of the language to speak it in: `en`, `zh`.
    public var language: String

    public init(_ content: Content, language: String) {
        self.content = content
        self.language = language
    }
}

/// A clip of a language's directory.
public struct ClipReference: Hashable, Sendable, Codable, CustomStringConvertible {
    public var language: String
    public var name: String

    public init(language: String, name: String) {
        self.language = language
        self.name = name
    }

    public var description: String { "\(language)/\(name)" }
}
