/// One event of a `text/event-stream` (WHATWG HTML §9.2).
public struct ServerSentEvent: Hashable, Sendable {
    public var name: String?
    public var id: String?
    public var data: String

    public init(_ data: String, name: String? = nil, id: String? = nil) {
        self.data = data
        self.name = name
        self.id = id
    }

    var wire: String {
        var text = ""
        if let name { text += "event: \(Self.oneLine(name))\n" }
        if let id { text += "id: \(Self.oneLine(id))\n" }
        let normal = data.replacing("\r\n", with: "\n").replacing("\r", with: "\n")
        for line in normal.split(separator: "\n", omittingEmptySubsequences: false) { text += "data: \(line)\n" }
        return text + "\n"
    }

    private static func oneLine(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.filter { $0 != "\n" && $0 != "\r" && $0 != "\0" }))
    }
}

/// Reads a `text/event-stream` from pieces of any size. Pure.
public struct ServerSentEventParser: Sendable {
    /// Longer lines, and events with more data, end the parsing.
    public static let limit = 8 << 20

    private var line: [UInt8] = []
    private var lastWasReturn = false
    private var data: [UInt8] = []
    private var hasData = false
    private var name: String?
    private var id: String?
    public private(set) var isOverLimit = false

    public init() {}

    /// The events that end within these bytes.
    public mutating func feed(_ bytes: some Sequence<UInt8>) -> [ServerSentEvent] {
        var events: [ServerSentEvent] = []
        for byte in bytes where !isOverLimit {
            // A line ends with CR LF, LF or CR.
            if byte == 10, lastWasReturn {
                lastWasReturn = false
                continue
            }
            lastWasReturn = byte == 13
            if byte == 10 || byte == 13 {
                if let event = endLine() { events.append(event) }
            } else {
                line.append(byte)
                isOverLimit = line.count + data.count > Self.limit
            }
        }
        return events
    }

    private mutating func endLine() -> ServerSentEvent? {
        defer { line.removeAll(keepingCapacity: true) }
        guard !line.isEmpty else { return dispatch() }
        let colon = line.firstIndex(of: 58) ?? line.endIndex
        var value = colon < line.endIndex ? line[(colon + 1)...] : []
        if value.first == 32 { value = value.dropFirst() }
        switch String(decoding: line[..<colon], as: UTF8.self) {
        case "data":
            if hasData { data.append(10) }
            data.append(contentsOf: value)
            hasData = true
        case "event": name = String(decoding: value, as: UTF8.self)
        case "id": id = String(decoding: value, as: UTF8.self)
        default: break
        }
        return nil
    }

    private mutating func dispatch() -> ServerSentEvent? {
        defer {
            data.removeAll(keepingCapacity: true)
            hasData = false
            name = nil
        }
        return hasData ? ServerSentEvent(String(decoding: data, as: UTF8.self), name: name, id: id) : nil
    }
}
