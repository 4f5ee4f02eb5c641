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

    /// The events from now on, after what `first` says.
    func subscribe(first: [ServerSentEvent] = []) -> AsyncStream<ServerSentEvent> {
        let (stream, continuation) = AsyncStream<ServerSentEvent>.makeStream(
            bufferingPolicy: .bufferingOldest(Self.backlogLimit))
        for event in first { continuation.yield(event) }
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

extension ServerSentEvent {
    /// Nil when the value cannot be written, which plain values always can.
    init?(name: String, json value: some Encodable) {
        guard let bytes = try? WebJSON.encode(value) else { return nil }
        self.init(String(decoding: bytes, as: UTF8.self), name: name)
    }
}
