import Banking
import Foundation
import GRDB
import Primitives

/// The ledger's tables.
extension SQLiteTables: StoreTables {
    func customer(_ number: CustomerNumber) throws -> Customer? {
        try db.first("SELECT pin, card_reported FROM customers WHERE number = ?", [number.description]).map { row in
            guard let pin = PINDigest(bytes: [UInt8](try row.blob(0))) else {
                throw UnreadableRow("a customer of the store has no readable PIN digest")
            }
            return Customer(number: number, pin: pin, cardReported: try row.integer(1) != 0)
        }
    }

    func insert(_ customer: Customer) throws {
        try db.change(
            "INSERT INTO customers (number, pin, card_reported) VALUES (?, ?, ?)",
            [customer.number.description, Data(customer.pin.bytes), customer.cardReported])
    }

    func setPIN(_ pin: PINDigest, of number: CustomerNumber) throws {
        try db.change("UPDATE customers SET pin = ? WHERE number = ?", [Data(pin.bytes), number.description])
    }

    func setCardReported(of number: CustomerNumber) throws {
        try db.change("UPDATE customers SET card_reported = 1 WHERE number = ?", [number.description])
    }

    // MARK: Accounts and entries

    private static let accountColumns = "number, currency, balance_minor, status"

    private static func account(_ row: SQLiteRow) throws -> Account {
        guard let currency = Currency(try row.text(1)) else {
            throw UnreadableRow("an account of the store has no currency")
        }
        return Account(
            number: try row.parsed(0), currency: currency, balanceMinor: try row.integer(2), status: try row.raw(3))
    }

    func account(_ number: AccountNumber) throws -> Account? {
        try db.first("SELECT \(Self.accountColumns) FROM accounts WHERE number = ?", [number.description])
            .map(Self.account)
    }

    func insert(_ account: Account) throws {
        try db.change(
            "INSERT INTO accounts (\(Self.accountColumns)) VALUES (?, ?, ?, ?)",
            [
                account.number.description, account.currency.code, account.balanceMinor, account.status.rawValue,
            ])
    }

    func setStatus(_ status: Account.Status, of number: AccountNumber) throws {
        try db.change(
            "UPDATE accounts SET status = ? WHERE number = ?", [status.rawValue, number.description])
    }

