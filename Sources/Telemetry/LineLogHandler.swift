import Glibc
import Logging

/// Writes one line a record: `time level node message key=value …`. Times are RFC 3339 UTC with milliseconds; values with
/// spaces or signs are quoted and control characters escaped, so that nothing from the network can forge a line.
public struct LineLogHandler: LogHandler {
    /// Longer lines are cut.
    public static let lineLimit = 8192
    /// Metadata whose values are never written, whatever they are.
    public static let secretKeys: Set<String> = [
        "pin", "password", "secret", "token", "authorization", "digits", "card",
    ]

    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?
    public var logLevel: Logger.Level
    private let node: String
    private let sink: LogSink
    private let now: @Sendable () -> timespec

    public init(node: String, level: Logger.Level, sink: LogSink) {
        self.init(node: node, level: level, sink: sink) {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            return time
        }
    }

    init(node: String, level: Logger.Level, sink: LogSink, now: @escaping @Sendable () -> timespec) {
        self.node = node
        logLevel = level
        self.sink = sink
        self.now = now
    }

    /// Makes this the handler of all loggers of the process. Once a process; `level` is a name of `Logger.Level`,
    /// an unknown one is `info`.
    public static func install(node: String, level: String, sink: LogSink = .standardError) {
        let level = Logger.Level(rawValue: level) ?? .info
        LoggingSystem.bootstrap { _ in LineLogHandler(node: node, level: level, sink: sink) }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var merged = metadata
        if let provided = metadataProvider?.get() { merged.merge(provided) { $1 } }
        if let given = event.metadata { merged.merge(given) { $1 } }
        var line = "\(Self.timestamp(now())) \(event.level.rawValue) \(node) \(Self.plain("\(event.message)"))"
        for (key, value) in merged.sorted(by: { $0.key < $1.key }) {
            let isSecret = Self.secretKeys.contains(key.lowercased())
            line += " \(Self.plain(key))=\(isSecret ? "••••" : Self.value("\(value)"))"
        }
        if line.utf8.count > Self.lineLimit { line = String(line.prefix(Self.lineLimit / 4)) + "…" }
        sink.append(line)
    }

    static func timestamp(_ time: timespec) -> String {
        var seconds = time.tv_sec
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ number: some BinaryInteger, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = "\(padded(parts.tm_year + 1900, 4))-\(padded(parts.tm_mon + 1, 2))-\(padded(parts.tm_mday, 2))"
        let clock = "\(padded(parts.tm_hour, 2)):\(padded(parts.tm_min, 2)):\(padded(parts.tm_sec, 2))"
        return "\(date)T\(clock).\(padded(time.tv_nsec / 1_000_000, 3))Z"
    }

    /// The message as it is, but on one line.
    private static func plain(_ text: String) -> String {
        text.utf8.contains { $0 < 32 || $0 == 127 } ? escaped(text) : text
    }

    private static func value(_ text: String) -> String {
        let isBare = !text.isEmpty && text.utf8.allSatisfy { $0 > 32 && $0 != 34 && $0 != 61 && $0 != 92 && $0 != 127 }
        return isBare ? text : "\"\(escaped(text))\""
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 32 || scalar.value == 127: result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
