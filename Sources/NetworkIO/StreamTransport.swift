import Glibc
import NIOCore
import NIOPosix
import Primitives
import SIP
import Synchronization

/// SIP over TCP, both directions (RFC 3261 §18): cuts streams into messages, answers keep-alives, uses open connections
/// again, and limits what a peer can make this node hold. SwiftNIO does the work on its own threads; events go to the
/// loop through its mailbox, and the loop's thread sends without waiting.
public final class StreamTransport: Sendable {
    private struct Table {
        var connections: [UInt64: StreamConnection] = [:]
        /// The newest connection with each peer.
        var newest: [Endpoint: UInt64] = [:]
        var acceptedFrom: [IPAddress: Int] = [:]
        var lastNumber: UInt64 = 0
        var refused: UInt64 = 0
        var servers: [any Channel] = []
        var isStopped = false
    }

    private let group: any EventLoopGroup
    private let limits: StreamLimits
    private let deliver: @Sendable (StreamEvent) -> Bool
    private let staleness: StreamStaleness?
    private let table = Mutex(Table())

    /// - Parameters:
    ///   - staleness: what becomes of messages that a standstill kept from being written; nil writes them all the same.
    ///   - deliver: posts to the loop's mailbox and says whether there was room.
    public init(
        limits: StreamLimits = StreamLimits(), group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        staleness: StreamStaleness? = nil,
        deliver: @escaping @Sendable (StreamEvent) -> Bool
    ) {
        self.limits = limits
        self.group = group
        self.deliver = deliver
        self.staleness = staleness
    }

    /// Accepts connections; `index` is `Flow.listener` of what comes in. The address with the port that was bound.
    @discardableResult
    public func listen(_ endpoint: Endpoint, index: UInt16) async throws(SocketError) -> Endpoint {
        var bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in self.accept(channel, listener: index) }
        if endpoint.address.isV6 {
            // As for datagrams: `[::]` leaves IPv4 to a listener of its own. It would else take 0.0.0.0's port, and bring
            // IPv4 peers as ::ffff:192.0.2.1, which no IPv4 block contains.
            bootstrap = bootstrap.serverChannelOption(
                ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only), value: 1)
        }
        do {
            let server = try await bootstrap.bind(to: endpoint.socketAddress()).get()
            let isStopped = table.withLock { table in
                if !table.isStopped { table.servers.append(server) }
                return table.isStopped
            }
            if isStopped { server.close(promise: nil) }
            return Endpoint(server.localAddress) ?? endpoint
        } catch {
            throw SocketError(error, at: endpoint)
        }
    }

    /// Sends on the flow's connection. Connection 0 means an open connection with that peer or, if there is none, a new
    /// one. Never waits; what goes wrong comes as `.closed` or `.connectFailed`.
    public func send(_ bytes: [UInt8], to flow: Flow) {
        enum Way { case connection(StreamConnection), new(StreamConnection), full, gone }
        let way: Way = table.withLock { table in
            if flow.connection != 0 { return table.connections[flow.connection].map { .connection($0) } ?? .gone }
            if let newest = table.newest[flow.remote], let connection = table.connections[newest] {
                return .connection(connection)
            }
            guard table.connections.count < limits.connections, !table.isStopped else { return .full }
            return .new(register(flow, isOutgoing: true, in: &table))
        }
        switch way {
        case .connection(let connection): connection.write(bytes)
        case .new(let connection):
            connection.write(bytes)
            connect(connection)
        case .full:
            _ = deliver(.connectFailed(flow, SocketError(flow.remote, code: EMFILE, transport: "tcp")))
        case .gone: _ = deliver(.closed(flow, .gone))
        }
    }

    /// Closes a connection after what was sent on it so far.
    public func close(_ connection: UInt64) {
        table.withLock { $0.connections[connection] }?.finish()
    }

    /// Stops listening and closes everything; returns when the listeners are closed.
    public func stop() async {
        let (servers, connections) = table.withLock { table in
            table.isStopped = true
            defer { table.servers = [] }
            return (table.servers, Array(table.connections.values))
        }
        for connection in connections { connection.close(.asked) }
        for server in servers { try? await server.close().get() }
    }

    public var openConnections: Int { table.withLock { $0.connections.count } }
    /// Connections that were not accepted because a limit was reached.
    public var refusedConnections: UInt64 { table.withLock { $0.refused } }

    // MARK: Connections

    private func register(_ flow: Flow, isOutgoing: Bool, in table: inout Table) -> StreamConnection {
        table.lastNumber += 1
        var flow = flow
        flow.connection = table.lastNumber
        let connection = StreamConnection(
            flow, isOutgoing: isOutgoing, unwrittenLimit: limits.unwrittenBytes, staleness: staleness)
        table.connections[flow.connection] = connection
        table.newest[flow.remote] = flow.connection
        if !isOutgoing { table.acceptedFrom[flow.remote.address, default: 0] += 1 }
        return connection
    }

    private func accept(_ channel: any Channel, listener: UInt16) -> EventLoopFuture<Void> {
        guard let remote = Endpoint(channel.remoteAddress) else { return channel.close() }
        let connection: StreamConnection? = table.withLock { table in
            guard table.connections.count < limits.connections,
                table.acceptedFrom[remote.address, default: 0] < limits.connectionsPerAddress, !table.isStopped
            else {
                table.refused += 1
                return nil
            }
            return register(Flow(transport: .tcp, remote: remote, listener: listener), isOutgoing: false, in: &table)
        }
        guard let connection else { return channel.close() }
        connection.opened(channel)
        return install(connection, in: channel)
    }

    private func install(_ connection: StreamConnection, in channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(IdleStateHandler(allTimeout: limits.idleTime.timeAmount))
            try pipeline.addHandler(
                StreamFramingHandler(connection, limits: limits, deliver: deliver) { [self] in forget($0, $1) })
        }
    }

    private func connect(_ connection: StreamConnection) {
        let remote = connection.flow.remote
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(limits.connectTime.timeAmount)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in self.install(connection, in: channel) }
        let connected: EventLoopFuture<any Channel>
        do {
            connected = bootstrap.connect(to: try remote.socketAddress())
        } catch {
            abandon(connection, error)
            return
        }
        connected.whenComplete { [self] result in
            switch result {
            case .success(let channel): connection.opened(channel)
            case .failure(let error): abandon(connection, error)
            }
        }
    }

    private func abandon(_ connection: StreamConnection, _ error: any Error) {
        guard remove(connection) else { return }
        var flow = connection.flow
        flow.connection = 0
        _ = deliver(.connectFailed(flow, SocketError(error, at: flow.remote)))
    }

    private func forget(_ connection: StreamConnection, _ reason: StreamCloseReason) {
        guard remove(connection) else { return }
        _ = deliver(.closed(connection.flow, reason))
    }

    /// False when it was removed before.
    private func remove(_ connection: StreamConnection) -> Bool {
        let flow = connection.flow
        return table.withLock { table in
            guard table.connections.removeValue(forKey: flow.connection) != nil else { return false }
            if table.newest[flow.remote] == flow.connection { table.newest[flow.remote] = nil }
            if !connection.isOutgoing, let count = table.acceptedFrom[flow.remote.address] {
                table.acceptedFrom[flow.remote.address] = count > 1 ? count - 1 : nil
            }
            return true
        }
    }
}