    func post(_ entry: LedgerEntry) throws {
        try db.change(
            """
            INSERT INTO entries (operation, account, counterparty, amount_minor, kind, at_ms, day)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            [
                entry.operation.description, entry.account.description, entry.counterparty.description,
                entry.amountMinor, entry.kind.rawValue, entry.at.milliseconds, entry.day,
            ])
        let changed = try db.change(
            "UPDATE accounts SET balance_minor = balance_minor + ? WHERE number = ?",
            [entry.amountMinor, entry.account.description])
        guard changed == 1 else { throw UnreadableRow("an account vanished while money moved") }
    }

    func transferredOut(of number: AccountNumber, day: Int64) throws -> Int64 {
        try db.first(
            """
            SELECT COALESCE(-SUM(amount_minor), 0) FROM entries
            WHERE account = ? AND day = ? AND kind = 'transfer-out'
            """, [number.description, day])?.integer(0) ?? 0
    }

    func latestEntries(of number: AccountNumber, limit: Int) throws -> [LedgerEntry] {
        try db.all(
            """
            SELECT operation, counterparty, amount_minor, kind, at_ms, day FROM entries
            WHERE account = ? ORDER BY id DESC LIMIT ?
            """, [number.description, limit]
        ) { row in
            LedgerEntry(
                operation: try row.parsed(0), account: number, counterparty: try row.parsed(1),
                amountMinor: try row.integer(2), kind: try row.raw(3), at: WallTime(milliseconds: try row.integer(4)),
                day: try row.integer(5))
        }
    }

    // MARK: Lock-outs, operations, attempts

    func lockout(of number: CustomerNumber) throws -> Lockout? {
        try db.first(
            "SELECT wrong, last_wrong_ms, locked_until_ms FROM lockouts WHERE customer = ?", [number.description]
        ).map { row in
            Lockout(
                wrong: try row.small(0), lastWrong: WallTime(milliseconds: try row.integer(1)),
                lockedUntil: try row.integerIfAny(2).map(WallTime.init(milliseconds:)))
        }
    }

    func setLockout(_ lockout: Lockout?, of number: CustomerNumber, horizon: WallTime) throws {
        guard let lockout else {
            try db.change("DELETE FROM lockouts WHERE customer = ?", [number.description])
            return
        }
        try db.change(
            "INSERT OR REPLACE INTO lockouts (customer, wrong, last_wrong_ms, locked_until_ms) VALUES (?, ?, ?, ?)",
            [
                number.description, lockout.wrong, lockout.lastWrong.milliseconds, lockout.lockedUntil?.milliseconds,
            ])
        // Two for one: numbers that somebody tries at random cannot fill the table.
        try db.change(
            """
            DELETE FROM lockouts WHERE customer IN
                (SELECT customer FROM lockouts WHERE last_wrong_ms < ? ORDER BY last_wrong_ms LIMIT 2)
            """, [horizon.milliseconds])
    }

    func operation(_ id: OperationID) throws -> RecordedOperation? {
        try db.first("SELECT \(Self.operationColumns) FROM operations WHERE id = ?", [id.description])
            .map(Self.recordedOperation)
    }

    static let operationColumns =
        "id, name, request_hash, customer, from_account, to_account, amount_minor, currency, at_ms, outcome"

    static func recordedOperation(_ row: SQLiteRow) throws -> RecordedOperation {
        var transfer: RecordedOperation.Transfer?
        if let amount = try row.integerIfAny(6), let currency = try row.textIfAny(7).flatMap(Currency.init) {
            transfer = RecordedOperation.Transfer(
                from: try row.textIfAny(4).flatMap(AccountNumber.init),
                to: try row.textIfAny(5).flatMap(AccountNumber.init), amountMinor: amount, currency: currency)
        }
        return RecordedOperation(
            id: try row.parsed(0), name: try row.text(1), requestHash: [UInt8](try row.blob(2)),
            customer: try row.parsed(3), transfer: transfer, at: WallTime(milliseconds: try row.integer(8)),
            outcome: try RowCoding.decoded(BankOutcome.self, from: row.text(9)))
    }

    func insert(_ operation: RecordedOperation) throws {
        try db.change(
            "INSERT INTO operations (\(Self.operationColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                operation.id.description, operation.name, Data(operation.requestHash), operation.customer.description,
                operation.transfer?.from?.description, operation.transfer?.to?.description,
                operation.transfer?.amountMinor, operation.transfer?.currency.code, operation.at.milliseconds,
                try RowCoding.json(operation.outcome),
            ])
    }

    func insert(_ attempt: BankAttempt) throws {
        try db.change(
            """
            INSERT INTO attempts (at_ms, customer, operation, operation_id, outcome, session)
            VALUES (?, ?, ?, ?, ?, ?)
            """,
            [
                attempt.at.milliseconds, attempt.customer, attempt.operation, attempt.id, attempt.outcome,
                attempt.session,
            ])
    }

    // MARK: Lists for tools

    func accountRows(includingBank: Bool) throws -> [AccountRow] {
        try db.all(
            """
            SELECT accounts.number, currency, balance_minor, status, COALESCE(card_reported, 0) FROM accounts
            LEFT JOIN customers ON customers.number = substr(accounts.number, 1, 8) ORDER BY accounts.number
            """
        ) { row in (try Self.account(row), try row.integer(4) != 0) }
        .filter { includingBank || $0.0.number.customer != .bank }
        .map { AccountRow($0.0, cardReported: $0.1) }
    }

    func transferRows(limit: Int) throws -> [TransferRow] {
        try db.all(
            """
            SELECT \(Self.operationColumns) FROM operations WHERE name = 'transfer' ORDER BY sequence DESC LIMIT ?
            """, [limit], Self.recordedOperation
        ).compactMap(TransferRow.init)
    }

    func attempts(limit: Int) throws -> [BankAttempt] {
        try db.all(
            """
            SELECT at_ms, customer, operation, operation_id, outcome, session FROM attempts ORDER BY id DESC LIMIT ?
            """, [limit]
        ) { row in
            BankAttempt(
                at: WallTime(milliseconds: try row.integer(0)), customer: try row.text(1),
                operation: try row.text(2), id: try row.textIfAny(3), outcome: try row.text(4),
                session: try row.textIfAny(5))
        }
    }

    func auditReport() throws -> AuditReport {
        func count(_ sql: String) throws -> Int64 { try db.first(sql)?.integer(0) ?? 0 }
        let differences = try db.all(
            """
            SELECT number, MAX(balance), SUM(amount) FROM (
                SELECT number, balance_minor AS balance, 0 AS amount FROM accounts
                UNION ALL SELECT account, NULL, amount_minor FROM entries
            ) GROUP BY number HAVING MAX(balance) IS NOT SUM(amount) ORDER BY number
            """
        ) { row in
            AuditReport.Difference(
                account: try row.text(0), balanceMinor: try row.integerIfAny(1) ?? 0,
                entriesMinor: try row.integer(2))
        }
        let unbalanced = try db.all(
            """
            SELECT operation FROM entries GROUP BY operation HAVING SUM(amount_minor) <> 0
            UNION
            SELECT operations.id FROM operations LEFT JOIN entries ON entries.operation = operations.id
            WHERE operations.name = 'transfer' GROUP BY operations.id
            HAVING COUNT(entries.id) <> (CASE operations.outcome WHEN ? THEN 2 ELSE 0 END)
            ORDER BY 1
            """, [try RowCoding.json(BankOutcome.done)]
        ) { try $0.text(0) }
        return AuditReport(
            accounts: Int(try count("SELECT COUNT(*) FROM accounts")),
            entries: Int(try count("SELECT COUNT(*) FROM entries")),
            transfers: Int(try count("SELECT COUNT(*) FROM operations WHERE name = 'transfer'")),
            totalMinor: try count("SELECT COALESCE(SUM(balance_minor), 0) FROM accounts"), differences: differences,
            unbalanced: unbalanced)
    }
}
