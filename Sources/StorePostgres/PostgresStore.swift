#if PostgreSQL
    import Banking
    import Primitives
    import Session
    import Store

    /// The store in a PostgreSQL database that nodes of many machines share.
    ///
    /// One thread writes, over one connection, what has gathered in one transaction; others answer queries, one of them
    /// those that people ask, so that no takeover waits for a list. Awaited requests
    /// start a batch at once; checkpoints, timeline rows and heartbeats wait up to 10 ms for company and are not waited for
    /// by anybody, neither in COMMIT. While no host takes writes, money and claims are answered `.unavailable`; first
    /// checkpoints, checkpoints, timeline rows and ends of calls are kept, coalesced, and written when one does.
    ///
    /// Leases, stamps and the bank's day are by the database's clock.
    public final class PostgresStore: ClosableStore {
        private let writer: StoreWriter<PostgresPlace>
        /// For what calls and takeovers wait for.
        private let readers: PostgresReaders
        /// For what people and tools ask, which may take long.
        private let listReaders: PostgresReaders
        /// Queries that wait beyond which further ones are refused.
        public static let queryLimit = 256
        /// Writes of one transaction at most.
        package static let batchLimit = 256

        /// Connects, and makes the tables where there are none. Never fails: `health` says what is wrong.
        /// - Parameters:
        ///   - url: `postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?sslmode=verify-full`, everything that libpq reads
        ///     but `target_session_attrs`, which is `read-write`. `connect_timeout` is for each host, 1 s unless given.
        ///   - observeBatch: hears how long each transaction took and how many requests were in it, on the writer's thread.
        public convenience init(
            url: String, rules: BankRules = .standard, clock: @escaping @Sendable () -> StoreTime = StoreTime.system,
            observeBatch: @escaping @Sendable (Duration, Int) -> Void = { _, _ in }
        ) {
            self.init(
                url: url, schema: PostgresSchema.name, limits: WriteQueue.Limits(batch: Self.batchLimit), rules: rules,
                clock: clock, observeBatch: observeBatch)
        }

        /// - Parameters:
        ///   - schema: where the tables are; another one is another store.
        ///   - observeStep: hears how far each transaction is, on the writer's thread.
        package init(
            url: String, schema: String, limits: WriteQueue.Limits = WriteQueue.Limits(batch: PostgresStore.batchLimit),
            rules: BankRules = .standard, patience: PostgresPatience = .writer,
            clock: @escaping @Sendable () -> StoreTime = StoreTime.system,
            observeBatch: @escaping @Sendable (Duration, Int) -> Void = { _, _ in },
            observeStep: @escaping TransactionObserver = { _ in }
        ) {
            let place = PostgresPlace(
                url: url, schema: schema, rules: rules, patience: patience, observeStep: observeStep)
            writer = StoreWriter(place, limits: limits, clock: clock, observeBatch: observeBatch)
            readers = PostgresReaders(
                place.with(.query), name: "store-reader", threads: 2, limit: Self.queryLimit, clock: clock)
            listReaders = PostgresReaders(
                place.with(.list), name: "store-lists", threads: 1, limit: Self.queryLimit, clock: clock)
            writer.start()
        }

        /// What waits is still tried for a second, by the writer's own thread.
        deinit {
            readers.stop()
            listReaders.stop()
            writer.stop(within: .seconds(1))
        }

        public func submit(_ request: StoreRequest, _ completion: @escaping @Sendable (StoreReply) -> Void) {
            guard request.requestClass == .query else { return writer.add(request, completion) }
            (request.isList ? listReaders : readers).add(request, completion)
        }

        public var health: StoreHealth { writer.health }

        public func close(within patience: Duration) async {
            readers.stop()
            listReaders.stop()
            await withCheckedContinuation { continuation in
                writer.stop(within: patience) { continuation.resume() }
            }
        }
    }

    extension StoreRequest {
        /// A query whose answer grows with what the store holds.
        fileprivate var isList: Bool {
            switch self {
            case .liveCalls, .callRecords, .accounts, .transfers, .attempts, .administrativeChanges, .audit: true
            default: false
            }
        }
    }
#endif
