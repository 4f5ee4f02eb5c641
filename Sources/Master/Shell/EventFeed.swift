import HTTPKit
import Synchronization

/// Hands server-sent events to everyone who listens at `GET /api/v1/events`.
final class EventFeed: Sendable {
    /// More listeners are refused with 503 (I8).
    static let listenerLimit = 64
    /// A listener that is this far behind is cut off, so that it connects again and starts from what holds then.
    static let backlogLimit = 4_096

    private struct State: Sendable {
        var listeners: [UInt64: AsyncStream<ServerSentEvent>.Continuation] = [:]
        var lastListener: UInt64 = 0
    }

    private let state = Mutex(State())

    var listenerCount: Int { state.withLock { $0.listeners.count } }
    var isFull: Bool { listenerCount >= Self.listenerLimit }

    /// What holds, and then the events from now on. They are taken before `holding` is asked: what happens meanwhile is
    /// told after it, perhaps once more, but never left out.
    func subscribe(
        holding: @escaping @Sendable () async -> [ServerSentEvent]
    ) -> AsyncStream<ServerSentEvent> {
        let subscription = Subscription(holding: holding, news: subscribe())
        // Pulled by whoever writes to the client: what holds may be more than any buffer takes.
        return AsyncStream { await subscription.next() }
    }

    /// The events from now on.
    func subscribe() -> AsyncStream<ServerSentEvent> {
        let (stream, continuation) = AsyncStream<ServerSentEvent>.makeStream(
            bufferingPolicy: .bufferingOldest(Self.backlogLimit))
        let number: UInt64? = state.withLock { state in
            guard state.listeners.count < Self.listenerLimit else { return nil }
            state.lastListener += 1
            state.listeners[state.lastListener] = continuation
            return state.lastListener
        }
        guard let number else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.listeners.removeValue(forKey: number) }
        }
        return stream
    }

    func publish(_ event: ServerSentEvent) {
        let listeners = state.withLock { $0.listeners }
        for listener in listeners.values {
            if case .dropped = listener.yield(event) { listener.finish() }
        }
    }

    /// Nobody listens most of the time: the value is encoded only when somebody does.
    func publish(_ name: String, _ value: some Encodable) {
        guard listenerCount > 0, let event = ServerSentEvent(name: name, json: value) else { return }
        publish(event)
    }

    /// Ends all streams: the node stops.
    func close() {
        let listeners = state.withLock { state in
            defer { state.listeners = [:] }
            return state.listeners
        }
        for listener in listeners.values { listener.finish() }
    }
}

/// What one listener is told next.
private actor Subscription {
    private let holding: @Sendable () async -> [ServerSentEvent]
    private let news: AsyncStream<ServerSentEvent>
    private var held: ArraySlice<ServerSentEvent>?

    init(holding: @escaping @Sendable () async -> [ServerSentEvent], news: AsyncStream<ServerSentEvent>) {
        self.holding = holding
        self.news = news
    }

    func next() async -> ServerSentEvent? {
        if held == nil { held = await holding()[...] }
        if let first = held?.popFirst() { return first }
        var iterator = news.makeAsyncIterator()
        return await iterator.next()
    }
}

extension ServerSentEvent {
    /// Nil when the value cannot be written, which plain values always can.
    init?(name: String, json value: some Encodable) {
        guard let bytes = try? WebJSON.encode(value) else { return nil }
        self.init(String(decoding: bytes, as: UTF8.self), name: name)
    }
}
