import Banking
import Primitives
import Store

/// A second ledger, kept from what callers ordered and the store answered.
struct MoneyWatch {
    /// The bank's key here; callers' PINs are the demo's.
    static let key: PINKey = {
        guard let key = PINKey(bytes: [UInt8](repeating: 7, count: PINKey.size)) else {
            preconditionFailure("a key of its own size is a key")
        }
        return key
    }()

    let customers: Int
    private var balances: [String: Int64] = [:]
    private var operations: Set<String> = []
    private var moved: [Transfer: Int] = [:]
    private var confirmed: Set<Transfer> = []
    private var deniedTo: [Transfer: Int] = [:]
    private var amounts: Set<Int64> = []

    init(customers: Int) { self.customers = customers }

    func customer(_ index: Int) -> Int { 10_000_001 + index }

    var openings: [OpeningCustomer] {
        guard let pin = SecretDigits(Phone.pin) else { return [] }
        return (0..<customers).compactMap { index in
            CustomerNumber(customer(index)).map { number in
                OpeningCustomer(
                    number: number, pin: Self.key.digest(of: pin, customer: number),
                    openingMinor: 1_000_000 + Int64(index + 1) * 100)
            }
        }
    }

    mutating func opened(_ rows: [AccountRow]) {
        balances = Dictionary(rows.map { ($0.account, $0.balanceMinor) }, uniquingKeysWith: { first, _ in first })
    }

    /// An amount that no other order of the run has.
    mutating func freshAmount(using random: inout SeededRandom) -> Int64 {
        while true {
            let amount = Int64.random(in: 100...40_000, using: &random)
            if amounts.insert(amount).inserted { return amount }
        }
    }

    /// Who confirms again, after hearing the read-back again, means it again.
    mutating func confirm(_ transfer: Transfer) {
        confirmed.insert(transfer)
        deniedTo[transfer] = nil
    }

    mutating func deny(_ transfer: Transfer, call: Int) { deniedTo[transfer] = call }

    /// The store moved money, it says.
    mutating func posted(_ id: OperationID, _ transfer: Transfer) -> (Invariant, String)? {
        guard operations.insert(id.description).inserted else { return nil }
        moved[transfer, default: 0] += 1
        if moved[transfer] != 1 { return (.moneyOnce, "\(transfer) was carried out again, as \(id)") }
        guard confirmed.contains(transfer) else {
            return (.toldTruth, "\(transfer) was carried out, nobody confirmed it")
        }
        if let from = CustomerNumber(transfer.from), let to = CustomerNumber(transfer.to) {
            balances[AccountNumber(first: from).description, default: 0] -= transfer.amountMinor
            balances[AccountNumber(first: to).description, default: 0] += transfer.amountMinor
        }
        return nil
    }

    func compare(_ rows: [AccountRow], _ audit: AuditReport) -> (Invariant, String)? {
        for row in rows where balances[row.account] != row.balanceMinor {
            return (
                .moneyOnce,
                "account \(row.account) has \(row.balanceMinor), by the orders it is \(balances[row.account] ?? 0)"
            )
        }
        guard audit.ok else { return (.moneyOnce, "the audit fails: total \(audit.totalMinor), \(audit.unbalanced)") }
        return nil
    }

    /// Somebody was told that nothing was moved, and it was.
    func deniedAndDone() -> (Transfer, call: Int)? {
        deniedTo.sorted { $0.value < $1.value }.first { moved[$0.key] != nil }.map { ($0.key, $0.value) }
    }
}
