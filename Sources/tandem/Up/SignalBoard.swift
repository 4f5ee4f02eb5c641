import NodeRuntime
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// What signals and timers have to say to the supervisor, also while it is waiting for something else.
final class SignalBoard: Sendable {
    enum Change: Sendable {
        case signal(Int32)
        /// It is time to start a node again.
        case retry(Int)
    }

    let changes: AsyncStream<Change>
    private let continuation: AsyncStream<Change>.Continuation
    private let asked = Atomic<Int>(0)
    private let signals = Signals([SIGTERM, SIGINT, SIGHUP, SIGCHLD])

    init() {
        (changes, continuation) = AsyncStream.makeStream(of: Change.self)
        Task { [signals, weak self] in
            for await signal in signals.received { self?.note(signal) }
        }
    }

    /// How often SIGINT or SIGTERM came.
    var stops: Int { asked.load(ordering: .relaxed) }

    private func note(_ signal: Int32) {
        if signal == SIGTERM || signal == SIGINT { asked.wrappingAdd(1, ordering: .relaxed) }
        continuation.yield(.signal(signal))
    }

    func retry(_ index: Int, after delay: Duration) {
        Task { [continuation] in
            try? await Task.sleep(for: delay)
            continuation.yield(.retry(index))
        }
    }
}
