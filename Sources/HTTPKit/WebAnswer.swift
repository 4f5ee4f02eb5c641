import FoundationEssentials
import HTTPTypes

/// What an HTTP handler answers.
public struct WebAnswer: Sendable {
    enum Body: Sendable {
        case bytes([UInt8], type: String)
        case events(@Sendable () -> AsyncStream<ServerSentEvent>)
    }

    var status: Int
    var body: Body
    var headers: [(name: String, value: String)] = []

    /// A value as JSON.
    public static func json(_ value: some Encodable, status: Int = 200) throws -> WebAnswer {
        WebAnswer(status: status, body: .bytes(try WebJSON.encode(value), type: "application/json; charset=utf-8"))
    }

    public static func text(_ text: String, type: String = "text/plain; charset=utf-8", status: Int = 200) -> WebAnswer
    {
        WebAnswer(status: status, body: .bytes(Array(text.utf8), type: type))
    }

    public static func bytes(_ bytes: [UInt8], type: String, status: Int = 200) -> WebAnswer {
        WebAnswer(status: status, body: .bytes(bytes, type: type))
    }

    /// Nothing but a status.
    public static func empty(_ status: Int) -> WebAnswer { WebAnswer(status: status, body: .bytes([], type: "")) }

    /// Server-sent events until the stream ends or the client goes away; the stream is made once the client listens.
    /// A comment every 15 s keeps the connection and finds out that it is gone.
    public static func events(_ make: @escaping @Sendable () -> AsyncStream<ServerSentEvent>) -> WebAnswer {
        WebAnswer(status: 200, body: .events(make))
    }

    public func header(_ name: String, _ value: String) -> WebAnswer {
        var copy = self
        copy.headers.append((name, value))
        return copy
    }
}

/// Why a request is not served. Answered as `{"error":{"code","message"}}` with the status.
public struct WebFailure: Error, Hashable, Sendable {
    public var status: Int
    /// A fixed word for programs.
    public var code: String
    /// A sentence for people.
    public var message: String
    /// Whole seconds until it is worth trying again.
    public var retryAfter: Int?

    public init(_ status: Int, _ code: String, _ message: String, retryAfter: Int? = nil) {
        self.status = status
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
    }

    public static func badRequest(_ message: String) -> WebFailure { WebFailure(400, "bad-request", message) }
    public static func notFound(_ message: String) -> WebFailure { WebFailure(404, "not-found", message) }
    public static func conflict(_ message: String) -> WebFailure { WebFailure(409, "conflict", message) }
    public static func unavailable(_ message: String, retryAfter: Int = 1) -> WebFailure {
        WebFailure(503, "unavailable", message, retryAfter: retryAfter)
    }

    private struct Shape: Encodable {
        struct Detail: Encodable {
            var code: String
            var message: String
        }
        var error: Detail
    }

    func answer() throws -> WebAnswer {
        var answer = try WebAnswer.json(Shape(error: .init(code: code, message: message)), status: status)
        if let retryAfter { answer = answer.header("Retry-After", "\(retryAfter)") }
        // RFC 9110 §15.5.2: "The server generating a 401 response MUST send a WWW-Authenticate header field containing at
        // least one challenge". RFC 6750 §3: Bearer "MUST be followed by one or more auth-param values".
        if status == 401 { answer = answer.header("WWW-Authenticate", "Bearer realm=\"tandem\"") }
        return answer
    }
}

/// JSON as the API speaks it: dates are RFC 3339 UTC with milliseconds, keys sorted.
public enum WebJSON {
    public static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(date.formatted(format))
        }
        return Array(try encoder.encode(value))
    }

    public static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            let text = try container.decode(String.self)
            if let date = (try? format.parse(text)) ?? (try? Date.ISO8601FormatStyle().parse(text)) { return date }
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(text) is not an RFC 3339 time")
        }
        return try decoder.decode(type, from: Data(bytes))
    }

    private static let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
}

/// A value that may be unknown and is then `null` in JSON rather than absent.
@propertyWrapper
public struct NullWhenUnknown<Value: Codable & Sendable>: Codable, Sendable {
    public var wrappedValue: Value?
    public init(wrappedValue: Value?) { self.wrappedValue = wrappedValue }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        wrappedValue = container.decodeNil() ? nil : try container.decode(Value.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let wrappedValue { try container.encode(wrappedValue) } else { try container.encodeNil() }
    }
}

extension NullWhenUnknown: Equatable where Value: Equatable {}
extension NullWhenUnknown: Hashable where Value: Hashable {}

extension KeyedDecodingContainer {
    /// An absent key is unknown too.
    public func decode<Value>(_ type: NullWhenUnknown<Value>.Type, forKey key: Key) throws -> NullWhenUnknown<Value> {
        try decodeIfPresent(type, forKey: key) ?? NullWhenUnknown(wrappedValue: nil)
    }
}
