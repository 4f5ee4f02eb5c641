import Primitives
import Synchronization

/// When the thread that signals ran last, for the thread that sends audio.
final class SignallingPulse: Sendable {
    /// Nanoseconds of the node's clock; 0 before the first beat.
    private let last = Atomic<Int64>(0)

    func beat(at now: MonotonicTime) { last.store(now.nanoseconds, ordering: .relaxed) }

    /// Nil before the first beat: nobody signals by this loop.
    var lastBeat: MonotonicTime? {
        let nanoseconds = last.load(ordering: .relaxed)
        return nanoseconds == 0 ? nil : MonotonicTime(nanoseconds: nanoseconds)
    }
}
