#if PostgreSQL
    import Banking
    import Primitives
    import Session
    import Store

    /// The hosts of a PostgreSQL store, tried in turn beginning with the last that took writes.
    struct PostgresPlace: StorePlace {
        /// How long a store that is away is left alone at most.
        static let longestPause: Duration = .milliseconds(500)

        let address: Result<PostgresAddress, StoreTrouble>
        let schema: String
        let rules: BankRules
        let patience: Duration
        private var host = 0

        init(url: String, schema: String, rules: BankRules, patience: Duration) {
            address = Result { () throws(StoreTrouble) in try PostgresAddress(url: url) }
            self.schema = schema
            self.rules = rules
            self.patience = patience
        }

        mutating func open() throws(StoreTrouble) -> PostgresEngine {
            let (engine, host) = try PostgresEngine.open(
                try address.get(), first: host, schema: schema, rules: rules, patience: patience)
            self.host = host
            return engine
        }

        /// A connection says by itself that it ended.
        func check(at now: MonotonicTime) {}

        /// 20, 40, 80 … 500 ms, and a little by chance, so that nodes do not come all at once.
        func pause(after trouble: StoreTrouble, failures: Int) -> Duration {
            if trouble.kind == .locked || failures <= 1 { return .milliseconds(5) }
            let doubled = Duration.milliseconds(20 << min(max(0, failures - 2), 5))
            return min(doubled, Self.longestPause) + .milliseconds(Int.random(in: 0...20))
        }
    }
#endif
