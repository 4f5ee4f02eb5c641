import Primitives

/// A call as the API's `calls` lists it. What is not known is null.
public struct LiveCall: Hashable, Sendable, Codable {
    public var id: SessionID
    public var line: String
    public var from: String
    /// The name of the node that owns the call; of the last owner, once it has ended.
    public var center: String
    public var started: WallTime
    public var menu: String?
    public var state: String?
    public var language: String?
    public var authenticated: Bool
    public var takeovers: Int

    public init(
        id: SessionID, line: String, from: String, center: String, started: WallTime, menu: String? = nil,
        state: String? = nil, language: String? = nil, authenticated: Bool = false, takeovers: Int = 0
    ) {
        self.id = id
        self.line = line
        self.from = from
        self.center = center
        self.started = started
        self.menu = menu
        self.state = state
        self.language = language
        self.authenticated = authenticated
        self.takeovers = takeovers
    }

    /// What is known of a call from its record alone.
    public init(_ record: CallRecord) {
        self.init(
            id: record.id, line: record.line, from: record.from, center: record.centers.last ?? "",
            started: record.started, state: record.path.last, takeovers: record.takeovers)
    }

    private enum CodingKeys: String, CodingKey {
        case id, line, from, center, started, menu, state, language, authenticated, takeovers
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encode(line, forKey: .line)
        try values.encode(from, forKey: .from)
        try values.encode(center, forKey: .center)
        try values.encode(started, forKey: .started)
        try values.encode(menu, forKey: .menu)
        try values.encode(state, forKey: .state)
        try values.encode(language, forKey: .language)
        try values.encode(authenticated, forKey: .authenticated)
        try values.encode(takeovers, forKey: .takeovers)
    }
}

/// One call with its story, live or ended: the API's `calls/ID`.
public struct CallDetail: Hashable, Sendable, Codable {
    public var call: LiveCall
    /// Oldest first.
    public var timeline: [TimelineEntry]

    public init(call: LiveCall, timeline: [TimelineEntry]) {
        self.call = call
        self.timeline = timeline
    }

    private enum CodingKeys: String, CodingKey { case timeline }

    public init(from decoder: any Decoder) throws {
        call = try LiveCall(from: decoder)
        timeline = try decoder.container(keyedBy: CodingKeys.self).decode([TimelineEntry].self, forKey: .timeline)
    }

    public func encode(to encoder: any Encoder) throws {
        try call.encode(to: encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(timeline, forKey: .timeline)
    }
}
