/// What a node is for.
public enum NodeRole: String, Codable, CaseIterable, Sendable {
    case access, center, seats, master

    /// Whether calls end there; access nodes pass them on, masters send them elsewhere.
    public var holdsCalls: Bool { self == .center || self == .seats }
}

/// What a node may be used for, as the console shows it and the route table carries it.
public enum NodeState: String, Codable, CaseIterable, Sendable {
    /// Takes its full share.
    case up
    /// Came back a moment ago; its share of new calls still grows.
    case ramping
    /// Keeps the calls it has and takes no new ones.
    case draining
    /// Answers, but an operator took it out of use.
    case disabled
    /// Does not answer, or has not proved yet that it does.
    case down

    /// Whether new calls may go there.
    public var takesNewCalls: Bool { self == .up || self == .ramping }
    /// Whether requests inside its dialogs reach it.
    public var lives: Bool { self != .down }
}

/// What an operator wants of a node; kept in the store, so it outlives every master.
public enum AdministrativeState: String, Codable, CaseIterable, Sendable {
    case enabled, draining, disabled
}

/// What a node says about itself in each answer to OPTIONS: `Tandem-Load: calls=12;limit=500;state=up`.
public struct NodeLoad: Hashable, Sendable {
    /// Calls it holds now.
    public var calls: Int
    /// Calls it can hold; 0 says that it knows no limit.
    public var limit: Int
    /// Set while the node itself takes no new calls, for example between SIGTERM and its end.
    public var isDraining: Bool

    public init(calls: Int, limit: Int, isDraining: Bool = false) {
        self.calls = calls
        self.limit = limit
        self.isDraining = isDraining
    }

    /// Parses the header's value; unknown parameters are passed over, so that a newer node may say more.
    /// Nil when `calls` or `limit` is missing, repeated or no number in 0...1,000,000.
    public init?(headerValue: some StringProtocol) {
        guard headerValue.utf8.count <= 256 else { return nil }
        var calls: Int?
        var limit: Int?
        var isDraining = false
        for part in headerValue.split(separator: ";") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2 else { continue }
            let value = pair[1].trimmingSpaces()
            switch pair[0].trimmingSpaces() {
            case "calls":
                guard calls == nil, let number = Self.count(value) else { return nil }
                calls = number
            case "limit":
                guard limit == nil, let number = Self.count(value) else { return nil }
                limit = number
            case "state": isDraining = value == NodeState.draining.rawValue
            default: continue
            }
        }
        guard let calls, let limit else { return nil }
        self.init(calls: calls, limit: limit, isDraining: isDraining)
    }

    /// The header's value.
    public var headerValue: String {
        "calls=\(calls);limit=\(limit);state=\((isDraining ? NodeState.draining : .up).rawValue)"
    }

    private static func count(_ text: some StringProtocol) -> Int? {
        guard !text.isEmpty, text.utf8.count <= 7, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text).flatMap { $0 <= 1_000_000 ? $0 : nil }
    }
}

extension StringProtocol {
    fileprivate func trimmingSpaces() -> SubSequence {
        var text = self[...]
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}

/// The rule for names of nodes: 1–63 of `a-z`, `0-9` and `-`, so that one fits into a tag and a file name.
public func isNodeName(_ text: some StringProtocol) -> Bool {
    (1...63).contains(text.utf8.count)
        && text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
}
