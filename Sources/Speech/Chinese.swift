/// Mandarin as it is spoken at a bank's counter: 一万零七元, 五分, 两千二百元.
public struct Chinese: SpokenLanguage {
    public init() {}

    public var code: String { "zh" }
    public var separator: String { "" }

    private static let figures = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九"]
    private static let placeClips = ["", "ten", "hundred", "thousand"]

    private static let majorUnits = [
        "CNY": "元", "USD": "美元", "EUR": "欧元", "GBP": "英镑", "HKD": "港元", "JPY": "日元",
    ]
    private static let minorUnits = ["USD": "美分", "EUR": "欧分", "GBP": "便士", "HKD": "港仙"]
    private static let names = [
        "CNY": "人民币", "USD": "美元", "EUR": "欧元", "GBP": "英镑", "HKD": "港元", "JPY": "日元",
    ]

    public var atoms: [String: String] {
        var texts = [
            Atom.pause: "", Atom.minus: "负", Atom.point: "点", "liang": "两", "ten": "十", "hundred": "百",
            "thousand": "千", "wan": "万", "yi": "亿", "year": "年", "month": "月", "day": "日", "o-clock": "点",
            "minute": "分", "o-clock-sharp": "整", "unit-cny-jiao": "角", "unit-cny-minor": "分",
        ]
        for (value, figure) in Self.figures.enumerated() {
            texts[Atom.number(value)] = figure
            // In a string of digits a speaker says 幺, so that it cannot be mistaken for 七.
            texts["digit-\(value)"] = value == 1 ? "幺" : figure
        }
        for (code, word) in Self.majorUnits { texts[Self.majorClip(code)] = word }
        for (code, word) in Self.minorUnits { texts[Self.minorClip(code)] = word }
        for (code, name) in Self.names { texts[Atom.currency(code)] = name }
        return texts
    }

    private static func majorClip(_ code: String) -> String { "unit-\(code.lowercased())-major" }
    private static func minorClip(_ code: String) -> String { "unit-\(code.lowercased())-minor" }

    public func number(_ value: Int64) -> [String] {
        (value < 0 ? [Atom.minus] : []) + cardinal(value.magnitude)
    }

    public func count(_ value: Int64) -> [String] {
        (value < 0 ? [Atom.minus] : []) + measured(value.magnitude)
    }

    /// Before a measure word a two alone is 两: 两元, 两次; but 十二元.
    private func measured(_ value: UInt64) -> [String] { value == 2 ? ["liang"] : cardinal(value) }

    /// 万 counts groups of four places, 亿 whatever stands before the last eight: 一万二千亿.
    /// 零 stands once for any run of empty places inside, never at the end.
    private func cardinal(_ value: UInt64, leads: Bool = true, isCounter: Bool = false) -> [String] {
        if value == 0 { return [Atom.number(0)] }
        if value < 10_000 { return places(of: Int(value), leads: leads, isCounter: isCounter) }
        let (unit, clip): (UInt64, String) = value < 100_000_000 ? (10_000, "wan") : (100_000_000, "yi")
        let head = cardinal(value / unit, leads: leads, isCounter: true) + [clip]
        let rest = value % unit
        if rest == 0 { return head }
        let gap = rest < unit / 10 ? [Atom.number(0)] : []
        return head + gap + cardinal(rest, leads: false)
    }

    /// One group of four places. At the head of a number 2 is 两 before 百, 千, 万 and 亿: 两千二百, 两万; further on it
    /// is 二: 一万二千. 10…19 are 十… at the head and 一十… further on.
    private func places(of group: Int, leads: Bool, isCounter: Bool) -> [String] {
        if leads, group == 2, isCounter { return ["liang"] }
        var clips: [String] = []
        var zero = false
        for (place, unit) in [(3, 1000), (2, 100), (1, 10), (0, 1)] {
            let figure = group / unit % 10
            if figure == 0 {
                zero = !clips.isEmpty
                continue
            }
            if zero { clips.append(Atom.number(0)) }
            zero = false
            let first = leads && clips.isEmpty
            if first, figure == 2, place >= 2 {
                clips.append("liang")
            } else if !(first && figure == 1 && place == 1) {
                clips.append(Atom.number(figure))
            }
            if place > 0 { clips.append(Self.placeClips[place]) }
        }
        return clips
    }

    public func amount(minor: Int64, currency: String) -> [String] {
        let (isNegative, major, small) = Currency.split(minor: minor, currency: currency)
        let sign = isNegative ? [Atom.minus] : []
        guard Self.majorUnits[currency] != nil else {
            // A currency without words: the bare number, so that nothing wrong is said.
            let fraction = small == 0 ? [] : [Atom.point, Atom.number(Int(small / 10)), Atom.number(Int(small % 10))]
            return sign + cardinal(major) + fraction
        }
        var clips: [String] = []
        if major > 0 || small == 0 { clips += measured(major) + [Self.majorClip(currency)] }
        guard small > 0 else { return sign + clips }
        if currency != "CNY" { return sign + clips + measured(small) + [Self.minorClip(currency)] }
        let jiao = Int(small / 10), fen = Int(small % 10)
        if jiao > 0 {
            clips += [jiao == 2 && clips.isEmpty ? "liang" : Atom.number(jiao), "unit-cny-jiao"]
        } else if major > 0 {
            clips.append(Atom.number(0))
        }
        if fen > 0 { clips += [fen == 2 && clips.isEmpty ? "liang" : Atom.number(fen), "unit-cny-minor"] }
        return sign + clips
    }

    public func decimal(_ text: String) -> [String] {
        guard let value = DecimalText(text) else { return [] }
        var clips = (value.isNegative ? [Atom.minus] : []) + cardinal(value.whole.magnitude)
        // After the point 1 is 一, not 幺: it is a number, not a string of digits.
        if !value.fraction.isEmpty { clips += [Atom.point] + value.fraction.map { Atom.number(Int($0) - 48) } }
        return clips
    }

    public func date(_ date: CivilDate) -> [String] {
        String(date.year).utf8.map { Atom.number(Int($0) - 48) } + ["year"] + monthDay(date)
    }

    public func monthDay(_ date: CivilDate) -> [String] {
        cardinal(UInt64(date.month)) + ["month"] + cardinal(UInt64(date.day)) + ["day"]
    }

    public func time(hour: Int, minute: Int) -> [String] {
        guard (0...23).contains(hour), (0...59).contains(minute) else { return [] }
        let start = measured(UInt64(hour)) + ["o-clock"]
        if minute == 0 { return start + ["o-clock-sharp"] }
        return start + (minute < 10 ? [Atom.number(0)] : []) + cardinal(UInt64(minute)) + ["minute"]
    }

    public func currencyName(_ code: String) -> [String] {
        Self.names[code] == nil ? [] : [Atom.currency(code)]
    }
}
