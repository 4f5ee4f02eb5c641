import GRDB
import Primitives

/// The tables of a store file and the steps that lead to them.
enum SQLiteSchema {
    /// `PRAGMA application_id`, "TNDM": what `file` and other programs tell the format by.
    static let applicationID: Int64 = 0x544E_444D

    /// `PRAGMA user_version` holds major × 1000 + minor.
    static let version = StoreSchema.major * 1000 + StoreSchema.minor

    /// Brings a file up to this program's schema, in one transaction; many processes may do so at once.
    /// A file that a newer minor release has extended is used as it is: steps within a major version only add.
    static func migrate(_ db: Database, storeID: String) throws {
        if try check(db) { return }
        try db.inTransaction(.immediate) {
            // Another process may have been faster since.
            if try check(db) { return .commit }
            let found = try db.first("PRAGMA user_version")?.small(0) ?? 0
            if found == 0 {
                for statement in base { try db.execute(sql: statement) }
                try db.execute(
                    sql: "INSERT INTO store_values (key, value) VALUES (?, ?)",
                    arguments: [StoreKey.storeID.rawValue, storeID])
                try db.execute(sql: "PRAGMA application_id = \(applicationID)")
            }
            for (step, statements) in steps.enumerated() where found < StoreSchema.major * 1000 + step + 1 {
                for statement in statements { try db.execute(sql: statement) }
            }
            try db.execute(sql: "PRAGMA user_version = \(version)")
            return .commit
        }
    }

    /// True if nothing is to be done. Throws for files this program must not touch.
    private static func check(_ db: Database) throws -> Bool {
        let found = try db.first("PRAGMA user_version")?.small(0) ?? 0
        let application = try db.first("PRAGMA application_id")?.integer(0) ?? 0
        if found == 0 {
            let tables = try db.first("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'")?.small(0) ?? 0
            guard tables == 0 else { throw StoreTrouble(.schema, "the file is a database of some other program") }
            return false
        }
        guard application == applicationID else {
            throw StoreTrouble(.schema, "the file is a database of some other program")
        }
        guard found / 1000 <= StoreSchema.major else {
            throw StoreTrouble(
                .schema,
                "the store has schema \(found / 1000).\(found % 1000), this program knows up to \(StoreSchema.major); "
                    + "run the newer release")
        }
        return found >= version
    }

    /// What each minor version after 1.0 added, in order.
    private static let steps: [[String]] = [
        [
            "ALTER TABLE nodes ADD COLUMN host TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE nodes ADD COLUMN boot_id TEXT NOT NULL DEFAULT ''",
        ]
    ]

    /// Schema 1.0.
    private static let base = [
        "CREATE TABLE store_values (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """
        CREATE TABLE nodes (
            name TEXT PRIMARY KEY, incarnation TEXT NOT NULL, role TEXT NOT NULL, pid INTEGER NOT NULL,
            process_start INTEGER NOT NULL, http_address TEXT NOT NULL, checkpoint_low INTEGER NOT NULL,
            checkpoint_high INTEGER NOT NULL, registered_ms INTEGER NOT NULL, heartbeat_ms INTEGER NOT NULL
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE fences (
            name TEXT NOT NULL, incarnation TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (name, incarnation)
        ) WITHOUT ROWID
        """,
        "CREATE TABLE administrative_states (node TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID",
        """
        CREATE TABLE administrative_changes (
            id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, node TEXT NOT NULL, state TEXT NOT NULL,
            changed_by TEXT NOT NULL
        )
        """,
        """
        CREATE TABLE leases (
            name TEXT PRIMARY KEY, holder_name TEXT NOT NULL, holder_incarnation TEXT NOT NULL,
            epoch INTEGER NOT NULL, boot_id TEXT NOT NULL, expires_ns INTEGER NOT NULL
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE sessions (
            id TEXT NOT NULL UNIQUE, owner_name TEXT NOT NULL, owner_incarnation TEXT NOT NULL,
            epoch INTEGER NOT NULL, call_id TEXT, line TEXT NOT NULL, caller TEXT NOT NULL,
            started_ms INTEGER NOT NULL, menu TEXT, menu_hash TEXT, state TEXT, language TEXT,
            authenticated INTEGER NOT NULL, takeovers INTEGER NOT NULL, pending INTEGER NOT NULL,
            caller_ended_ms INTEGER, checkpoint BLOB NOT NULL
        )
        """,
        "CREATE INDEX sessions_by_call_id ON sessions (call_id)",
        "CREATE INDEX sessions_by_owner ON sessions (owner_name, owner_incarnation)",
        """
        CREATE TABLE timeline (
            session TEXT NOT NULL, sequence INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
            detail TEXT NOT NULL, PRIMARY KEY (session, sequence)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE call_records (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, ended_ms INTEGER NOT NULL,
            record TEXT NOT NULL, last_seen TEXT NOT NULL
        )
        """,
        """
        CREATE TABLE customers (number TEXT PRIMARY KEY, pin BLOB NOT NULL, card_reported INTEGER NOT NULL)
        WITHOUT ROWID
        """,
        """
        CREATE TABLE accounts (
            number TEXT PRIMARY KEY, currency TEXT NOT NULL, balance_minor INTEGER NOT NULL, status TEXT NOT NULL
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE entries (
            id INTEGER PRIMARY KEY AUTOINCREMENT, operation TEXT NOT NULL, account TEXT NOT NULL,
            counterparty TEXT NOT NULL, amount_minor INTEGER NOT NULL, kind TEXT NOT NULL, at_ms INTEGER NOT NULL,
            day INTEGER NOT NULL, UNIQUE (operation, account)
        )
        """,
        "CREATE INDEX entries_by_account ON entries (account, id)",
        "CREATE INDEX entries_sent ON entries (account, day) WHERE kind = 'transfer-out'",
        """
        CREATE TABLE operations (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
            request_hash BLOB NOT NULL, customer TEXT NOT NULL, from_account TEXT, to_account TEXT,
            amount_minor INTEGER, currency TEXT, at_ms INTEGER NOT NULL, outcome TEXT NOT NULL
        )
        """,
        """
        CREATE TABLE lockouts (
            customer TEXT PRIMARY KEY, wrong INTEGER NOT NULL, last_wrong_ms INTEGER NOT NULL, locked_until_ms INTEGER
        ) WITHOUT ROWID
        """,
        "CREATE INDEX lockouts_by_age ON lockouts (last_wrong_ms)",
        """
        CREATE TABLE attempts (
            id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, customer TEXT NOT NULL, operation TEXT NOT NULL,
            operation_id TEXT, outcome TEXT NOT NULL, session TEXT
        )
        """,
        "CREATE TABLE menus (hash TEXT PRIMARY KEY, content BLOB NOT NULL, at_ms INTEGER NOT NULL)",
    ]
}
