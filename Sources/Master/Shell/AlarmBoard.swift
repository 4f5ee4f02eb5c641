import Primitives

/// Something that an operator should look at: an element of `GET /api/v1/alarms`.
public struct Alarm: Hashable, Sendable, Codable {
    public enum Code: String, Sendable, Codable, CaseIterable {
        /// A node does not answer.
        case nodeDown = "node-down"
        /// A node holds as many calls as it can.
        case nodeFull = "node-full"
        /// No center takes new calls.
        case noCenter = "no-center"
        case storeAway = "store-away"
        /// Calls ended because nobody could go on with them after a death.
        case callsLost = "calls-lost"
        /// Nobody goes on with calls of a dead center, and the store cannot close them: their rows cannot be read.
        case callsStuck = "calls-stuck"
        /// A node is dead by verdict, but the store did not mark it so.
        case fenceFailed = "fence-failed"
        /// Most nodes fell silent at once: perhaps this master is cut off.
        case verdictHeld = "verdict-held"
        /// Another process runs under this master's name.
        case duplicate
    }
    public enum Severity: String, Sendable, Codable, CaseIterable { case critical, major, warning }

    public var code: Code
    public var severity: Severity
    /// The node it is about; nil when it is about the whole system.
    public var node: String?
    public var message: String
    public var since: WallTime

    public init(_ code: Code, _ severity: Severity, node: String?, message: String, since: WallTime) {
        self.code = code
        self.severity = severity
        self.node = node
        self.message = message
        self.since = since
    }

    private enum CodingKeys: String, CodingKey { case code, severity, node, message, since }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(code, forKey: .code)
        try values.encode(severity, forKey: .severity)
        try values.encode(node, forKey: .node)
        try values.encode(message, forKey: .message)
        try values.encode(since, forKey: .since)
    }
}

/// The alarms that are raised now, one for each code and node.
struct AlarmBoard: Sendable {
    enum Change: Equatable, Sendable {
        case raised(Alarm)
        /// Raised before; only its message or severity is new.
        case changed(Alarm)
        case cleared(Alarm)
    }

    /// More are not kept (I8); with one a code and node this many cannot come together in a system of 256 nodes.
    static let limit = 2_048

    private struct Key: Hashable {
        var code: Alarm.Code
        var node: String?
    }

    private struct Entry {
        var alarm: Alarm
        /// Tells of something that happened rather than of something that lasts.
        var expires: WallTime?
    }

    private var entries: [Key: Entry] = [:]

    /// Oldest first.
    var alarms: [Alarm] {
        entries.values.map(\.alarm).sorted {
            ($0.since, $0.code.rawValue, $0.node ?? "") < ($1.since, $1.code.rawValue, $1.node ?? "")
        }
    }

    /// Raises an alarm, or renews its message; `since` stays that of the first time.
    mutating func raise(_ alarm: Alarm, until expires: WallTime? = nil) -> Change? {
        let key = Key(code: alarm.code, node: alarm.node)
        guard let old = entries[key] else {
            guard entries.count < Self.limit else { return nil }
            entries[key] = Entry(alarm: alarm, expires: expires)
            return .raised(alarm)
        }
        var renewed = alarm
        renewed.since = old.alarm.since
        entries[key] = Entry(alarm: renewed, expires: expires)
        return renewed == old.alarm ? nil : .changed(renewed)
    }

    mutating func clear(_ code: Alarm.Code, node: String?) -> Change? {
        entries.removeValue(forKey: Key(code: code, node: node)).map { .cleared($0.alarm) }
    }

    /// Clears it whatever node it is about.
    mutating func clearAll(_ code: Alarm.Code) -> [Change] {
        entries.keys.filter { $0.code == code }.compactMap { clear($0.code, node: $0.node) }
    }

    /// Clears what has had its time.
    mutating func expire(now: WallTime) -> [Change] {
        let over = entries.filter { $0.value.expires.map { $0 <= now } ?? false }.map(\.key)
        return over.compactMap { clear($0.code, node: $0.node) }
    }
}
