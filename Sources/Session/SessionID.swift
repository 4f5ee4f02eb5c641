import Primitives

/// Names one caller's call for its whole life, whichever centers serve it: a random UUID (RFC 9562, version 4) of our
/// own, never taken from a caller. Written in lower case with hyphens.
public struct SessionID: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    /// Draws a new id. Cores pass their seeded generator, so that a simulation replays.
    public init(using random: inout some RandomNumberGenerator) {
        high = random.next() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        low = random.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    }

    public static func random() -> SessionID {
        var generator = SystemRandomNumberGenerator()
        return SessionID(using: &generator)
    }

    /// Evenly spread bits for rendezvous hashing, equal on every node and in every run.
    public var bits: (high: UInt64, low: UInt64) { (high, low) }
}

extension SessionID: Comparable {
    public static func < (left: Self, right: Self) -> Bool {
        left.high == right.high ? left.low < right.low : left.high < right.high
    }
}

extension SessionID: LosslessStringConvertible, CustomStringConvertible {
    /// Reads 36 characters in the 8-4-4-4-12 form, in either case; any UUID is taken, not only version 4.
    public init?(_ text: String) {
        var halves: (UInt64, UInt64) = (0, 0)
        var digits = 0
        guard text.utf8.count == 36 else { return nil }
        for (position, byte) in text.utf8.enumerated() {
            if position == 8 || position == 13 || position == 18 || position == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            let digit: UInt8
            switch byte {
            case 48...57: digit = byte - 48
            case 65...70: digit = byte - 55
            case 97...102: digit = byte - 87
            default: return nil
            }
            if digits < 16 {
                halves.0 = halves.0 << 4 | UInt64(digit)
            } else {
                halves.1 = halves.1 << 4 | UInt64(digit)
            }
            digits += 1
        }
        high = halves.0
        low = halves.1
    }

    public var description: String {
        var text: [UInt8] = []
        text.reserveCapacity(36)
        for index in 0..<32 {
            if index == 8 || index == 12 || index == 16 || index == 20 { text.append(UInt8(ascii: "-")) }
            let half = index < 16 ? high : low
            let digit = UInt8(truncatingIfNeeded: half >> UInt64(60 - 4 * (index % 16)) & 15)
            text.append(digit < 10 ? 48 + digit : 87 + digit)
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension SessionID: Codable {
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let id = SessionID(text) else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "not a UUID"))
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
