import Banking
import Foundation
import GRDB
import Primitives
import Session

/// The store in one SQLite file that all nodes of a machine share. Writes go through one connection of this engine,
/// queries through others beside it, so that a slow query delays no write (WAL).
public struct SQLiteEngine: StoreEngine, Sendable {
    /// Waiting for another process's transaction; they last 2 ms, so 100 ms means that one is stuck.
    public static let busyTimeout: Duration = .milliseconds(100)
    /// A write transaction ends after this much work, whatever is left of its batch.
    public static let workLimit: Duration = .milliseconds(2)

    public let path: String
    private let pool: DatabasePool
    private let runner: RequestRunner<SQLiteTables>
    private let observeStep: TransactionObserver
    private var isFullySynchronous = false

    /// Opens or makes the file and brings its schema up to date. `observeStep` hears how far each batch is.
    public init(
        path: String, rules: BankRules = .standard, observeStep: @escaping TransactionObserver = { _ in }
    ) throws(StoreTrouble) {
        self.path = path
        self.observeStep = observeStep
        runner = RequestRunner(ledger: Ledger(rules: rules))
        var configuration = Configuration()
        configuration.label = "tandem.store"
        configuration.busyMode = .timeout(Double(Self.busyTimeout.wholeMilliseconds) / 1000)
        configuration.maximumReaderCount = 4
        // GRDB traps where a transaction is left open; ours may be, for a while, when a broken disk refuses a rollback.
        configuration.allowsUnsafeTransactions = true
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA trusted_schema = OFF")
            try db.execute(sql: "PRAGMA temp_store = MEMORY")
        }
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            try pool.writeWithoutTransaction { db in
                try SQLiteSchema.migrate(db, storeID: SessionID.random().description)
            }
        } catch {
            throw SQLiteTrouble.ofStore(error, path: path) ?? StoreTrouble(.io, "\(path) cannot be opened: \(error)")
        }
    }

    public mutating func perform(
        _ batch: [StoreRequest], clock: () -> StoreTime
    ) throws(StoreTrouble) -> [StoreReply] {
        guard !batch.isEmpty else { return [] }
        let needsFull = batch.contains { $0.needsFullDurability }
        let encoded = batch.map(Self.encode)
        let wasFull = isFullySynchronous
        do {
            let replies = try pool.writeWithoutTransaction { db in
                if needsFull != wasFull {
                    try db.execute(sql: needsFull ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL")
                }
                return try run(batch, encoded, on: db, clock: clock)
            }
            isFullySynchronous = needsFull
            return replies
        } catch {
            // Which setting the connection has now is unknown; the stricter one is assumed to be missing.
            isFullySynchronous = false
            _ = try? pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = NORMAL") }
            throw SQLiteTrouble.ofStore(error, path: path) ?? StoreTrouble(.io, "\(path): \(error)")
        }
    }

    package mutating func probe(at now: WallTime) throws(StoreTrouble) {
        do {
            try pool.writeWithoutTransaction { db in
                try db.inTransaction(.immediate) {
                    try SQLiteTables(db: db).setValue(now.description, of: .lastProbe)
                    return .commit
                }
            }
        } catch {
            throw SQLiteTrouble.ofStore(error, path: path) ?? StoreTrouble(.io, "\(path): \(error)")
        }
    }

    /// Ends all connections. Calls after this answer that the store is closed.
    package func close() { try? pool.close() }

    /// A query beside the writer; any thread may ask.
    func query(_ request: StoreRequest, at now: StoreTime) -> StoreReply {
        do {
            return try pool.read { db in
                var tables = SQLiteTables(db: db)
                return try runner.run(request, at: now, on: &tables)
            }
        } catch {
            if let trouble = SQLiteTrouble.ofStore(error, path: path) { return .unavailable(trouble) }
            return SQLiteTrouble.reply(to: error)
        }
    }

    /// A checkpoint's bytes, made before the lock is taken; what cannot be encoded fails by itself in its turn.
    private static func encode(_ request: StoreRequest) -> Data? {
        switch request {
        case .open(let write), .checkpoint(let write): (try? write.checkpoint.encoded()).map { Data($0) }
        case .bank(let bank): bank.write.flatMap { (try? $0.checkpoint.encoded()).map { Data($0) } }
        default: nil
        }
    }

    private func run(
        _ batch: [StoreRequest], _ encoded: [Data?], on db: Database, clock: () -> StoreTime
    ) throws -> [StoreReply] {
        if db.isInsideTransaction { try db.rollback() }
        observeStep(.beginning)
        try db.beginTransaction(.immediate)
        var replies: [StoreReply] = []
        do {
            // Read after the lock was granted: leases are judged by the time at which they are written.
            let now = clock()
            let started = ContinuousClock.now
            var tables = SQLiteTables(db: db)
            for (request, bytes) in zip(batch, encoded) {
                tables.encoded = bytes
                replies.append(try run(request, at: now, on: &tables))
                if ContinuousClock.now - started >= Self.workLimit { break }
            }
        } catch {
            if db.isInsideTransaction { try? db.rollback() }
            throw error
        }
        observeStep(.written)
        do {
            try db.commit()
            observeStep(.committed)
        } catch {
            if db.isInsideTransaction { try? db.rollback() }
            guard let failure = error as? DatabaseError, failure.resultCode == .SQLITE_IOERR,
                let trouble = SQLiteTrouble.ofStore(failure, path: path)
            else { throw error }
            // The commit may have reached the disk before it failed.
            return zip(batch, replies).map { request, _ in
                if case .bank = request { .bank(.unknown) } else { .unavailable(trouble) }
            }
        }
        return replies
    }

    /// One request in a savepoint of its own, unless it is a single statement anyway.
    private func run(
        _ request: StoreRequest, at now: StoreTime, on tables: inout SQLiteTables
    ) throws -> StoreReply {
        let isSingle = if case .checkpoint = request { true } else { false }
        do {
            if !isSingle { try tables.db.change("SAVEPOINT request") }
            let reply = try runner.run(request, at: now, on: &tables)
            if !isSingle { try tables.db.change("RELEASE request") }
            return reply
        } catch {
            if SQLiteTrouble.ofStore(error, path: path) != nil { throw error }
            if !isSingle {
                try tables.db.change("ROLLBACK TO request")
                try tables.db.change("RELEASE request")
            }
            return SQLiteTrouble.reply(to: error)
        }
    }
}

extension SQLiteEngine: ConnectedEngine {
    /// Connections to a file do not end.
    package var trouble: StoreTrouble? { nil }
}
