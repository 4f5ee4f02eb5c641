import Foundation
import Primitives
import Synchronization

/// An engine with a connection behind it that may end.
package protocol ConnectedEngine: StoreEngine, Sendable {
    /// Set when the last batch was answered though the connection ended under it: the engine is of no use any more.
    var trouble: StoreTrouble? { get }
    /// Whether the store takes writes now: writes one value.
    mutating func probe(at now: WallTime) throws(StoreTrouble)
    func close()
}

/// Where a store is: engines are opened there as often as it takes.
package protocol StorePlace: Sendable {
    associatedtype Engine: ConnectedEngine

    mutating func open() throws(StoreTrouble) -> Engine
    /// Called before each batch: throws if the open engine must not be used any more.
    mutating func check(at now: MonotonicTime) throws(StoreTrouble)
    /// How long to wait before the store is tried again, after so many failures in a row.
    func pause(after trouble: StoreTrouble, failures: Int) -> Duration
}

/// The thread that writes: takes batches from the queue, runs them, answers, and brings the store back after trouble.
package final class StoreWriter<Place: StorePlace>: Sendable {
    private struct State {
        var queue: WriteQueue
        /// Nil while the store cannot be opened.
        var engine: Place.Engine?
        var trouble: StoreTrouble?
        var since: WallTime?
        var failures = 0
        /// What a reader found while a batch was being run: that batch's success does not clear it.
        var suspicion: StoreTrouble?
        var nextAttempt = MonotonicTime.zero
        var stopBy: MonotonicTime?
        var stopped: (@Sendable () -> Void)?
        var hasStopped = false
        var isWaiting = false
    }

    private enum Step {
        case wait(until: MonotonicTime?)
        case run([(position: Int, item: WriteQueue.Item)], Place.Engine?)
        case stop
    }

    private let place: Place
    private let clock: @Sendable () -> StoreTime
    private let observeBatch: @Sendable (Duration, Int) -> Void
    private let state: Mutex<State>
    private let wake = DispatchSemaphore(value: 0)

    package init(
        _ place: Place, limits: WriteQueue.Limits = WriteQueue.Limits(), clock: @escaping @Sendable () -> StoreTime,
        observeBatch: @escaping @Sendable (Duration, Int) -> Void
    ) {
        self.place = place
        self.clock = clock
        self.observeBatch = observeBatch
        state = Mutex(State(queue: WriteQueue(limits: limits)))
    }

    /// Opens the store, so that `health` says at once how it is, and begins.
    package func start() {
        var place = place
        open(&place)
        let thread = Thread { [self, place] in
            var place = place
            while true {
                switch nextStep() {
                case .wait(let deadline):
                    if let deadline {
                        _ = wake.wait(
                            timeout: .now() + .nanoseconds(Int(max(0, (deadline - Self.now).wholeNanoseconds))))
                    } else {
                        wake.wait()
                    }
                case .run(let batch, let engine): run(batch, engine, at: &place)
                case .stop: return finish()
                }
            }
        }
        thread.name = "store-writer"
        thread.stackSize = 1 << 20
        thread.start()
    }

    package func add(_ request: StoreRequest, _ completion: @escaping StoreCompletion) {
        var needsWake = false
        let due: DueReply? = state.withLock { state in
            guard state.stopBy == nil else {
                return DueReply(completion: completion, reply: .unavailable(Self.closed))
            }
            let due = state.queue.add(request, at: Self.now, completion)
            needsWake = state.isWaiting
            state.isWaiting = false
            return due
        }
        if needsWake { wake.signal() }
        if let due { due.completion(due.reply) }
    }

    /// The engine in use, or why there is none.
    package var current: (engine: Place.Engine?, trouble: StoreTrouble) {
        state.withLock { ($0.engine, $0.trouble ?? Self.closed) }
    }

    /// A reader found the store unusable. The writer may go on for long from what it has in memory: nothing more goes
    /// into a damaged file.
    package func suspect(_ trouble: StoreTrouble) {
        state.withLock { state in
            guard !state.hasStopped else { return }
            state.engine = nil
            state.suspicion = trouble
            setTrouble(trouble, &state)
        }
        wake.signal()
    }

    package var health: StoreHealth {
        state.withLock {
            StoreHealth(trouble: $0.trouble, since: $0.since, waiting: $0.queue.count, dropped: $0.queue.dropped)
        }
    }

    package func stop(within patience: Duration, then stopped: (@Sendable () -> Void)? = nil) {
        let already = state.withLock { state in
            if state.hasStopped { return true }
            if state.stopBy == nil { state.stopBy = Self.now + patience }
            if let earlier = state.stopped, let stopped {
                state.stopped = {
                    earlier()
                    stopped()
                }
            } else {
                state.stopped = stopped ?? state.stopped
            }
            return false
        }
        if already { stopped?() } else { wake.signal() }
    }

    // MARK: The thread

    private static var now: MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    private static var closed: StoreTrouble { StoreTrouble(.closed, "the store was closed") }

    private func nextStep() -> Step {
        let now = Self.now
        return state.withLock { state in
            state.isWaiting = false
            state.suspicion = nil
            if let stopBy = state.stopBy, state.queue.count == 0 || now >= stopBy { return .stop }
            if state.trouble != nil {
                // Away: the same pace whether anything waits or not, so that the alarm clears by itself.
                guard now >= state.nextAttempt else { return .wait(until: state.nextAttempt) }
                return .run(state.queue.takeBatch(), state.engine)
            }
            guard let due = state.queue.nextBatch else {
                state.isWaiting = true
                return .wait(until: nil)
            }
            guard now >= due || state.stopBy != nil else {
                state.isWaiting = true
                return .wait(until: due)
            }
            return .run(state.queue.takeBatch(), state.engine)
        }
    }

    private func run(
        _ batch: [(position: Int, item: WriteQueue.Item)], _ engine: Place.Engine?, at place: inout Place
    ) {
        let started = Self.now
        do throws(StoreTrouble) {
            if engine != nil { try place.check(at: started) }
            var engine = if let engine { engine } else { try place.open() }
            let replies: [StoreReply]
            if batch.isEmpty {
                try engine.probe(at: clock().wall)
                replies = []
            } else {
                replies = try engine.perform(batch.map(\.item.request), clock: clock)
                observeBatch(Self.now - started, replies.count)
            }
            settle(batch, replies, engine)
        } catch {
            fail(batch, error)
        }
    }

    private func settle(
        _ batch: [(position: Int, item: WriteQueue.Item)], _ replies: [StoreReply], _ engine: Place.Engine
    ) {
        var due: [DueReply] = []
        var undone = Array(batch.dropFirst(replies.count))
        var trouble = engine.trouble
        for (entry, reply) in zip(batch, replies) {
            if case .unavailable(let why) = reply, entry.item.request.isRetained {
                trouble = why
                undone.append(entry)
            } else {
                due.append(DueReply(completion: entry.item.completion, reply: reply))
            }
        }
        state.withLock { state in
            due += state.queue.putBack(undone.sorted { $0.position < $1.position })
            if let suspicion = state.suspicion {
                state.suspicion = nil
                setTrouble(suspicion, &state)
            } else {
                state.engine = engine.trouble == nil ? engine : nil
                setTrouble(trouble, &state)
            }
        }
        if engine.trouble != nil { engine.close() }
        for reply in due { reply.completion(reply.reply) }
    }

    private func fail(_ batch: [(position: Int, item: WriteQueue.Item)], _ trouble: StoreTrouble) {
        var abandoned: Place.Engine?
        let due = state.withLock { state in
            var due = state.queue.putBack(batch)
            due += state.queue.giveUp(because: trouble, at: Self.now)
            setTrouble(trouble, &state)
            // A store that is busy or full comes back under the same connections; others are opened anew.
            if trouble.kind != .locked, trouble.kind != .full {
                abandoned = state.engine
                state.engine = nil
            }
            return due
        }
        abandoned?.close()
        for reply in due { reply.completion(reply.reply) }
    }

    private func setTrouble(_ trouble: StoreTrouble?, _ state: inout State) {
        if let trouble {
            if state.trouble == nil { state.since = clock().wall }
            state.failures += 1
            state.nextAttempt = Self.now + place.pause(after: trouble, failures: state.failures)
        } else {
            state.since = nil
            state.failures = 0
        }
        state.trouble = trouble
    }

    private func open(_ place: inout Place) {
        var trouble: StoreTrouble?
        // The first nodes of a machine start together and may meet while one makes the store.
        for _ in 0..<5 {
            do throws(StoreTrouble) {
                let engine = try place.open()
                return state.withLock { $0.engine = engine }
            } catch {
                trouble = error
                if error.kind != .locked { break }
            }
        }
        state.withLock { setTrouble(trouble, &$0) }
    }

    private func finish() {
        let (due, engine, stopped) = state.withLock { state in
            let result = (state.queue.abandon(because: Self.closed), state.engine, state.stopped)
            state.engine = nil
            state.stopped = nil
            state.hasStopped = true
            setTrouble(Self.closed, &state)
            return result
        }
        for reply in due { reply.completion(reply.reply) }
        engine?.close()
        stopped?()
    }
}
