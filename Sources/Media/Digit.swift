/// A key of a telephone: 0–9, *, #, A–D, numbered as in RFC 4733 §3.2. Digits may be a PIN, so one prints as a dot;
/// ask for `character` to see it.
public struct Digit: Hashable, Sendable {
    /// 0…15.
    public let event: UInt8

    public init?(event: UInt8) {
        guard event < 16 else { return nil }
        self.event = event
    }

    public init?(ascii: UInt8) {
        switch ascii {
        case 48...57: event = ascii - 48
        case UInt8(ascii: "*"): event = 10
        case UInt8(ascii: "#"): event = 11
        case 65...68: event = ascii - 65 + 12
        case 97...100: event = ascii - 97 + 12
        default: return nil
        }
    }

    public init?(_ character: Character) {
        guard let ascii = character.asciiValue else { return nil }
        self.init(ascii: ascii)
    }

    public var ascii: UInt8 {
        switch event {
        case 0...9: 48 + event
        case 10: UInt8(ascii: "*")
        case 11: UInt8(ascii: "#")
        default: 65 + event - 12
        }
    }

    public var character: Character { Character(Unicode.Scalar(ascii)) }

    /// The two frequencies of its tone in hertz (ITU-T Q.23).
    public var frequencies: (low: Double, high: Double) {
        let column: Int
        let row: Int
        switch event {
        case 0: (row, column) = (3, 1)
        case 1...9: (row, column) = (Int(event - 1) / 3, Int(event - 1) % 3)
        case 10: (row, column) = (3, 0)
        case 11: (row, column) = (3, 2)
        default: (row, column) = (Int(event) - 12, 3)
        }
        return (Self.rows[row], Self.columns[column])
    }

    static let rows: [Double] = [697, 770, 852, 941]
    static let columns: [Double] = [1209, 1336, 1477, 1633]

    /// By the place of its tones in `rows` and `columns`.
    init(row: Int, column: Int) {
        switch (row, column) {
        case (_, 3): event = UInt8(12 + row)
        case (3, 0): event = 10
        case (3, 1): event = 0
        case (3, 2): event = 11
        default: event = UInt8(1 + 3 * row + column)
        }
    }
}

extension Digit: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "•" }
    public var debugDescription: String { "•" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
