import Primitives

/// A row of `tandem bank accounts --json`.
public struct AccountRow: Hashable, Sendable, Codable {
    public var customer: String
    public var account: String
    public var currency: String
    public var balanceMinor: Int64
    /// `open`, `card-reported` or `frozen`.
    public var status: String

    public init(_ account: Account, cardReported: Bool) {
        customer = account.number.customer.description
        self.account = account.number.description
        currency = account.currency.code
        balanceMinor = account.balanceMinor
        switch account.status {
        case .frozen: status = "frozen"
        case .open: status = cardReported ? "card-reported" : "open"
        }
    }

    private enum CodingKeys: String, CodingKey {
        case customer, account, currency
        case balanceMinor = "balance_minor"
        case status
    }
}

/// A row of `tandem bank transfers --json`, refused transfers included. Accounts that do not exist are null.
public struct TransferRow: Hashable, Sendable, Codable {
    public var id: String
    public var from: String?
    public var to: String?
    public var amountMinor: Int64
    public var currency: String
    public var at: WallTime
    /// `done`, or `refused-` and the reason.
    public var result: String

    /// Nil for operations that are no transfer.
    public init?(_ operation: RecordedOperation) {
        guard let transfer = operation.transfer else { return nil }
        id = operation.id.description
        from = transfer.from?.description
        to = transfer.to?.description
        amountMinor = transfer.amountMinor
        currency = transfer.currency.code
        at = operation.at
        result = operation.outcome.detailedName
    }

    private enum CodingKeys: String, CodingKey {
        case id, from, to
        case amountMinor = "amount_minor"
        case currency, at, result
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encode(from, forKey: .from)
        try values.encode(to, forKey: .to)
        try values.encode(amountMinor, forKey: .amountMinor)
        try values.encode(currency, forKey: .currency)
        try values.encode(at, forKey: .at)
        try values.encode(result, forKey: .result)
    }
}

/// What recomputing the whole ledger found: `tandem bank audit --json`.
public struct AuditReport: Hashable, Sendable, Codable {
    /// An account whose balance is not the sum of its entries.
    public struct Difference: Hashable, Sendable, Codable {
        public var account: String
        public var balanceMinor: Int64
        public var entriesMinor: Int64

        public init(account: String, balanceMinor: Int64, entriesMinor: Int64) {
            self.account = account
            self.balanceMinor = balanceMinor
            self.entriesMinor = entriesMinor
        }

        private enum CodingKeys: String, CodingKey {
            case account
            case balanceMinor = "balance_minor"
            case entriesMinor = "entries_minor"
        }
    }

    public var accounts: Int
    public var entries: Int
    public var transfers: Int
    /// Over all accounts, the bank's own included: zero.
    public var totalMinor: Int64
    public var differences: [Difference]
    /// Operations whose entries do not sum to zero, or transfers said to be done without their two entries.
    public var unbalanced: [String]

    public var ok: Bool { totalMinor == 0 && differences.isEmpty && unbalanced.isEmpty }

    public init(
        accounts: Int, entries: Int, transfers: Int, totalMinor: Int64, differences: [Difference], unbalanced: [String]
    ) {
        self.accounts = accounts
        self.entries = entries
        self.transfers = transfers
        self.totalMinor = totalMinor
        self.differences = differences
        self.unbalanced = unbalanced
    }

    private enum CodingKeys: String, CodingKey {
        case ok, accounts, entries, transfers
        case totalMinor = "total_minor"
        case differences, unbalanced
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        accounts = try values.decode(Int.self, forKey: .accounts)
        entries = try values.decode(Int.self, forKey: .entries)
        transfers = try values.decode(Int.self, forKey: .transfers)
        totalMinor = try values.decode(Int64.self, forKey: .totalMinor)
        differences = try values.decode([Difference].self, forKey: .differences)
        unbalanced = try values.decode([String].self, forKey: .unbalanced)
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(ok, forKey: .ok)
        try values.encode(accounts, forKey: .accounts)
        try values.encode(entries, forKey: .entries)
        try values.encode(transfers, forKey: .transfers)
        try values.encode(totalMinor, forKey: .totalMinor)
        try values.encode(differences, forKey: .differences)
        try values.encode(unbalanced, forKey: .unbalanced)
    }
}
