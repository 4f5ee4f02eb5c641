import CDatagram
import Primitives
import Synchronization

public struct LoopConfiguration: Sendable {
    /// Names the thread and the metrics.
    public var name: String
    /// Their order is `Flow.listener`.
    public var listeners: [Endpoint]
    public var socketOptions: DatagramSocket.Options
    /// The most messages of other threads that wait.
    public var mailboxCapacity = 8192
    /// Datagrams taken from a listener in one system call, and in one round.
    public var batchSize = 64
    /// Longer datagrams are thrown away and counted.
    public var datagramLimit = 65_536
    /// The most connected sockets a handler may have open.
    public var socketLimit = 256
    /// From how long a standstill on the handler is told of it. Below 100 ms the loop's own idle rounds
    /// (one each 50 ms) would count.
    public var reportedGap: Duration = .milliseconds(100)

    public init(name: String, listeners: [Endpoint]) {
        self.name = name
        self.listeners = listeners
        socketOptions = DatagramSocket.Options()
        socketOptions.reportsErrors = true
        // A registration storm of 4,000 messages of 500 bytes waits here without loss (768 bytes of kernel overhead each).
        socketOptions.receiveBuffer = 4 << 20
        socketOptions.sendBuffer = 1 << 20
    }
}

/// A thread that waits for datagrams, messages and deadlines and gives them to one handler, in batches.
///
/// This value is the outside of the loop: its mailbox, its counters, and the way to end it. The handler is made on
/// the loop's thread and never leaves it.
public final class DatagramLoop<Handler: DatagramHandler>: Sendable {
    public let name: String
    public let mailbox: Mailbox<Handler.Message>
    public let counters = LoopCounters()
    /// The listeners' addresses with the ports that were bound.
    public let endpoints: [Endpoint]
    private let listeners: LoopListeners
    private let stopAsked = StopFlag()
    private let ended = EndSignal()

    /// Binds the listeners and starts the thread.
    public static func start(
        _ configuration: LoopConfiguration, handler: @escaping @Sendable () -> Handler
    ) throws(SocketError) -> DatagramLoop {
        try start(configuration) { _ in handler() }
    }

    /// The same for a handler that hands its loop's mailbox on, to stores and other loops that answer it.
    public static func start(
        _ configuration: LoopConfiguration, handler: @escaping @Sendable (Mailbox<Handler.Message>) -> Handler
    ) throws(SocketError) -> DatagramLoop {
        let loop = try DatagramLoop(configuration)
        let poller = try Poller()
        try poller.watch(loop.mailbox.descriptor, tag: .mailbox)
        for (index, listener) in loop.listeners.all.enumerated() {
            try poller.watch(listener.descriptor, tag: .listener(index))
        }
        let stage = LoopStage(
            configuration: configuration, listeners: loop.listeners, poller: poller, counters: loop.counters,
            stop: loop.stopAsked)
        let mailbox = loop.mailbox
        let ended = loop.ended
        try LoopThread.start(name: configuration.name) {
            // The runner, and with it the last use of the sockets, is gone when the end is told.
            run(stage, mailbox, handler)
            stage.listeners.close()
            mailbox.close()
            ended.signal()
        }
        return loop
    }

    private static func run(
        _ stage: LoopStage, _ mailbox: Mailbox<Handler.Message>,
        _ handler: @Sendable (Mailbox<Handler.Message>) -> Handler
    ) {
        var runner = LoopRunner(stage, work: HandlerWork(handler(mailbox), mailbox: mailbox))
        runner.run()
    }

    private init(_ configuration: LoopConfiguration) throws(SocketError) {
        name = configuration.name
        mailbox = try Mailbox(capacity: configuration.mailboxCapacity)
        var sockets: [DatagramSocket] = []
        for endpoint in configuration.listeners {
            sockets.append(try DatagramSocket(endpoint, options: configuration.socketOptions))
        }
        listeners = LoopListeners(sockets)
        endpoints = sockets.map(\.local)
    }

    /// Asks the loop to end: the handler's `stopping` runs, what it leaves is sent, and the thread ends.
    public func stop() {
        stopAsked.raise()
        mailbox.nudge()
    }

    /// Returns when the handler is gone and the ports are free.
    public func waitUntilStopped() async { await ended.wait() }

    /// Datagrams that the kernel threw away because the loop did not take them in time.
    public var droppedByKernel: Int { listeners.all.reduce(0) { $0 + $1.dropped } }
}

/// What a runner needs besides its handler.
struct LoopStage: Sendable {
    var configuration: LoopConfiguration
    var listeners: LoopListeners
    var poller: Poller
    var counters: LoopCounters
    var stop: StopFlag
}

/// The listening sockets, closed together when the loop ends.
final class LoopListeners: Sendable {
    private let sockets: Mutex<[DatagramSocket]>
    init(_ sockets: [DatagramSocket]) { self.sockets = Mutex(sockets) }
    var all: [DatagramSocket] { sockets.withLock { $0 } }
    func close() { sockets.withLock { $0 = [] } }
}

final class StopFlag: Sendable {
    private let raised = Atomic<Bool>(false)
    func raise() { raised.store(true, ordering: .releasing) }
    var isRaised: Bool { raised.load(ordering: .acquiring) }
}

/// Happens once; waited for by any number of tasks.
public final class EndSignal: Sendable {
    private struct State: Sendable {
        var happened = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    public init() {}

    public func signal() {
        let waiting = state.withLock { state in
            state.happened = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    public func wait() async {
        await withCheckedContinuation { continuation in
            let happened = state.withLock { state in
                if !state.happened { state.waiting.append(continuation) }
                return state.happened
            }
            if happened { continuation.resume() }
        }
    }
}
