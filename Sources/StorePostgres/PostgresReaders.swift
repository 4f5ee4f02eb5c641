#if PostgreSQL
    import Foundation
    import Primitives
    import Session
    import Store
    import Synchronization

    /// The threads that answer queries, each over a connection of its own, so that a slow query delays neither the writer
    /// nor a takeover that asks meanwhile.
    final class PostgresReaders: Sendable {
        private struct State {
            var waiting: [(request: StoreRequest, completion: StoreCompletion)] = []
            var isStopped = false
            var running = 0
        }

        private let place: PostgresPlace
        private let clock: @Sendable () -> StoreTime
        private let limit: Int
        private let state = Mutex(State())
        private let wake = DispatchSemaphore(value: 0)

        init(
            _ place: PostgresPlace, name: String, threads: Int, limit: Int,
            clock: @escaping @Sendable () -> StoreTime
        ) {
            self.place = place
            self.clock = clock
            self.limit = limit
            state.withLock { $0.running = threads }
            for number in 0..<threads {
                let thread = Thread { [self] in run() }
                thread.name = "\(name)-\(number)"
                thread.stackSize = 1 << 20
                thread.start()
            }
        }

        func add(_ request: StoreRequest, _ completion: @escaping StoreCompletion) {
            let refusal: StoreTrouble? = state.withLock { state in
                if state.isStopped { return Self.closed }
                guard state.waiting.count < limit else {
                    return StoreTrouble(.overloaded, "\(limit) queries are under way")
                }
                state.waiting.append((request, completion))
                return nil
            }
            if let refusal { completion(.unavailable(refusal)) } else { wake.signal() }
        }

        /// Ends the threads after what they do now. Queries that wait are answered `.unavailable`.
        func stop() {
            let (abandoned, running) = state.withLock { state in
                state.isStopped = true
                defer { state.waiting = [] }
                return (state.waiting, state.running)
            }
            for query in abandoned { query.completion(.unavailable(Self.closed)) }
            for _ in 0..<running { wake.signal() }
        }

        private static var closed: StoreTrouble { StoreTrouble(.closed, "the store was closed") }

        private func run() {
            var place = place
            var engine: PostgresEngine?
            var trouble: StoreTrouble?
            var failures = 0
            var nextAttempt = MonotonicTime.zero
            while true {
                wake.wait()
                let (next, isStopped) = state.withLock { state in
                    (state.waiting.isEmpty ? nil : state.waiting.removeFirst(), state.isStopped)
                }
                guard let next else {
                    if isStopped { return }
                    continue
                }
                // Queries that come while nobody answers are told so, and do not each wait for a connection.
                if engine == nil, let trouble, PostgresConnection.now < nextAttempt {
                    next.completion(.unavailable(trouble))
                    continue
                }
                do throws(StoreTrouble) {
                    let reply: StoreReply
                    do throws(StoreTrouble) {
                        reply = try answer(next.request, &engine, &place)
                    } catch {
                        // A connection that ended while nothing was asked is found out by the question; it loses nothing.
                        guard engine?.trouble != nil else { throw error }
                        engine = nil
                        reply = try answer(next.request, &engine, &place)
                    }
                    failures = 0
                    next.completion(reply)
                } catch {
                    if engine?.trouble != nil { engine = nil }
                    failures += 1
                    trouble = error
                    nextAttempt = PostgresConnection.now + place.pause(after: error, failures: failures)
                    next.completion(.unavailable(error))
                }
            }
        }

        private func answer(
            _ request: StoreRequest, _ engine: inout PostgresEngine?, _ place: inout PostgresPlace
        ) throws(StoreTrouble) -> StoreReply {
            // One that was idle while the store moved would wait for a host that is gone, or tell of a time before.
            if !place.isPreferred { engine = nil }
            let open = if let engine { engine } else { try place.open() }
            engine = open
            return try open.query(request, at: clock())
        }
    }
#endif
