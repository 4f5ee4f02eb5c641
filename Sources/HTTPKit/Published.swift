import NetworkIO
import Synchronization

/// A value with a version that clients wait on: the server's half of a long poll.
public final class Published<Value: Sendable>: Sendable {
    public struct Version: Sendable {
        public let number: UInt64
        public let value: Value
    }

    private struct State {
        var current: Version
        var waiting: [UInt64: EndSignal] = [:]
        var lastTicket: UInt64 = 0
    }

    /// The most clients that wait at any time; further ones are answered at once.
    public static var waiterLimit: Int { 1024 }

    private let state: Mutex<State>

    public init(_ value: Value, number: UInt64 = 1) {
        state = Mutex(State(current: Version(number: number, value: value)))
    }

    public var current: Version { state.withLock { $0.current } }
    var waiterCount: Int { state.withLock { $0.waiting.count } }

    /// Makes a new version and wakes everyone who waits. Never waits itself.
    public func publish(_ value: Value) {
        let waiting = state.withLock { state in
            state.current = Version(number: state.current.number &+ 1, value: value)
            defer { state.waiting = [:] }
            return state.waiting
        }
        for signal in waiting.values { signal.signal() }
    }

    /// A version other than the one the client has: at once if there is one, else the next within `limit`; nil when the
    /// time is over (or the task is cancelled).
    public func next(after number: UInt64?, within limit: Duration) async -> Version? {
        let signal = EndSignal()
        let ticket: UInt64? = state.withLock { state in
            guard state.current.number == number, state.waiting.count < Self.waiterLimit else { return nil }
            state.lastTicket += 1
            state.waiting[state.lastTicket] = signal
            return state.lastTicket
        }
        guard let ticket else { return newer(than: number) }
        let alarm = Task {
            try? await Task.sleep(for: limit)
            signal.signal()
        }
        await withTaskCancellationHandler {
            await signal.wait()
        } onCancel: {
            signal.signal()
        }
        alarm.cancel()
        state.withLock { $0.waiting[ticket] = nil }
        return newer(than: number)
    }

    private func newer(than number: UInt64?) -> Version? {
        let current = current
        return current.number == number ? nil : current
    }
}
