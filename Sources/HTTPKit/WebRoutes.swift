import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NetworkIO
import Primitives

/// A request as a handler sees it.
public struct WebRequest: Sendable {
    public let method: String
    /// Without the query.
    public let path: String
    /// At most `WebRoutes.bodyLimit` bytes.
    public let body: [UInt8]
    /// Where it came from.
    public let remote: Endpoint?
    let parameters: [String: String]
    let query: [String: String]
    let fields: HTTPFields

    /// A part of the path: `id` for a route `/calls/{id}`.
    public func parameter(_ name: String) throws(WebFailure) -> String {
        guard let value = parameters[name] else { throw .badRequest("\(name) is missing") }
        return value
    }

    /// A value of the query, percent-decoded; nil when absent.
    public func query(_ name: String) -> String? { query[name] }

    /// The names in the query.
    public var queryNames: [String] { query.keys.sorted() }

    /// A number in the query; nil when absent.
    public func number(_ name: String, in range: ClosedRange<Int>) throws(WebFailure) -> Int? {
        guard let text = query[name] else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw .badRequest("\(name): a number in \(range.lowerBound)...\(range.upperBound) is expected")
        }
        return value
    }

    public func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { fields[$0] } }

    public func decode<Value: Decodable>(_ type: Value.Type) throws(WebFailure) -> Value {
        do {
            return try WebJSON.decode(type, from: body)
        } catch {
            throw .badRequest("the body is not the JSON that is expected")
        }
    }
}

/// The paths that an HTTP service answers. Anything else gets 404 in the API's error shape.
public final class WebRoutes {
    public typealias Handler = @Sendable (WebRequest) async throws -> WebAnswer

    public enum Method: String, Sendable { case get = "GET", post = "POST", put = "PUT", delete = "DELETE" }

    /// Longer bodies are refused with 413.
    public static let bodyLimit = 1 << 20

    let router = Router(context: NodeRequestContext.self, options: .autoGenerateHeadEndpoints)
    private let served = ServedMethods()

    public init() { router.add(middleware: ErrorShape(served: served)) }

    /// Adds a route. Parts in braces are parameters: `/api/v1/calls/{id}`. With a token, requests that do not show it get
    /// 401 before the handler runs.
    public func on(_ method: Method, _ path: String, token: BearerToken? = nil, _ handler: @escaping Handler) {
        served.add(method, path)
        guard let method = HTTPRequest.Method(method.rawValue) else { return }
        router.on(RouterPath(path), method: method) { request, context in
            if let token, !token.accepts(authorization: request.headers[.authorization]) {
                throw WebFailure(401, "unauthorized", "a valid bearer token is needed")
            }
            return try await handler(Self.read(request, context)).response()
        }
    }

    public func get(_ path: String, token: BearerToken? = nil, _ handler: @escaping Handler) {
        on(.get, path, token: token, handler)
    }

    public func post(_ path: String, token: BearerToken? = nil, _ handler: @escaping Handler) {
        on(.post, path, token: token, handler)
    }

    /// `GET /health`: 200 while the node can serve, else 503; the body says what is wrong.
    public func health(_ report: @escaping @Sendable () async -> HealthReport) {
        get("/health") { _ in
            let report = await report()
            return try .json(report, status: report.canServe ? 200 : 503)
        }
    }

    /// `GET /metrics`: the text that `render` gives, in the Prometheus exposition format.
    public func metrics(contentType: String, _ render: @escaping @Sendable () -> String) {
        get("/metrics") { _ in .text(render(), type: contentType) }
    }

    private static func read(_ request: Request, _ context: NodeRequestContext) async throws -> WebRequest {
        let body = try await request.body.collect(upTo: bodyLimit)
        var parameters: [String: String] = [:]
        for (name, value) in context.parameters { parameters[String(name)] = value.removingPercentEncoding ?? "" }
        var query: [String: String] = [:]
        for (name, value) in request.uri.queryParameters { query[String(name)] = String(value) }
        return WebRequest(
            method: request.method.rawValue, path: request.uri.path, body: Array(body.readableBytesView),
            remote: context.remote, parameters: parameters, query: query, fields: request.headers)
    }
}

/// What `GET /health` says.
public struct HealthReport: Codable, Hashable, Sendable {
    public var node: String
    public var role: String
    public var incarnation: String
    /// The release of its program; nil from one that did not say so yet.
    public var version: String? = Release.version
    /// Whether the node can do its work at all.
    public var canServe: Bool
    /// What is wrong though it can serve, in words.
    public var degraded: [String]
    /// The names of other nodes that it needs and cannot use now; `master` where none answers. Nil from nodes that
    /// depend on none.
    public var lacks: [String]?

    public init(
        node: String, role: String, incarnation: String, canServe: Bool = true, degraded: [String] = [],
        lacks: [String]? = nil
    ) {
        self.node = node
        self.role = role
        self.incarnation = incarnation
        self.canServe = canServe
        self.degraded = degraded
        self.lacks = lacks
    }

    private enum CodingKeys: String, CodingKey {
        case node, role, incarnation, version, degraded, lacks
        case canServe = "can_serve"
    }
}

struct NodeRequestContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let remote: Endpoint?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        remote = Endpoint(source.channel.remoteAddress)
    }
}

/// Gives every failure the API's shape; what is not meant for the client is logged and answered as 500.
struct ErrorShape: RouterMiddleware {
    let served: ServedMethods

    func handle(
        _ request: Request, context: NodeRequestContext,
        next: (Request, NodeRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let failure as WebFailure {
            return try failure.answer().response()
        } catch let error as any HTTPResponseError {
            // The router knows no path with another method: it says 404 for both.
            let allowed = error.status == .notFound ? served.methods(for: request.uri.path) : ""
            guard allowed.isEmpty else {
                let failure = WebFailure(
                    405, "method-not-allowed", "\(request.method) is not allowed here; allowed: \(allowed)")
                return try failure.answer().header("Allow", allowed).response()
            }
            return try Self.failure(of: error.status).answer().response()
        } catch {
            context.logger.error("request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            return try WebFailure(500, "internal", "the request failed; the node's log says why").answer().response()
        }
    }

    private static func failure(of status: HTTPResponse.Status) -> WebFailure {
        switch status.code {
        case 404: .notFound("there is no such resource")
        case 405: WebFailure(405, "method-not-allowed", "the method is not allowed here")
        case 413: WebFailure(413, "too-large", "the body is over \(WebRoutes.bodyLimit) bytes")
        default: WebFailure(status.code, "refused", status.reasonPhrase)
        }
    }
}
