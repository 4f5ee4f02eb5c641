#if PostgreSQL
    import Synchronization

    /// Which host of a store is tried first, for all connections of a node: what one of them finds out spares the others
    /// the wait.
    final class PostgresHosts: Sendable {
        private let count: Int
        private let first = Atomic<Int>(0)

        init(count: Int) { self.count = max(1, count) }

        var preferred: Int { first.load(ordering: .relaxed) }

        /// It takes writes.
        func noteWritable(_ host: Int) { first.store(host, ordering: .relaxed) }

        /// It did not answer in time: now it is the next one's turn.
        func noteSilence(of host: Int) {
            _ = first.compareExchange(expected: host, desired: (host + 1) % count, ordering: .relaxed)
        }
    }

    /// How long a server may take before its connection counts as lost.
    package struct PostgresPatience: Sendable, Hashable {
        /// To answer a statement.
        package var answer: Duration
        /// To answer COMMIT, which may wait for a standby.
        package var commit: Duration
        /// Whether being late means that the host is gone, for the other connections too.
        package var tellsSilence = true

        package init(answer: Duration, commit: Duration, tellsSilence: Bool = true) {
            self.answer = answer
            self.commit = commit
            self.tellsSilence = tellsSilence
        }

        /// A statement waits for a lock once or twice; one that takes longer waits for a host that is gone.
        package static let writer = PostgresPatience(answer: .seconds(2), commit: .seconds(3))
        /// Queries that a call or a takeover waits for: all of them by an index.
        static let query = PostgresPatience(answer: .seconds(1), commit: .seconds(1))
        /// Queries that may have to look at everything.
        static let list = PostgresPatience(answer: .seconds(30), commit: .seconds(30), tellsSilence: false)
    }
#endif
