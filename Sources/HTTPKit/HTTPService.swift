import Hummingbird
import HummingbirdCore
import HummingbirdCore
import Logging
import NIOCore
import NetworkIO
import Primitives
import Synchronization

/// A node's HTTP port: Hummingbird behind a start that returns when it listens, or says why it cannot.
public final class HTTPService: Sendable {
    /// Connections at any time; further ones wait in the kernel's queue.
    public static let connectionLimit = 1024

    /// With the port that was bound.
    public let endpoint: Endpoint
    private let running: Task<Void, Never>

    private init(_ endpoint: Endpoint, _ running: Task<Void, Never>) {
        self.endpoint = endpoint
        self.running = running
    }

    /// Starts to serve the routes; nothing may be added to them afterwards.
    public static func start(
        at endpoint: Endpoint, routes: WebRoutes, logger: Logger
    ) async throws(SocketError) -> HTTPService {
        let (outcome, report) = AsyncStream<Result<Endpoint, SocketError>>.makeStream()
        var quiet = logger
        // Its errors are connections that were cut when the service ended: nothing to act on.
        quiet.logLevel = .critical
        let application = Application(
            responder: routes.router.buildResponder(),
            server: .http1(configuration: .init(idleTimeout: .seconds(60))),
            configuration: .init(
                address: .hostname(endpoint.address.description, port: Int(endpoint.port)),
                availableConnectionsDelegate: MaximumAvailableConnections(connectionLimit)),
            onServerRunning: { channel in report.yield(.success(Endpoint(channel.localAddress) ?? endpoint)) },
            logger: quiet)
        let running = Task {
            do {
                try await application.run()
            } catch {
                report.yield(.failure(SocketError(error, at: endpoint)))
            }
            report.finish()
        }
        for await result in outcome { return HTTPService(try result.get(), running) }
        throw SocketError(endpoint, code: 0, transport: "tcp")
    }

    /// Closes the port and every connection; returns when that is done.
    public func stop() async {
        running.cancel()
        await running.value
    }
}
