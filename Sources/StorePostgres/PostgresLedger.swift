#if PostgreSQL
    import Banking
    import Primitives
    import Session
    import Store

    /// The ledger's tables. That nobody else moves the money of the same customers meanwhile is what the batch's locks see to.
    extension PostgresTables: StoreTables {
        func customer(_ number: CustomerNumber) throws -> Customer? {
            try first("SELECT pin, card_reported FROM customers WHERE number = $1", [.text(number)]).map { row in
                guard let pin = PINDigest(bytes: try row.bytes(0)) else {
                    throw UnreadableRow("a customer of the store has no readable PIN digest")
                }
                return Customer(number: number, pin: pin, cardReported: try row.boolean(1))
            }
        }

        func insert(_ customer: Customer) throws {
            try send(
                "INSERT INTO customers (number, pin, card_reported) VALUES ($1, $2, $3)",
                [.text(customer.number), .bytes(customer.pin.bytes), .boolean(customer.cardReported)])
        }

        func setPIN(_ pin: PINDigest, of number: CustomerNumber) throws {
            try send("UPDATE customers SET pin = $1 WHERE number = $2", [.bytes(pin.bytes), .text(number)])
        }

        func setCardReported(of number: CustomerNumber) throws {
            try send("UPDATE customers SET card_reported = true WHERE number = $1", [.text(number)])
        }

        // MARK: Accounts and entries

        private static let accountColumns = "number, currency, balance_minor, status"

        private static func account(_ row: PostgresRow) throws -> Account {
            guard let currency = Currency(try row.text(1)) else {
                throw UnreadableRow("an account of the store has no currency")
            }
            return Account(
                number: try row.parsed(0), currency: currency, balanceMinor: try row.integer(2), status: try row.raw(3))
        }

        func account(_ number: AccountNumber) throws -> Account? {
            try first("SELECT \(Self.accountColumns) FROM accounts WHERE number = $1", [.text(number)])
                .map(Self.account)
        }

        func insert(_ account: Account) throws {
            try send(
                "INSERT INTO accounts (\(Self.accountColumns)) VALUES ($1, $2, $3, $4)",
                [
                    .text(account.number), .text(account.currency.code), .integer(account.balanceMinor),
                    .text(account.status.rawValue),
                ])
        }

        func setStatus(_ status: Account.Status, of number: AccountNumber) throws {
            try send("UPDATE accounts SET status = $1 WHERE number = $2", [.text(status.rawValue), .text(number)])
        }

        /// One statement, and an entry whose account is not there fails it: the account's part of the sum is NULL.
        func post(_ entry: LedgerEntry) throws {
            try send(
                """
                WITH moved AS
                    (UPDATE accounts SET balance_minor = balance_minor + $4 WHERE number = $2 RETURNING number)
                INSERT INTO entries (operation, account, counterparty, amount_minor, kind, at_ms, day)
                VALUES ($1, (SELECT number FROM moved), $3, $4, $5, $6, $7)
                """,
                [
                    .text(entry.operation), .text(entry.account), .text(entry.counterparty),
                    .integer(entry.amountMinor),
                    .text(entry.kind.rawValue), .time(entry.at), .integer(entry.day),
                ])
        }

        func transferredOut(of number: AccountNumber, day: Int64) throws -> Int64 {
            try first(
                """
                SELECT COALESCE(-SUM(amount_minor), 0)::bigint FROM entries
                WHERE account = $1 AND day = $2 AND kind = 'transfer-out'
                """, [.text(number), .integer(day)])?.integer(0) ?? 0
        }

        func latestEntries(of number: AccountNumber, limit: Int) throws -> [LedgerEntry] {
            try all(
                """
                SELECT operation, counterparty, amount_minor, kind, at_ms, day FROM entries
                WHERE account = $1 ORDER BY id DESC LIMIT $2
                """, [.text(number), .integer(limit)]
            ) { row in
                LedgerEntry(
                    operation: try row.parsed(0), account: number, counterparty: try row.parsed(1),
                    amountMinor: try row.integer(2), kind: try row.raw(3),
                    at: WallTime(milliseconds: try row.integer(4)),
                    day: try row.integer(5))
            }
        }

        // MARK: Lock-outs, operations, attempts

        func lockout(of number: CustomerNumber) throws -> Lockout? {
            try first(
                "SELECT wrong, last_wrong_ms, locked_until_ms FROM lockouts WHERE customer = $1", [.text(number)]
            ).map { row in
                Lockout(
                    wrong: try row.small(0), lastWrong: WallTime(milliseconds: try row.integer(1)),
                    lockedUntil: try row.integerIfAny(2).map(WallTime.init(milliseconds:)))
            }
        }

        func setLockout(_ lockout: Lockout?, of number: CustomerNumber, horizon: WallTime) throws {
            guard let lockout else {
                return try send("DELETE FROM lockouts WHERE customer = $1", [.text(number)])
            }
            try send(
                """
                INSERT INTO lockouts (customer, wrong, last_wrong_ms, locked_until_ms) VALUES ($1, $2, $3, $4)
                ON CONFLICT (customer) DO UPDATE SET wrong = excluded.wrong, last_wrong_ms = excluded.last_wrong_ms,
                    locked_until_ms = excluded.locked_until_ms
                """,
                [
                    .text(number), .integer(lockout.wrong), .time(lockout.lastWrong), .time(lockout.lockedUntil),
                ])
            // Two for one: numbers that somebody tries at random cannot fill the table.
            try send(
                """
                DELETE FROM lockouts WHERE customer IN (SELECT customer FROM lockouts WHERE last_wrong_ms < $1
                    ORDER BY last_wrong_ms LIMIT 2 FOR UPDATE SKIP LOCKED)
                """, [.time(horizon)])
        }

        /// Locked while writing: the answer that an operation was done waits, at COMMIT, until the standby has it too.
        func operation(_ id: OperationID) throws -> RecordedOperation? {
            let lock = isWriting ? " FOR UPDATE" : ""
            return try first("SELECT \(Self.operationColumns) FROM operations WHERE id = $1\(lock)", [.text(id)])
                .map(Self.recordedOperation)
        }

        private static let operationColumns =
            "id, name, request_hash, customer, from_account, to_account, amount_minor, currency, at_ms, outcome"

        private static func recordedOperation(_ row: PostgresRow) throws -> RecordedOperation {
            var transfer: RecordedOperation.Transfer?
            if let amount = try row.integerIfAny(6), let currency = try row.textIfAny(7).flatMap(Currency.init) {
                transfer = RecordedOperation.Transfer(
                    from: try row.textIfAny(4).flatMap(AccountNumber.init),
                    to: try row.textIfAny(5).flatMap(AccountNumber.init), amountMinor: amount, currency: currency)
            }
            return RecordedOperation(
                id: try row.parsed(0), name: try row.text(1), requestHash: try row.bytes(2),
                customer: try row.parsed(3),
                transfer: transfer, at: WallTime(milliseconds: try row.integer(8)),
                outcome: try RowCoding.decoded(BankOutcome.self, from: row.text(9)))
        }

        func insert(_ operation: RecordedOperation) throws {
            try send(
                """
                INSERT INTO operations (\(Self.operationColumns)) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                """,
                [
                    .text(operation.id), .text(operation.name), .bytes(operation.requestHash),
                    .text(operation.customer),
                    .text(operation.transfer?.from?.description), .text(operation.transfer?.to?.description),
                    .integer(operation.transfer?.amountMinor), .text(operation.transfer?.currency.code),
                    .time(operation.at), .text(try RowCoding.json(operation.outcome)),
                ])
        }

        func insert(_ attempt: BankAttempt) throws {
            try send(
                """
                INSERT INTO attempts (at_ms, customer, operation, operation_id, outcome, session)
                VALUES ($1, $2, $3, $4, $5, $6)
                """,
                [
                    .time(attempt.at), .text(attempt.customer), .text(attempt.operation), .text(attempt.id),
                    .text(attempt.outcome), .text(attempt.session),
                ])
        }

        // MARK: Lists for tools

        func accountRows(includingBank: Bool) throws -> [AccountRow] {
            try all(
                """
                SELECT accounts.number, currency, balance_minor, status, COALESCE(card_reported, false) FROM accounts
                LEFT JOIN customers ON customers.number = substr(accounts.number, 1, 8) ORDER BY accounts.number
                """
            ) { row in (try Self.account(row), try row.boolean(4)) }
            .filter { includingBank || $0.0.number.customer != .bank }
            .map { AccountRow($0.0, cardReported: $0.1) }
        }

        func transferRows(limit: Int) throws -> [TransferRow] {
            try all(
                """
                SELECT \(Self.operationColumns) FROM operations WHERE name = 'transfer' ORDER BY sequence DESC LIMIT $1
                """, [.integer(limit)], Self.recordedOperation
            ).compactMap(TransferRow.init)
        }

        func attempts(limit: Int) throws -> [BankAttempt] {
            try all(
                """
                SELECT at_ms, customer, operation, operation_id, outcome, session FROM attempts ORDER BY id DESC LIMIT $1
                """, [.integer(limit)]
            ) { row in
                BankAttempt(
                    at: WallTime(milliseconds: try row.integer(0)), customer: try row.text(1),
                    operation: try row.text(2), id: try row.textIfAny(3), outcome: try row.text(4),
                    session: try row.textIfAny(5))
            }
        }

        func auditReport() throws -> AuditReport {
            func count(_ sql: String) throws -> Int64 { try first(sql)?.integer(0) ?? 0 }
            let differences = try all(
                """
                SELECT number, MAX(balance)::bigint, SUM(amount)::bigint FROM (
                    SELECT number, balance_minor AS balance, 0 AS amount FROM accounts
                    UNION ALL SELECT account, NULL, amount_minor FROM entries
                ) AS both_sides GROUP BY number HAVING MAX(balance) IS DISTINCT FROM SUM(amount) ORDER BY number
                """
            ) { row in
                AuditReport.Difference(
                    account: try row.text(0), balanceMinor: try row.integerIfAny(1) ?? 0,
                    entriesMinor: try row.integer(2))
            }
            let unbalanced = try all(
                """
                SELECT operation FROM entries GROUP BY operation HAVING SUM(amount_minor) <> 0
                UNION
                SELECT operations.id FROM operations LEFT JOIN entries ON entries.operation = operations.id
                WHERE operations.name = 'transfer' GROUP BY operations.id, operations.outcome
                HAVING COUNT(entries.id) <> (CASE operations.outcome WHEN $1 THEN 2 ELSE 0 END)
                ORDER BY 1
                """, [.text(try RowCoding.json(BankOutcome.done))]
            ) { try $0.text(0) }
            return AuditReport(
                accounts: Int(try count("SELECT COUNT(*) FROM accounts")),
                entries: Int(try count("SELECT COUNT(*) FROM entries")),
                transfers: Int(try count("SELECT COUNT(*) FROM operations WHERE name = 'transfer'")),
                totalMinor: try count("SELECT COALESCE(SUM(balance_minor), 0)::bigint FROM accounts"),
                differences: differences, unbalanced: unbalanced)
        }
    }
#endif
