import Primitives

/// A tag that says which node made it, so that a request inside a dialog finds its node without a Route:
/// `name.incarnation.random`, as in `center-a.k3f9x2.5c0d9f1e`.
public struct NodeTag: Hashable, Sendable {
    /// `[a-z0-9-]+`, at most 63 characters.
    public let node: String
    /// Lower-case base 36, at most 16 characters.
    public let incarnation: String
    /// Lower-case hexadecimal, 8 to 32 digits.
    public let random: String

    /// A new tag with 64 random bits.
    public init?(node: String, incarnation: String, using random: inout SeededRandom) {
        self.init("\(node).\(incarnation).\(random.hex(16))")
    }
}

extension NodeTag: LosslessStringConvertible, CustomStringConvertible {
    /// Nil for any tag that is not made this way: tags are outside data.
    public init?(_ text: String) {
        guard text.utf8.count <= 120 else { return nil }
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3,
            (1...63).contains(parts[0].count),
            parts[0].allSatisfy({ NodeTag.isBase36($0) || $0 == UInt8(ascii: "-") }),
            (1...16).contains(parts[1].count), parts[1].allSatisfy(NodeTag.isBase36),
            (8...32).contains(parts[2].count), parts[2].allSatisfy(NodeTag.isHex)
        else { return nil }
        node = String(decoding: parts[0], as: UTF8.self)
        incarnation = String(decoding: parts[1], as: UTF8.self)
        random = String(decoding: parts[2], as: UTF8.self)
    }

    public var description: String { "\(node).\(incarnation).\(random)" }

    private static func isBase36(_ byte: UInt8) -> Bool { (48...57).contains(byte) || (97...122).contains(byte) }
    private static func isHex(_ byte: UInt8) -> Bool { (48...57).contains(byte) || (97...102).contains(byte) }
}
