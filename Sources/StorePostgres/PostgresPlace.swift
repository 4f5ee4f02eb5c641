#if PostgreSQL
    import Banking
    import Primitives
    import Session
    import Store

    /// The hosts of a PostgreSQL store, beginning with the last that took writes.
    struct PostgresPlace: StorePlace {
        /// How long a store that is away is left alone at most. What waits for a promotion waits for this, too.
        static let longestPause: Duration = .milliseconds(250)

        let address: Result<PostgresAddress, StoreTrouble>
        let schema: String
        let rules: BankRules
        let patience: PostgresPatience
        let observeStep: TransactionObserver
        private let hosts: PostgresHosts
        /// Where the last connection led.
        private var host = 0

        init(
            url: String, schema: String, rules: BankRules, patience: PostgresPatience,
            observeStep: @escaping TransactionObserver = { _ in }
        ) {
            address = Result { () throws(StoreTrouble) in try PostgresAddress(url: url) }
            self.schema = schema
            self.rules = rules
            self.patience = patience
            self.observeStep = observeStep
            hosts = PostgresHosts(count: (try? address.get().hosts.count) ?? 1)
        }

        /// The same place for connections of another kind, which share what is known of the hosts.
        func with(_ patience: PostgresPatience) -> PostgresPlace { PostgresPlace(self, patience) }

        private init(_ place: PostgresPlace, _ patience: PostgresPatience) {
            address = place.address
            schema = place.schema
            rules = place.rules
            self.patience = patience
            observeStep = { _ in }
            hosts = place.hosts
        }

        /// Whether the last connection leads where the others have found the store since.
        var isPreferred: Bool { host == hosts.preferred }

        mutating func open() throws(StoreTrouble) -> PostgresEngine {
            let (engine, host) = try PostgresEngine.open(
                try address.get(), hosts: hosts, schema: schema, rules: rules, patience: patience,
                observeStep: observeStep)
            self.host = host
            return engine
        }

        /// A connection says by itself that it ended.
        func check(at now: MonotonicTime) {}

        /// 20, 40, 80 … 250 ms, and a little by chance, so that nodes do not come all at once.
        func pause(after trouble: StoreTrouble, failures: Int) -> Duration {
            if trouble.kind == .locked || failures <= 1 { return .milliseconds(5) }
            let doubled = Duration.milliseconds(20 << min(max(0, failures - 2), 5))
            return min(doubled, Self.longestPause) + .milliseconds(Int.random(in: 0...20))
        }
    }
#endif
