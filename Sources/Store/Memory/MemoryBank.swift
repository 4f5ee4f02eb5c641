import Banking
import Primitives

/// The ledger's tables as dictionaries.
struct MemoryBank: Sendable {
    fileprivate var customers: [CustomerNumber: Customer] = [:]
    fileprivate var accounts: [AccountNumber: Account] = [:]
    fileprivate var entries: [LedgerEntry] = []
    fileprivate var entriesOfAccount: [AccountNumber: [Int]] = [:]
    fileprivate var sent: [SentOnDay: Int64] = [:]
    fileprivate var lockouts: [CustomerNumber: Lockout] = [:]
    fileprivate var operations: [OperationID: RecordedOperation] = [:]
    fileprivate var operationOrder: [OperationID] = []
    fileprivate var attempts: [BankAttempt] = []

    fileprivate struct SentOnDay: Hashable {
        var account: AccountNumber
        var day: Int64
    }

    mutating func pruneAttempts(before time: WallTime, limit: Int) {
        attempts.removeFirst(attempts.prefix(limit).prefix { $0.at < time }.count)
    }
}

extension MemoryTables {
    func customer(_ number: CustomerNumber) -> Customer? { bank.customers[number] }
    mutating func insert(_ customer: Customer) { bank.customers[customer.number] = customer }
    mutating func setPIN(_ pin: PINDigest, of number: CustomerNumber) { bank.customers[number]?.pin = pin }
    mutating func setCardReported(of number: CustomerNumber) { bank.customers[number]?.cardReported = true }

    func account(_ number: AccountNumber) -> Account? { bank.accounts[number] }
    mutating func insert(_ account: Account) { bank.accounts[account.number] = account }

    mutating func setStatus(_ status: Account.Status, of number: AccountNumber) {
        bank.accounts[number]?.status = status
    }

    mutating func post(_ entry: LedgerEntry) {
        bank.entriesOfAccount[entry.account, default: []].append(bank.entries.count)
        bank.entries.append(entry)
        bank.accounts[entry.account]?.balanceMinor += entry.amountMinor
        if entry.kind == .transferOut {
            bank.sent[.init(account: entry.account, day: entry.day), default: 0] -= entry.amountMinor
        }
    }

    func transferredOut(of number: AccountNumber, day: Int64) -> Int64 {
        bank.sent[.init(account: number, day: day)] ?? 0
    }

    func latestEntries(of number: AccountNumber, limit: Int) -> [LedgerEntry] {
        (bank.entriesOfAccount[number] ?? []).suffix(limit).reversed().map { bank.entries[$0] }
    }

    func lockout(of number: CustomerNumber) -> Lockout? { bank.lockouts[number] }

    mutating func setLockout(_ lockout: Lockout?, of number: CustomerNumber, horizon: WallTime) {
        bank.lockouts[number] = lockout
        // Walking all of them at every wrong PIN would be quadratic; a quarter more than needed is kept at most.
        if bank.lockouts.count.isMultiple(of: 1024) {
            bank.lockouts = bank.lockouts.filter { $0.value.lastWrong >= horizon }
        }
    }

    func operation(_ id: OperationID) -> RecordedOperation? { bank.operations[id] }

    mutating func insert(_ operation: RecordedOperation) {
        bank.operations[operation.id] = operation
        bank.operationOrder.append(operation.id)
    }

    mutating func insert(_ attempt: BankAttempt) { bank.attempts.append(attempt) }

    func accountRows(includingBank: Bool) -> [AccountRow] {
        bank.accounts.values.filter { includingBank || $0.number.customer != .bank }.sorted { $0.number < $1.number }
            .map { AccountRow($0, cardReported: bank.customers[$0.number.customer]?.cardReported ?? false) }
    }

    func transferRows(limit: Int) -> [TransferRow] {
        Array(
            bank.operationOrder.reversed().lazy.compactMap { [bank] in bank.operations[$0].flatMap(TransferRow.init) }
                .prefix(limit))
    }

    func attempts(limit: Int) -> [BankAttempt] { bank.attempts.suffix(limit).reversed() }

    func auditReport() -> AuditReport {
        var sums: [AccountNumber: Int64] = [:]
        var operations: [OperationID: (sum: Int64, entries: Int)] = [:]
        for entry in bank.entries {
            sums[entry.account, default: 0] += entry.amountMinor
            operations[entry.operation, default: (0, 0)].sum += entry.amountMinor
            operations[entry.operation, default: (0, 0)].entries += 1
        }
        let transfers = bank.operations.values.filter { $0.transfer != nil }
        var unbalanced = Set(operations.filter { $0.value.sum != 0 }.keys)
        for transfer in transfers where (operations[transfer.id]?.entries ?? 0) != (transfer.outcome == .done ? 2 : 0) {
            unbalanced.insert(transfer.id)
        }
        return AuditReport(
            accounts: bank.accounts.count, entries: bank.entries.count, transfers: transfers.count,
            totalMinor: bank.accounts.values.reduce(0) { $0 + $1.balanceMinor },
            differences: bank.accounts.values.filter { $0.balanceMinor != sums[$0.number] ?? 0 }
                .sorted { $0.number < $1.number }
                .map {
                    AuditReport.Difference(
                        account: $0.number.description, balanceMinor: $0.balanceMinor,
                        entriesMinor: sums[$0.number] ?? 0)
                },
            unbalanced: unbalanced.map(\.description).sorted())
    }
}
