import HTTPKit
import Logging
import NetworkIO
import Primitives

/// A service on a free port of 127.0.0.1, and requests to it.
struct WebServerFixture {
    static let anyPort = Endpoint(.v4(0x7F00_0001), port: 0)

    let service: HTTPService
    let client = HTTPClient()

    init(_ add: (WebRoutes) -> Void) async throws {
        let routes = WebRoutes()
        add(routes)
        service = try await HTTPService.start(
            at: Self.anyPort, routes: routes, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    func send(
        _ method: String = "GET", _ path: String, token: BearerToken? = nil, body: [UInt8]? = nil,
        headers: [(String, String)] = []
    ) async throws -> HTTPClient.Answer {
        try await client.send(
            method, to: service.endpoint, path: path, token: token, body: body, headers: headers, within: .seconds(20))
    }
}

extension HTTPClient.Answer {
    var text: String { String(decoding: body, as: UTF8.self) }
}
