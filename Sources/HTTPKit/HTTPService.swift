import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NetworkIO
import ServiceLifecycle
import Primitives
import Synchronization

/// A node's HTTP port: Hummingbird behind a start that returns when it listens, or says why it cannot.
public final class HTTPService: Sendable {
    /// Connections at any time; further ones wait in the kernel's queue.
    public static let connectionLimit = 1024

    /// With the port that was bound.
    public let endpoint: Endpoint
    private let group: ServiceGroup
    private let ended: EndSignal

    private init(_ endpoint: Endpoint, _ group: ServiceGroup, _ ended: EndSignal) {
        self.endpoint = endpoint
        self.group = group
        self.ended = ended
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
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [application], gracefulShutdownSignals: [], logger: quiet))
        let ended = EndSignal()
        Task {
            do {
                try await group.run()
            } catch {
                report.yield(.failure(SocketError(error, at: endpoint)))
            }
            report.finish()
            ended.signal()
        }
        for await result in outcome { return HTTPService(try result.get(), group, ended) }
        throw SocketError(endpoint, code: 0, transport: "tcp")
    }

    /// Closes the port and idle connections and lets requests in progress end; returns when that is done, or after a
    /// second: a long poll or an event stream holds nobody up. (Cancelling the service instead can trap in a
    /// connection that nobody had read from yet.)
    public func stop() async {
        await group.triggerGracefulShutdown()
        let patience = EndSignal()
        Task { [ended] in
            await ended.wait()
            patience.signal()
        }
        Task {
            try? await Task.sleep(for: .seconds(1))
            patience.signal()
        }
        await patience.wait()
    }
}
