/// English as it is spoken at a bank's counter: "ten thousand and seven yuan", "five fen".
public struct English: SpokenLanguage {
    public init() {}

    public var code: String { "en" }
    public var separator: String { " " }

    private static let belowTwenty = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
        "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    ]
    private static let tens = [
        "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ]
    private static let ordinals = [
        1: "first", 2: "second", 3: "third", 5: "fifth", 8: "eighth", 9: "ninth", 12: "twelfth", 20: "twentieth",
        30: "thirtieth",
    ]
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    /// Singular and plural of the major, then of the minor unit.
    private static let units: [String: [String]] = [
        "CNY": ["yuan", "yuan", "fen", "fen"], "USD": ["dollar", "dollars", "cent", "cents"],
        "EUR": ["euro", "euros", "cent", "cents"], "GBP": ["pound", "pounds", "penny", "pence"],
        "HKD": ["Hong Kong dollar", "Hong Kong dollars", "cent", "cents"], "JPY": ["yen", "yen"],
    ]
    private static let names = [
        "CNY": "yuan renminbi", "USD": "U S dollar", "EUR": "euro", "GBP": "pound sterling",
        "HKD": "Hong Kong dollar", "JPY": "Japanese yen",
    ]
    private static let scales: [(value: UInt64, clip: String)] = [
        (1_000_000_000_000_000_000, "quintillion"), (1_000_000_000_000_000, "quadrillion"),
        (1_000_000_000_000, "trillion"), (1_000_000_000, "billion"), (1_000_000, "million"), (1000, "thousand"),
    ]

    private static func upToNinetyNine(_ value: Int) -> String {
        if value < 20 { return belowTwenty[value] }
        return tens[value / 10] + (value % 10 == 0 ? "" : "-" + belowTwenty[value % 10])
    }

    private static func ordinal(_ value: Int) -> String {
        if let word = ordinals[value] { return word }
        return value < 20 ? belowTwenty[value] + "th" : tens[value / 10] + "-" + ordinal(value % 10)
    }

    public var atoms: [String: String] {
        var texts = [
            Atom.pause: "", Atom.minus: "minus", Atom.point: "point", "and": "and", "hundred": "hundred", "oh": "oh",
            "o-clock": "o'clock", "hours": "hours",
        ]
        for (_, clip) in Self.scales { texts[clip] = clip }
        for value in 0...99 { texts[Atom.number(value)] = Self.upToNinetyNine(value) }
        for value in 0...9 { texts["digit-\(value)"] = Self.belowTwenty[value] }
        for value in 1...31 { texts["ordinal-\(value)"] = Self.ordinal(value) }
        for (index, month) in Self.months.enumerated() { texts["month-\(index + 1)"] = month }
        for (code, words) in Self.units {
            for (index, word) in words.enumerated() { texts[Self.unitClip(code, index)] = word }
        }
        for (code, name) in Self.names { texts[Atom.currency(code)] = name }
        return texts
    }

    private static func unitClip(_ code: String, _ index: Int) -> String {
        "unit-\(code.lowercased())-" + ["major", "majors", "minor", "minors"][index]
    }

    public func number(_ value: Int64) -> [String] {
        (value < 0 ? [Atom.minus] : []) + cardinal(value.magnitude)
    }

    public func count(_ value: Int64) -> [String] { number(value) }

    private func cardinal(_ value: UInt64) -> [String] {
        if value == 0 { return [Atom.number(0)] }
        var clips: [String] = []
        var rest = value
        for (scale, clip) in Self.scales where rest >= scale {
            clips += belowThousand(Int(rest / scale), after: false) + [clip]
            rest %= scale
        }
        if rest > 0 { clips += belowThousand(Int(rest), after: !clips.isEmpty) }
        return clips
    }

    /// `after`: a larger part went before, so that a small one takes "and": ten thousand and seven.
    private func belowThousand(_ value: Int, after: Bool) -> [String] {
        let hundreds = value / 100, rest = value % 100
        var clips = hundreds > 0 ? [Atom.number(hundreds), "hundred"] : []
        if rest > 0 {
            if hundreds > 0 || after { clips.append("and") }
            clips.append(Atom.number(rest))
        }
        return clips
    }

    public func amount(minor: Int64, currency: String) -> [String] {
        let (isNegative, major, small) = Currency.split(minor: minor, currency: currency)
        var clips = isNegative ? [Atom.minus] : []
        guard let words = Self.units[currency] else {
            // A currency without words: the bare number, so that nothing wrong is said.
            return clips + cardinal(major) + fraction(small)
        }
        if major > 0 || small == 0 { clips += cardinal(major) + [Self.unitClip(currency, major == 1 ? 0 : 1)] }
        if small > 0, words.count == 4 {
            if major > 0 { clips.append("and") }
            clips += cardinal(small) + [Self.unitClip(currency, small == 1 ? 2 : 3)]
        }
        return clips
    }

    private func fraction(_ hundredths: UInt64) -> [String] {
        hundredths == 0 ? [] : [Atom.point, "digit-\(hundredths / 10)", "digit-\(hundredths % 10)"]
    }

    public func decimal(_ text: String) -> [String] {
        guard let value = DecimalText(text) else { return [] }
        var clips = (value.isNegative ? [Atom.minus] : []) + cardinal(value.whole.magnitude)
        if !value.fraction.isEmpty { clips += [Atom.point] + value.fraction.compactMap(Atom.digit) }
        return clips
    }

    public func date(_ date: CivilDate) -> [String] { monthDay(date) + year(date.year) }

    public func monthDay(_ date: CivilDate) -> [String] { ["month-\(date.month)", "ordinal-\(date.day)"] }

    private func year(_ year: Int) -> [String] {
        let century = year / 100, rest = year % 100
        // 2005 is two thousand and five, 1905 nineteen oh five, 1900 nineteen hundred.
        if year < 1000 || (2000...2009).contains(year) || (rest == 0 && century % 10 == 0) {
            return cardinal(UInt64(year))
        }
        if rest == 0 { return [Atom.number(century), "hundred"] }
        return [Atom.number(century)] + (rest < 10 ? ["oh"] : []) + [Atom.number(rest)]
    }

    public func time(hour: Int, minute: Int) -> [String] {
        guard (0...23).contains(hour), (0...59).contains(minute) else { return [] }
        if minute == 0 { return [Atom.number(hour), hour <= 12 && hour > 0 ? "o-clock" : "hours"] }
        return [Atom.number(hour)] + (minute < 10 ? ["oh"] : []) + [Atom.number(minute)]
    }

    public func currencyName(_ code: String) -> [String] {
        Self.names[code] == nil ? [] : [Atom.currency(code)]
    }
}
