import Glibc
import NIOCore
import Primitives
import SIP
import Synchronization

/// A process can be stopped between the handing in of a message and its writing, which is another thread's. What is older
/// then than `limit` is not written but handed back, with the time at which it was handed in.
public struct StreamStaleness: Sendable {
    public var limit: Duration
    public var handBack: @Sendable ([UInt8], Flow, MonotonicTime) -> Void

    public init(limit: Duration, handBack: @escaping @Sendable ([UInt8], Flow, MonotonicTime) -> Void) {
        self.limit = limit
        self.handBack = handBack
    }
}

/// One TCP connection as the transport sees it: what waits to be written, and why it ends.
final class StreamConnection: Sendable {
    private struct State {
        var channel: (any Channel)?
        /// Written before the connection was made.
        var queued: [(bytes: [UInt8], since: MonotonicTime)] = []
        var unwritten = 0
        var reason: StreamCloseReason?
    }

    let flow: Flow
    let isOutgoing: Bool
    private let unwrittenLimit: Int
    private let staleness: StreamStaleness?
    private let state = Mutex(State())

    init(_ flow: Flow, isOutgoing: Bool, unwrittenLimit: Int, staleness: StreamStaleness? = nil) {
        self.flow = flow
        self.isOutgoing = isOutgoing
        self.unwrittenLimit = unwrittenLimit
        self.staleness = staleness
    }

    /// The reason that was given for the end; nil when nobody here asked for it.
    var reason: StreamCloseReason? { state.withLock { $0.reason } }

    /// Gives the connection its channel and sends what waited for it.
    func opened(_ channel: any Channel) {
        let (queued, isClosing) = state.withLock { state in
            state.channel = channel
            defer { state.queued = [] }
            return (state.queued, state.reason != nil)
        }
        guard !isClosing else {
            channel.close(promise: nil)
            return
        }
        for (bytes, since) in queued { transmit(bytes, since: since, on: channel) }
    }

    func write(_ bytes: [UInt8]) {
        enum Step { case transmit(any Channel), wait, overflow }
        let now = NodeClock.now()
        let step: Step = state.withLock { state in
            guard state.reason == nil else { return .wait }
            guard state.unwritten + bytes.count <= unwrittenLimit else { return .overflow }
            state.unwritten += bytes.count
            if let channel = state.channel { return .transmit(channel) }
            state.queued.append((bytes, now))
            return .wait
        }
        switch step {
        case .transmit(let channel): transmit(bytes, since: now, on: channel)
        case .overflow: close(.peerDoesNotRead)
        case .wait: break
        }
    }

    private func transmit(_ bytes: [UInt8], since: MonotonicTime, on channel: any Channel) {
        guard let staleness else { return transmit(bytes, on: channel) }
        channel.eventLoop.execute { [self] in
            guard NodeClock.now() - since < staleness.limit else {
                state.withLock { $0.unwritten -= bytes.count }
                return staleness.handBack(bytes, flow, since)
            }
            transmit(bytes, on: channel)
        }
    }

    private func transmit(_ bytes: [UInt8], on channel: any Channel) {
        let count = bytes.count
        channel.writeAndFlush(channel.allocator.buffer(bytes: bytes)).whenComplete { [self] _ in
            state.withLock { $0.unwritten -= count }
        }
    }

    /// The first reason given is the one that is told.
    func close(_ reason: StreamCloseReason) {
        let channel = state.withLock { state in
            if state.reason == nil { state.reason = reason }
            return state.channel
        }
        channel?.close(promise: nil)
    }

    /// Closes when all that was written before has left. A peer that does not read is left to the idle time.
    func finish() {
        let channel = state.withLock { state in
            if state.reason == nil { state.reason = .asked }
            return state.channel
        }
        guard let channel else { return }
        channel.writeAndFlush(channel.allocator.buffer(capacity: 0)).whenComplete { _ in channel.close(promise: nil) }
    }
}

/// Cuts a connection's bytes into messages. Lives on the connection's event loop.
final class StreamFramingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let connection: StreamConnection
    private let limits: StreamLimits
    private let deliver: @Sendable (StreamEvent) -> Bool
    private let ended: @Sendable (StreamConnection, StreamCloseReason) -> Void
    private var framer: StreamFramer
    private var isBroken = false
    private var messageTimer: Scheduled<Void>?
    private var failure: Int32?

    init(
        _ connection: StreamConnection, limits: StreamLimits, deliver: @escaping @Sendable (StreamEvent) -> Bool,
        ended: @escaping @Sendable (StreamConnection, StreamCloseReason) -> Void
    ) {
        self.connection = connection
        self.limits = limits
        self.deliver = deliver
        self.ended = ended
        framer = StreamFramer(side: connection.isOutgoing ? .opened : .accepted)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isBroken else { return }
        framer.feed(unwrapInboundIn(data).readableBytesView)
        var completed = false
        while let event = framer.next() {
            completed = true
            switch event {
            case .message(let bytes):
                guard deliver(.message(bytes, connection.flow)) else {
                    connection.close(.overloaded)
                    return
                }
            case .ping: connection.write([13, 10])
            case .pong: break
            case .broken(let head, let failure): fail(head, failure, context)
            }
        }
        limitMessageTime(context, completed: completed)
    }

    private func fail(_ head: [UInt8], _ failure: StreamFramer.Failure, _ context: ChannelHandlerContext) {
        isBroken = true
        _ = deliver(.unframeable(head: head, failure, connection.flow))
        context.eventLoop.scheduleTask(in: limits.lastAnswerTime.timeAmount) { [connection] in
            connection.close(.unframeable)
        }
    }

    /// A peer that starts a message and never ends it keeps memory only so long.
    private func limitMessageTime(_ context: ChannelHandlerContext, completed: Bool) {
        if completed || framer.pendingCount == 0 {
            messageTimer?.cancel()
            messageTimer = nil
        }
        guard messageTimer == nil, framer.pendingCount > 0, !isBroken else { return }
        messageTimer = context.eventLoop.scheduleTask(in: limits.messageTime.timeAmount) { [connection] in
            connection.close(.incompleteMessage)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { connection.close(.idle) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = SocketError(error, at: connection.flow.remote).code
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        messageTimer?.cancel()
        ended(connection, connection.reason ?? failure.map { .failed($0) } ?? .peer)
        context.fireChannelInactive()
    }
}
