/// One key of a telephone: 0–9, `*`, `#` or A–D. It may be part of a PIN, so it prints as a dot; `character` shows it.
public struct KeypadDigit: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    public let ascii: UInt8

    public init?(ascii: UInt8) {
        switch ascii {
        case 48...57, 65...68, 35, 42: self.ascii = ascii
        default: return nil
        }
    }

    public init?(_ character: Character) {
        guard let ascii = character.asciiValue else { return nil }
        self.init(ascii: ascii)
    }

    private init(known ascii: UInt8) { self.ascii = ascii }

    public static let star = KeypadDigit(known: 42)
    public static let hash = KeypadDigit(known: 35)

    public var isDecimal: Bool { (48...57).contains(ascii) }
    public var character: Character { Character(UnicodeScalar(ascii)) }
    public var description: String { "•" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
