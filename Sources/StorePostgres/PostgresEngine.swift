#if PostgreSQL
    import Banking
    import Primitives
    import Session
    import Store

    /// The store in a PostgreSQL database that all nodes share, over one connection.
    ///
    /// Used by one thread at a time, which is what `@unchecked Sendable` promises for the connection: a writer's thread or a
    /// reader's, never both.
    final class PostgresEngine: @unchecked Sendable {
        /// Whose time stamps rows and counts leases.
        enum Time: Sendable {
            /// `clock_timestamp()`, read after the locks were granted.
            case server
            /// The one that is handed in, for tests.
            case caller
        }

        /// The same for all nodes of a database: times of the server are not times since a boot.
        static let bootID = "database"
        /// How long a statement waits for another connection's lock. A client that froze in a transaction is cut off by the
        /// server after the same span, so that its locks go before those who wait give up twice.
        static let lockPatience: Duration = .milliseconds(500)

        private let connection: PostgresConnection
        private let runner: RequestRunner<PostgresTables>
        private let time: Time
        private let space: Int32
        private let observeStep: TransactionObserver
        /// Set when nobody knows whether the last COMMIT was done.
        private var doubt: StoreTrouble?

        /// Takes over a connection, prepares it and brings the schema up to date.
        private init(
            _ connection: PostgresConnection, schema: String, rules: BankRules, time: Time,
            observeStep: @escaping TransactionObserver
        ) throws {
            self.connection = connection
            self.time = time
            self.observeStep = observeStep
            runner = RequestRunner(ledger: Ledger(rules: rules))
            space = PostgresLocks.space(of: schema)
            let milliseconds = Self.lockPatience.wholeMilliseconds
            // Whatever the server's or the role's settings are: an answered write of money is on the disk.
            _ = try connection.run(
                """
                SELECT set_config('search_path', '\(schema)', false), set_config('lock_timeout', '\(milliseconds)', false),
                    set_config('idle_in_transaction_session_timeout', '\(milliseconds)', false),
                    set_config('statement_timeout', '0', false),
                    set_config('default_transaction_isolation', 'read committed', false),
                    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                        WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)
                """)
            try PostgresSchema.migrate(connection, schema: schema, storeID: SessionID.random().description)
        }

        /// Opens the first host that takes writes, the preferred one if it does. Also answers which it was.
        static func open(
            _ address: PostgresAddress, hosts: PostgresHosts? = nil, names: PostgresNames = .shared,
            schema: String = PostgresSchema.name, rules: BankRules, time: Time = .server,
            patience: PostgresPatience = .writer, observeStep: @escaping TransactionObserver = { _ in }
        ) throws(StoreTrouble) -> (PostgresEngine, host: Int) {
            var opening = PostgresOpening(
                address, hosts: hosts ?? PostgresHosts(count: address.hosts.count), names: names, patience: patience)
            let (connection, host) = try opening.run()
            do {
                let engine = try PostgresEngine(
                    connection, schema: schema, rules: rules, time: time, observeStep: observeStep)
                return (engine, host)
            } catch {
                throw Self.trouble(error, on: connection)
            }
        }

        private static func trouble(_ error: any Error, on connection: PostgresConnection) -> StoreTrouble {
            if let trouble = connection.trouble ?? error as? StoreTrouble { return trouble }
            guard let error = error as? PostgresError else { return StoreTrouble(.io, "\(connection.place): \(error)") }
            return error.trouble(at: connection.place) ?? StoreTrouble(.io, "\(connection.place): \(error)")
        }

        // MARK: Queries

        /// Answers a request that only reads, from one snapshot.
        func query(_ request: StoreRequest, at now: StoreTime) throws(StoreTrouble) -> StoreReply {
            do {
                try connection.send("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                var tables = PostgresTables(connection: connection, isWriting: false)
                let reply: StoreReply
                do {
                    reply = try runner.run(request, at: now, on: &tables)
                } catch {
                    if Self.isOfStore(error, on: connection) { throw error }
                    reply = Self.reply(to: error)
                    try connection.synchronize()
                }
                _ = try connection.run("ROLLBACK")
                return reply
            } catch {
                rollBack()
                throw Self.trouble(error, on: connection)
            }
        }

        // MARK: Errors

        /// Whether the whole batch is void, and not only the request that met the error.
        private static func isOfStore(_ error: any Error, on connection: PostgresConnection) -> Bool {
            if connection.trouble != nil || error is StoreTrouble { return true }
            return (error as? PostgresError)?.trouble(at: connection.place) != nil
        }

        private static func reply(to error: any Error) -> StoreReply {
            switch error {
            case let error as CheckpointError: .refused(error.description)
            case let error as PostgresError: .refused(error.message)
            default: .refused("\(error)")
            }
        }

        /// What only tests do with the connection.
        func holding(_ body: (PostgresConnection) throws -> Void) rethrows { try body(connection) }

        private func rollBack() {
            guard connection.trouble == nil else { return }
            do {
                try connection.synchronize()
                _ = try connection.run("ROLLBACK")
            } catch {
                connection.abandon(Self.trouble(error, on: connection))
            }
        }
    }

    // MARK: - Batches

    extension PostgresEngine: StoreEngine {
        func perform(_ batch: [StoreRequest], clock: () -> StoreTime) throws(StoreTrouble) -> [StoreReply] {
            guard !batch.isEmpty else { return [] }
            let encoded = batch.map(Self.encode)
            observeStep(.beginning)
            let replies: [StoreReply]
            do {
                replies = try write(batch, encoded, clock: clock)
            } catch {
                rollBack()
                throw Self.trouble(error, on: connection)
            }
            observeStep(.written)
            do {
                guard try connection.commit(sent: { observeStep(.committing) }) else {
                    throw StoreTrouble(.io, "\(connection.place) rolled a transaction back")
                }
                observeStep(.committed)
                return replies
            } catch {
                guard let lost = connection.trouble else {
                    rollBack()
                    throw Self.trouble(error, on: connection)
                }
                let doubt = StoreTrouble(.unresolved, "lost in COMMIT: \(lost.detail)")
                self.doubt = doubt
                return batch.map { request in
                    if case .bank(let bank) = request, bank.request.id != nil { return .bank(.unknown) }
                    return .unavailable(doubt)
                }
            }
        }

        /// A checkpoint's bytes, made before the transaction; what cannot be encoded fails by itself in its turn.
        private static func encode(_ request: StoreRequest) -> [UInt8]? {
            switch request {
            case .open(let write), .checkpoint(let write): try? write.checkpoint.encoded()
            case .bank(let bank): bank.write.flatMap { try? $0.checkpoint.encoded() }
            default: nil
            }
        }

        private func write(
            _ batch: [StoreRequest], _ encoded: [[UInt8]?], clock: () -> StoreTime
        ) throws -> [StoreReply] {
            try connection.send("BEGIN")
            if batch.allSatisfy({ $0.requestClass == .deferrable }) {
                // Calls live on in their center; what a crash of the database loses of them is written again.
                try connection.send("SET LOCAL synchronous_commit = off")
            }
            let sessions = PostgresLocks.sessions(batch)
            if !sessions.isEmpty {
                try connection.send(PostgresLocks.lockSessions, [.texts(sessions.map(\.description))])
            }
            let keys = PostgresLocks.keys(batch)
            if !keys.isEmpty {
                let spaces = [Int32](repeating: space, count: keys.count)
                try connection.send(PostgresLocks.lockKeys, [.smalls(spaces), .smalls(keys)])
            }
            let now = time == .caller ? clock() : try serverTime()

            var replies = [StoreReply?](repeating: nil, count: batch.count)
            var bulk = PostgresBulk()
            for (position, request) in batch.enumerated() {
                if bulk.take(request, at: position, encoded: encoded[position]) { continue }
                try run(bulk, batch, encoded, at: now, into: &replies)
                bulk = PostgresBulk()
                if bulk.take(request, at: position, encoded: encoded[position]) { continue }
                replies[position] = try run(request, encoded[position], at: now)
            }
            try run(bulk, batch, encoded, at: now, into: &replies)
            return replies.map { $0 ?? .refused("no answer") }
        }

        private func serverTime() throws -> StoreTime {
            let row = try connection.run("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").rows.first
            guard let row else { throw UnreadableRow("the database tells no time") }
            let microseconds = try row.integer(0)
            return StoreTime(
                wall: WallTime(milliseconds: microseconds / 1000),
                sinceBoot: MonotonicTime(nanoseconds: microseconds.multipliedReportingOverflow(by: 1000).partialValue),
                bootID: Self.bootID)
        }

        /// Several requests at once; those that need a closer look, or all if one spoils it, one by one.
        private func run(
            _ bulk: PostgresBulk, _ batch: [StoreRequest], _ encoded: [[UInt8]?], at now: StoreTime,
            into replies: inout [StoreReply?]
        ) throws {
            guard !bulk.positions.isEmpty else { return }
            do {
                try connection.send("SAVEPOINT request")
                let done = try bulk.run(on: PostgresTables(connection: connection, isWriting: true), at: now)
                _ = try connection.run("RELEASE SAVEPOINT request")
                for (position, reply) in done { replies[position] = reply }
            } catch {
                if Self.isOfStore(error, on: connection) { throw error }
                try backToSavepoint()
            }
            for position in bulk.positions where replies[position] == nil {
                replies[position] = try run(batch[position], encoded[position], at: now)
            }
        }

        /// One request by itself: what it wrote is undone when it fails.
        private func run(_ request: StoreRequest, _ bytes: [UInt8]?, at now: StoreTime) throws -> StoreReply {
            var attempts = 0
            while true {
                attempts += 1
                do {
                    try connection.send("SAVEPOINT request")
                    var tables = PostgresTables(connection: connection, isWriting: true, encoded: bytes)
                    let reply = try runner.run(request, at: now, on: &tables)
                    _ = try connection.run("RELEASE SAVEPOINT request")
                    return reply
                } catch {
                    if Self.isOfStore(error, on: connection) { throw error }
                    try backToSavepoint()
                    // Another node wrote the same row first; now it can be seen.
                    if let error = error as? PostgresError, error.isConflict, attempts < 3 { continue }
                    return Self.reply(to: error)
                }
            }
        }

        private func backToSavepoint() throws {
            try connection.synchronize()
            try connection.send("ROLLBACK TO SAVEPOINT request")
            _ = try connection.run("RELEASE SAVEPOINT request")
        }
    }

    extension PostgresEngine: ConnectedEngine {
        var trouble: StoreTrouble? { doubt ?? connection.trouble }

        func probe(at now: WallTime) throws(StoreTrouble) {
            do {
                try connection.send("BEGIN")
                try PostgresTables(connection: connection, isWriting: true).setValue(now.description, of: .lastProbe)
                _ = try connection.commit()
            } catch {
                rollBack()
                throw Self.trouble(error, on: connection)
            }
        }

        /// The connection ends with the last reference to it.
        func close() { connection.abandon(StoreTrouble(.closed, "the store was closed")) }
    }
#endif
