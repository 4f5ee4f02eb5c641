import NIOCore
import NIOHTTP1
import NIOPosix
import NetworkIO
import Primitives

/// A client for small requests between nodes and from the command line: one connection a request, everything limited.
///
/// On SwiftNIO, which is here anyway, rather than FoundationNetworking's URLSession: on Linux that has no `bytes(for:)`, which
/// server-sent events need, and it brings libcurl and all of Foundation with its ICU data into every process.
public struct HTTPClient: Sendable {
    /// Longer answers end the request.
    public static let answerLimit = 32 << 20

    private let group: any EventLoopGroup

    public init(group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton) { self.group = group }

    public struct Answer: Sendable {
        public var status: Int
        public var body: [UInt8]
        public var headers: [(name: String, value: String)]

        /// The first value of a field, whatever the case of its name.
        public func header(_ name: String) -> String? {
            headers.first { $0.name.lowercased() == name.lowercased() }?.value
        }

        /// The body as JSON; throws the API's error for statuses of 400 and above.
        public func decode<Value: Decodable>(_ type: Value.Type) throws(HTTPClientError) -> Value {
            if status >= 400 { throw refusal }
            do {
                return try WebJSON.decode(type, from: body)
            } catch {
                throw .malformed("the answer is not the JSON that is expected")
            }
        }

        /// What the API's error shape says, or the status if the body has another shape.
        public var refusal: HTTPClientError {
            struct Shape: Decodable {
                struct Detail: Decodable {
                    var code: String
                    var message: String
                }
                var error: Detail
            }
            let shape = try? WebJSON.decode(Shape.self, from: body)
            return .refused(status: status, code: shape?.error.code ?? "", message: shape?.error.message ?? "")
        }
    }

    /// One request and its whole answer. `limit` is for all of it: connecting, sending, and the last byte of the answer.
    public func send(
        _ method: String = "GET", to endpoint: Endpoint, path: String, token: BearerToken? = nil, body: [UInt8]? = nil,
        headers: [(String, String)] = [], within limit: Duration
    ) async throws(HTTPClientError) -> Answer {
        let (parts, cancel) = open(method, endpoint, path, token, body, headers, limit: limit, isStream: false)
        defer { cancel() }
        var answer: Answer?
        do {
            for try await part in parts {
                switch part {
                case .head(let head): answer = Answer(status: head.status, body: [], headers: head.headers)
                case .body(let bytes):
                    guard (answer?.body.count ?? 0) + bytes.count <= Self.answerLimit else {
                        throw HTTPClientError.tooLong
                    }
                    answer?.body.append(contentsOf: bytes)
                case .end:
                    if let answer { return answer }
                }
            }
        } catch {
            throw error as? HTTPClientError ?? .closed
        }
        if Task.isCancelled { throw .cancelled }
        throw .closed
    }

    /// A GET whose answer is JSON.
    public func get<Value: Decodable>(
        _ type: Value.Type, from endpoint: Endpoint, path: String, token: BearerToken? = nil, within limit: Duration
    ) async throws(HTTPClientError) -> Value {
        try await send(to: endpoint, path: path, token: token, within: limit).decode(type)
    }

    /// Server-sent events until the server ends them, an error, or `silence` without a byte (the server sends
    /// something at least every 15 s). The caller connects again, with the last event's id if it has one.
    public func events(
        from endpoint: Endpoint, path: String, token: BearerToken? = nil, lastID: String? = nil,
        silence: Duration = .seconds(40)
    ) -> AsyncThrowingStream<ServerSentEvent, any Error> {
        let headers = [("Accept", "text/event-stream")] + (lastID.map { [("Last-Event-ID", $0)] } ?? [])
        let (parts, cancel) = open("GET", endpoint, path, token, nil, headers, limit: silence, isStream: true)
        return AsyncThrowingStream { continuation in
            let task = Task {
                var parser = ServerSentEventParser()
                do {
                    for try await part in parts {
                        switch part {
                        case .head(let head):
                            guard head.status == 200 else {
                                throw Answer(status: head.status, body: [], headers: []).refusal
                            }
                        case .body(let bytes):
                            for event in parser.feed(bytes) { continuation.yield(event) }
                            if parser.isOverLimit { throw HTTPClientError.tooLong }
                        case .end: break
                        }
                    }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
                cancel()
            }
            continuation.onTermination = { _ in
                task.cancel()
                cancel()
            }
        }
    }

    private func open(
        _ method: String, _ endpoint: Endpoint, _ path: String, _ token: BearerToken?, _ body: [UInt8]?,
        _ headers: [(String, String)], limit: Duration, isStream: Bool
    ) -> (parts: AsyncThrowingStream<HTTPAnswerPart, any Error>, cancel: @Sendable () -> Void) {
        var head = HTTPRequestHead(version: .http1_1, method: HTTPMethod(rawValue: method), uri: path)
        head.headers.add(name: "Host", value: endpoint.description)
        head.headers.add(name: "Connection", value: "close")
        if let token { head.headers.add(name: "Authorization", value: token.authorization) }
        if let body { head.headers.add(name: "Content-Length", value: "\(body.count)") }
        if body != nil { head.headers.add(name: "Content-Type", value: "application/json") }
        for (name, value) in headers { head.headers.replaceOrAdd(name: name, value: value) }
        let (parts, continuation) = AsyncThrowingStream<HTTPAnswerPart, any Error>.makeStream(
            bufferingPolicy: .bufferingOldest(65_536))
        let request = head
        let loop = group.next()
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(TimeAmount.nanoseconds(limit.wholeNanoseconds))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(
                        HTTPExchangeHandler(
                            request, body: body, continuation: continuation,
                            limit: .nanoseconds(limit.wholeNanoseconds), isStream: isStream))
                }
            }
        let address: SocketAddress
        do {
            address = try endpoint.socketAddress()
        } catch {
            continuation.finish(throwing: HTTPClientError.malformed("\(endpoint) is not an address"))
            return (parts, {})
        }
        let connected = bootstrap.connect(to: address)
        connected.whenFailure { error in
            let failure = SocketError(error, at: endpoint)
            continuation.finish(throwing: HTTPClientError.unreachable(failure))
        }
        // The whole exchange has one limit, connecting included; a stream has its own, from byte to byte.
        let alarm =
            isStream
            ? nil
            : loop.scheduleTask(in: .nanoseconds(limit.wholeNanoseconds)) {
                continuation.finish(throwing: HTTPClientError.timedOut)
            }
        let cancel: @Sendable () -> Void = {
            alarm?.cancel()
            connected.whenSuccess { $0.close(promise: nil) }
        }
        return (parts, cancel)
    }
}

public enum HTTPClientError: Error, Hashable, Sendable, CustomStringConvertible {
    case unreachable(SocketError)
    case timedOut
    /// The connection ended before the answer did.
    case closed
    case cancelled
    case tooLong
    case malformed(String)
    /// The server answered with an error.
    case refused(status: Int, code: String, message: String)

    public var description: String {
        switch self {
        case .unreachable(let error): "\(error)"
        case .timedOut: "no answer in time"
        case .closed: "the connection was closed before the answer was complete"
        case .cancelled: "cancelled"
        case .tooLong: "the answer is too long"
        case .malformed(let reason): reason
        case .refused(let status, _, let message): message.isEmpty ? "refused with status \(status)" : message
        }
    }
}
