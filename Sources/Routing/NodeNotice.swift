/// The value of a `Tandem-Node` header: `center-a;incarnation=k3f9x2;fenced=k3f9x1;want=draining;leader=7`.
///
/// In an answer to a ping a node signs with its name and its own incarnation. In a ping it is what the master holds true
/// of the node that it pings, so that a node that was frozen or cut off learns whether it still counts, and what its
/// operator wants of it, without the store.
public struct NodeNotice: Hashable, Sendable {
    /// The node it is about; a node passes over a notice that is about another one.
    public var node: String
    /// The incarnation that counts as live; nil when the master knows of none.
    public var incarnation: String?
    /// The incarnation that is dead for good: who still is it must come back as a new one.
    public var fenced: String?
    /// What the operator wants of the node; nil when nothing is said.
    public var want: AdministrativeState?
    /// The epoch under which the sender leads; nil when it stands by or the store is silent to it. What a leader of a
    /// lower epoch than one heard before wants or says is dead does not count (TAKEOVER.md, Identity and ownership).
    public var leader: UInt64?

    public init(
        node: String, incarnation: String? = nil, fenced: String? = nil, want: AdministrativeState? = nil,
        leader: UInt64? = nil
    ) {
        self.node = node
        self.incarnation = incarnation
        self.fenced = fenced
        self.want = want
        self.leader = leader
    }

    /// Longer values are not read.
    public static let longest = 256

    /// Parses the header's value. Unknown parameters are passed over, so that a newer node may say more; nil when the
    /// name or an incarnation cannot be one, or a parameter stands twice.
    public init?(headerValue: some StringProtocol) {
        guard headerValue.utf8.count <= Self.longest else { return nil }
        let parts = headerValue.split(separator: ";", omittingEmptySubsequences: false)
        guard let first = parts.first, isNodeName(Self.trim(first)) else { return nil }
        self.init(node: String(Self.trim(first)))
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2 else { continue }
            let value = String(Self.trim(pair[1]))
            switch Self.trim(pair[0]) {
            case "incarnation":
                guard incarnation == nil, Self.isIncarnation(value) else { return nil }
                incarnation = value
            case "fenced":
                guard fenced == nil, Self.isIncarnation(value) else { return nil }
                fenced = value
            case "want":
                guard want == nil else { return nil }
                want = AdministrativeState(rawValue: value)
            case "leader":
                guard leader == nil, let epoch = UInt64(value) else { return nil }
                leader = epoch
            default: continue
            }
        }
    }

    /// The header's value.
    public var headerValue: String {
        var text = node
        if let incarnation { text += ";incarnation=\(incarnation)" }
        if let fenced { text += ";fenced=\(fenced)" }
        if let want { text += ";want=\(want.rawValue)" }
        if let leader { text += ";leader=\(leader)" }
        return text
    }

    /// Lower-case base 36, 1 to 16 digits.
    static func isIncarnation(_ text: String) -> Bool {
        (1...16).contains(text.utf8.count)
            && text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) }
    }

    static func trim(_ text: some StringProtocol) -> some StringProtocol {
        var text = text[...]
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
