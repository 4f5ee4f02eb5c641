/// How a language speaks values. A further language is a further conformance, handed to `Speaker`.
///
/// What a language composes it names by clips of its own `atoms`, so that a catalogue always holds them.
public protocol SpokenLanguage: Sendable {
    /// ISO 639-1: `en`, `zh`. Also the directory of its clips.
    var code: String { get }
    /// Every clip that composition can ask for, with the text that it says. A text of nothing is a short pause.
    var atoms: [String: String] { get }
    /// Stands between the texts of two clips when they are written down: a space in English, nothing in Chinese.
    var separator: String { get }

    func number(_ value: Int64) -> [String]
    func count(_ value: Int64) -> [String]
    func amount(minor: Int64, currency: String) -> [String]
    func decimal(_ text: String) -> [String]
    func digits(_ text: String, groups: [Int]) -> [String]
    func date(_ date: CivilDate) -> [String]
    func monthDay(_ date: CivilDate) -> [String]
    func time(hour: Int, minute: Int) -> [String]
    func currencyName(_ code: String) -> [String]
}

extension SpokenLanguage {
    /// The clips of one item, in the order they are played.
    public func clips(_ content: PromptItem.Content) -> [String] {
        switch content {
        case .clip(let name): [name]
        case .amount(let minor, let currency): amount(minor: minor, currency: currency)
        case .number(let value): number(value)
        case .count(let value): count(value)
        case .decimal(let text): decimal(text)
        case .digits(let text, let groups): digits(text, groups: groups)
        case .date(let day): date(day)
        case .monthDay(let day): monthDay(day)
        case .time(let hour, let minute): time(hour: hour, minute: minute)
        case .currencyName(let code): currencyName(code)
        }
    }

    public func digits(_ text: String, groups: [Int]) -> [String] {
        var result: [String] = []
        var ends: Set<Int> = []
        var end = 0
        for group in groups {
            end += max(group, 1)
            ends.insert(end)
        }
        for (index, byte) in text.utf8.enumerated() {
            if index > 0, ends.contains(index) { result.append(Atom.pause) }
            if let clip = Atom.digit(byte) { result.append(clip) }
        }
        return result
    }
}

/// Names of clips that languages share; what they say is each language's own.
enum Atom {
    static let pause = "pause"
    static let minus = "minus"
    static let point = "point"

    static func number(_ value: Int) -> String { "number-\(value)" }
    static func currency(_ code: String) -> String { "currency-\(code.lowercased())" }

    /// One ASCII digit spoken alone; nil for anything else.
    static func digit(_ ascii: UInt8) -> String? {
        (48...57).contains(ascii) ? "digit-\(ascii - 48)" : nil
    }
}

/// A decimal number as it is written, taken apart: an optional minus, whole digits, digits after the point.
struct DecimalText {
    var isNegative: Bool
    var whole: Int64
    var fraction: [UInt8]

    /// Nil unless it is such a number with at most 18 whole digits and 9 after the point.
    init?(_ text: String) {
        var rest = text[...]
        isNegative = rest.hasPrefix("-")
        if isNegative { rest = rest.dropFirst() }
        let parts = rest.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, (1...18).contains(first.utf8.count), first.utf8.allSatisfy(Self.isDigit),
            let whole = Int64(first)
        else { return nil }
        self.whole = whole
        fraction = parts.count == 2 ? Array(parts[1].utf8) : []
        guard fraction.count <= 9, fraction.allSatisfy(Self.isDigit), parts.count == 1 || !fraction.isEmpty else {
            return nil
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
}
