/// One life of one node: its name (`center-a`) and its incarnation, which is new at each start.
/// A restarted node is another identity.
public struct NodeIdentity: Hashable, Sendable, Codable {
    /// `[a-z0-9-]+`, at most `longestName` bytes.
    public let name: String
    /// Lower-case base 36, at most `longestIncarnation` digits.
    public let incarnation: String

    public static let longestName = 63
    public static let longestIncarnation = 16

    /// Nil when either part has a character or a length that tags and headers cannot carry.
    public init?(name: String, incarnation: String) {
        guard (1...Self.longestName).contains(name.utf8.count),
            name.utf8.allSatisfy({ Self.isBase36($0) || $0 == UInt8(ascii: "-") }),
            (1...Self.longestIncarnation).contains(incarnation.utf8.count),
            incarnation.utf8.allSatisfy(Self.isBase36)
        else { return nil }
        self.name = name
        self.incarnation = incarnation
    }

    private enum CodingKeys: String, CodingKey { case name, incarnation }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        guard
            let identity = NodeIdentity(
                name: try values.decode(String.self, forKey: .name),
                incarnation: try values.decode(String.self, forKey: .incarnation))
        else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "not a node name and incarnation"))
        }
        self = identity
    }

    private static func isBase36(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (97...122).contains(byte)
    }
}

extension NodeIdentity: CustomStringConvertible {
    /// `center-a.k3f9x2`, the head of every tag that the node makes.
    public var description: String { "\(name).\(incarnation)" }

    /// The identity in a tag `name.incarnation.random`; nil for tags that are not ours.
    public init?(tag: some StringProtocol) {
        let parts = tag.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[2].isEmpty else { return nil }
        self.init(name: String(parts[0]), incarnation: String(parts[1]))
    }
}

/// Under which right a session is written: the owner and the session's epoch, which grows at each change of owner.
public struct Ownership: Hashable, Sendable, Codable {
    public var node: NodeIdentity
    /// 1 for the first owner.
    public var epoch: Int64

    public init(node: NodeIdentity, epoch: Int64 = 1) {
        self.node = node
        self.epoch = epoch
    }
}
