import Primitives

/// What ended a call.
public enum EndKind: String, Sendable, Codable, CaseIterable {
    case caller, menu, agent, `operator`, limit, lost
}

/// The record of one call (CDR): begun with the session, complete when `end` is set, written once.
/// Its JSON is the API's `cdrs`: what is not known is null.
public struct CallRecord: Hashable, Sendable {
    public var id: SessionID
    /// The called number.
    public var line: String
    /// The calling party as signalled, without display name.
    public var from: String
    /// Every center that owned the call, in order.
    public var centers: [String]
    public var started: WallTime
    public var answered: WallTime?
    public var ended: WallTime?
    public var end: EndKind?
    /// Menu states in the order they were entered; at most `longestPath`, later ones are not recorded.
    public var path: [String]
    public var takeovers: Int

    public static let longestPath = 256

    public init(
        id: SessionID, line: String, from: String, centers: [String], started: WallTime, answered: WallTime? = nil,
        ended: WallTime? = nil, end: EndKind? = nil, path: [String] = [], takeovers: Int = 0
    ) {
        self.id = id
        self.line = line
        self.from = from
        self.centers = centers
        self.started = started
        self.answered = answered
        self.ended = ended
        self.end = end
        self.path = path
        self.takeovers = takeovers
    }

    /// From answer to end; nil while the call lasts, zero when it was never answered.
    public var duration: Duration? {
        guard let ended else { return nil }
        guard let answered else { return .zero }
        return max(.zero, ended - answered)
    }

    /// Adds an entered menu state.
    public mutating func enter(_ state: String) {
        if path.count < Self.longestPath { path.append(state) }
    }

    /// The record as it closes; a record that is already closed keeps its first end.
    public func closed(_ end: EndKind, at time: WallTime) -> CallRecord {
        guard self.end == nil else { return self }
        var record = self
        record.end = end
        record.ended = max(time, started)
        return record
    }
}

extension CallRecord: Codable {
    private enum CodingKeys: String, CodingKey {
        case id, line, from, centers, started, answered, ended, end, path, takeovers
        case duration = "duration_s"
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        id = try values.decode(SessionID.self, forKey: .id)
        line = try values.decode(String.self, forKey: .line)
        from = try values.decode(String.self, forKey: .from)
        centers = try values.decode([String].self, forKey: .centers)
        started = try values.decode(WallTime.self, forKey: .started)
        answered = try values.decodeIfPresent(WallTime.self, forKey: .answered)
        ended = try values.decodeIfPresent(WallTime.self, forKey: .ended)
        end = try values.decodeIfPresent(EndKind.self, forKey: .end)
        path = try values.decode([String].self, forKey: .path)
        takeovers = try values.decode(Int.self, forKey: .takeovers)
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encode(line, forKey: .line)
        try values.encode(from, forKey: .from)
        try values.encode(centers, forKey: .centers)
        try values.encode(started, forKey: .started)
        try values.encode(answered, forKey: .answered)
        try values.encode(ended, forKey: .ended)
        try values.encode(duration.map { Double($0.wholeMilliseconds) / 1000 }, forKey: .duration)
        try values.encode(end, forKey: .end)
        try values.encode(path, forKey: .path)
        try values.encode(takeovers, forKey: .takeovers)
    }
}
