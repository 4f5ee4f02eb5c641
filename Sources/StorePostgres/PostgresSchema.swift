#if PostgreSQL
    import Session
    import Store

    /// The tables of a store in PostgreSQL and the steps that lead to them. They live in a schema of their own, so that the
    /// database may hold other things.
    enum PostgresSchema {
        static let name = "tandem"

        /// Brings the schema up to this program's version, in one transaction; many nodes may do so at once. A store that a
        /// newer minor release has extended is used as it is: steps within a major version only add.
        static func migrate(_ connection: PostgresConnection, schema: String, storeID: String) throws {
            if let found = try version(connection, schema: schema), try isCurrent(found) { return }
            try connection.send("BEGIN")
            try connection.send("SELECT pg_advisory_xact_lock(\(PostgresLocks.space(of: schema)), 0)")
            // Another node may have been faster since.
            let found = try version(connection, schema: schema)
            if let found, try isCurrent(found) {
                _ = try connection.run("ROLLBACK")
                return
            }
            if found == nil {
                if try connection.run("SELECT 1 FROM pg_namespace WHERE nspname = '\(schema)'").rows.isEmpty {
                    try connection.send("CREATE SCHEMA \(schema)")
                }
                for statement in base { try connection.send(statement) }
                try connection.send(
                    "INSERT INTO store_values (key, value) VALUES ($1, $2)",
                    [.text(StoreKey.storeID.rawValue), .text(storeID)])
                try connection.send("INSERT INTO schema_version (major, minor) VALUES (\(StoreSchema.major), 1)")
            }
            for (step, statements) in steps.enumerated() where (found?.minor ?? 1) < step + 2 {
                for statement in statements { try connection.send(statement) }
            }
            try connection.send("UPDATE schema_version SET minor = \(StoreSchema.minor)")
            guard try connection.commit() else { throw StoreTrouble(.io, "the schema could not be made") }
        }

        private struct Version {
            var major: Int
            var minor: Int
        }

        private static func version(_ connection: PostgresConnection, schema: String) throws -> Version? {
            // By the catalogue's rows, not by name: names are looked up in a cache that may not know of another node's.
            let table = try connection.run(
                "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'schema_version'",
                [.text(schema)])
            guard !table.rows.isEmpty,
                let row = try connection.run("SELECT major, minor FROM \(schema).schema_version").rows.first
            else { return nil }
            return Version(major: try row.small(0), minor: try row.small(1))
        }

        /// True if nothing is to be done.
        private static func isCurrent(_ found: Version) throws -> Bool {
            guard found.major <= StoreSchema.major else {
                throw StoreTrouble(
                    .schema,
                    "the store has schema \(found.major).\(found.minor), this program knows up to \(StoreSchema.major); "
                        + "run the newer release")
            }
            return found.major == StoreSchema.major && found.minor >= StoreSchema.minor
        }

        /// What each minor version after 1.1, the first with PostgreSQL, added, in order.
        private static let steps: [[String]] = []

        /// Schema 1.1. Text is compared by its bytes, as on every other engine. A session's row is written many times and
        /// stays in its page: half of each is left free, and its checkpoint is neither compressed nor moved out.
        private static let base = [
            "CREATE TABLE schema_version (major BIGINT NOT NULL, minor BIGINT NOT NULL)",
            #"CREATE TABLE store_values (key TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL)"#,
            #"""
            CREATE TABLE nodes (
                name TEXT COLLATE "C" PRIMARY KEY, incarnation TEXT NOT NULL, role TEXT NOT NULL, pid BIGINT NOT NULL,
                process_start BIGINT NOT NULL, http_address TEXT NOT NULL, checkpoint_low BIGINT NOT NULL,
                checkpoint_high BIGINT NOT NULL, registered_ms BIGINT NOT NULL, heartbeat_ms BIGINT NOT NULL,
                host TEXT NOT NULL DEFAULT '', boot_id TEXT NOT NULL DEFAULT ''
            ) WITH (fillfactor = 50)
            """#,
            #"""
            CREATE TABLE fences (
                name TEXT COLLATE "C" NOT NULL, incarnation TEXT COLLATE "C" NOT NULL, at_ms BIGINT NOT NULL,
                PRIMARY KEY (name, incarnation)
            )
            """#,
            #"CREATE TABLE administrative_states (node TEXT COLLATE "C" PRIMARY KEY, state TEXT NOT NULL)"#,
            """
            CREATE TABLE administrative_changes (
                id BIGSERIAL PRIMARY KEY, at_ms BIGINT NOT NULL, node TEXT NOT NULL, state TEXT NOT NULL,
                changed_by TEXT NOT NULL
            )
            """,
            #"""
            CREATE TABLE leases (
                name TEXT COLLATE "C" PRIMARY KEY, holder_name TEXT NOT NULL, holder_incarnation TEXT NOT NULL,
                epoch BIGINT NOT NULL, boot_id TEXT NOT NULL, expires_ns BIGINT NOT NULL
            ) WITH (fillfactor = 50)
            """#,
            #"""
            CREATE TABLE sessions (
                id TEXT COLLATE "C" PRIMARY KEY, owner_name TEXT COLLATE "C" NOT NULL,
                owner_incarnation TEXT COLLATE "C" NOT NULL, epoch BIGINT NOT NULL, call_id TEXT COLLATE "C",
                line TEXT NOT NULL, caller TEXT NOT NULL, started_ms BIGINT NOT NULL, menu TEXT, menu_hash TEXT,
                state TEXT, language TEXT, authenticated BOOLEAN NOT NULL, takeovers BIGINT NOT NULL,
                pending BOOLEAN NOT NULL, caller_ended_ms BIGINT, checkpoint BYTEA NOT NULL
            ) WITH (fillfactor = 50, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05,
                autovacuum_vacuum_cost_delay = 0)
            """#,
            "CREATE INDEX sessions_by_call_id ON sessions (call_id)",
            "CREATE INDEX sessions_by_owner ON sessions (owner_name, owner_incarnation)",
            #"""
            CREATE TABLE timeline (
                session TEXT COLLATE "C" NOT NULL, sequence BIGINT NOT NULL, at_ms BIGINT NOT NULL, kind TEXT NOT NULL,
                detail TEXT NOT NULL, PRIMARY KEY (session, sequence)
            )
            """#,
            #"""
            CREATE TABLE call_records (
                sequence BIGSERIAL PRIMARY KEY, id TEXT COLLATE "C" NOT NULL UNIQUE, ended_ms BIGINT NOT NULL,
                record TEXT NOT NULL, last_seen TEXT NOT NULL
            )
            """#,
            "CREATE INDEX call_records_by_end ON call_records (ended_ms)",
            #"""
            CREATE TABLE customers (
                number TEXT COLLATE "C" PRIMARY KEY, pin BYTEA NOT NULL, card_reported BOOLEAN NOT NULL
            )
            """#,
            #"""
            CREATE TABLE accounts (
                number TEXT COLLATE "C" PRIMARY KEY, currency TEXT NOT NULL, balance_minor BIGINT NOT NULL,
                status TEXT NOT NULL
            ) WITH (fillfactor = 80)
            """#,
            #"""
            CREATE TABLE entries (
                id BIGSERIAL PRIMARY KEY, operation TEXT COLLATE "C" NOT NULL, account TEXT COLLATE "C" NOT NULL,
                counterparty TEXT NOT NULL, amount_minor BIGINT NOT NULL, kind TEXT NOT NULL, at_ms BIGINT NOT NULL,
                day BIGINT NOT NULL, UNIQUE (operation, account)
            )
            """#,
            "CREATE INDEX entries_by_account ON entries (account, id)",
            "CREATE INDEX entries_sent ON entries (account, day) WHERE kind = 'transfer-out'",
            #"""
            CREATE TABLE operations (
                sequence BIGSERIAL PRIMARY KEY, id TEXT COLLATE "C" NOT NULL UNIQUE, name TEXT NOT NULL,
                request_hash BYTEA NOT NULL, customer TEXT NOT NULL, from_account TEXT, to_account TEXT,
                amount_minor BIGINT, currency TEXT, at_ms BIGINT NOT NULL, outcome TEXT NOT NULL
            )
            """#,
            #"""
            CREATE TABLE lockouts (
                customer TEXT COLLATE "C" PRIMARY KEY, wrong BIGINT NOT NULL, last_wrong_ms BIGINT NOT NULL,
                locked_until_ms BIGINT
            )
            """#,
            "CREATE INDEX lockouts_by_age ON lockouts (last_wrong_ms)",
            """
            CREATE TABLE attempts (
                id BIGSERIAL PRIMARY KEY, at_ms BIGINT NOT NULL, customer TEXT NOT NULL, operation TEXT NOT NULL,
                operation_id TEXT, outcome TEXT NOT NULL, session TEXT
            )
            """,
            #"CREATE TABLE menus (hash TEXT COLLATE "C" PRIMARY KEY, content BYTEA NOT NULL, at_ms BIGINT NOT NULL)"#,
        ]
    }
#endif
