import Primitives

/// A customer as the ledger keeps them.
public struct Customer: Sendable, Equatable {
    public var number: CustomerNumber
    public var pin: PINDigest
    public var cardReported: Bool

    public init(number: CustomerNumber, pin: PINDigest, cardReported: Bool = false) {
        self.number = number
        self.pin = pin
        self.cardReported = cardReported
    }
}

/// One side of a posting. The entries of one operation sum to zero.
public struct LedgerEntry: Hashable, Sendable {
    public var operation: OperationID
    public var account: AccountNumber
    public var counterparty: AccountNumber
    public var amountMinor: Int64
    public var kind: StatementEntry.Kind
    public var at: WallTime
    /// The bank's day, for the daily limit.
    public var day: Int64

    public init(
        operation: OperationID, account: AccountNumber, counterparty: AccountNumber, amountMinor: Int64,
        kind: StatementEntry.Kind, at: WallTime, day: Int64
    ) {
        self.operation = operation
        self.account = account
        self.counterparty = counterparty
        self.amountMinor = amountMinor
        self.kind = kind
        self.at = at
        self.day = day
    }
}

/// An operation that has run: its first result stands for ever.
public struct RecordedOperation: Hashable, Sendable {
    public var id: OperationID
    public var name: String
    public var requestHash: [UInt8]
    public var customer: CustomerNumber
    /// Set for transfers.
    public var transfer: Transfer?
    public var at: WallTime
    public var outcome: BankOutcome

    public struct Transfer: Hashable, Sendable {
        public var from: AccountNumber?
        public var to: AccountNumber?
        public var amountMinor: Int64
        public var currency: Currency

        public init(from: AccountNumber?, to: AccountNumber?, amountMinor: Int64, currency: Currency) {
            self.from = from
            self.to = to
            self.amountMinor = amountMinor
            self.currency = currency
        }
    }

    public init(
        id: OperationID, name: String, requestHash: [UInt8], customer: CustomerNumber, transfer: Transfer?,
        at: WallTime, outcome: BankOutcome
    ) {
        self.id = id
        self.name = name
        self.requestHash = requestHash
        self.customer = customer
        self.transfer = transfer
        self.at = at
        self.outcome = outcome
    }
}

/// One attempt at the bank, for the audit. Holds no secret.
public struct BankAttempt: Hashable, Sendable, Codable {
    public var at: WallTime
    public var customer: String
    public var operation: String
    public var id: String?
    /// `BankOutcome.detailedName`, or `unknown-customer` where the caller heard `wrong-pin`.
    public var outcome: String
    /// The session it was made in; null for tools.
    public var session: String?

    public init(at: WallTime, customer: String, operation: String, id: String?, outcome: String, session: String?) {
        self.at = at
        self.customer = customer
        self.operation = operation
        self.id = id
        self.outcome = outcome
        self.session = session
    }
}

/// What the ledger's rules need of a store. Every call of one operation runs in one transaction, and a thrown error
/// undoes all of them.
public protocol LedgerTables {
    mutating func customer(_ number: CustomerNumber) throws -> Customer?
    mutating func insert(_ customer: Customer) throws
    mutating func setPIN(_ pin: PINDigest, of number: CustomerNumber) throws
    mutating func setCardReported(of number: CustomerNumber) throws

    mutating func account(_ number: AccountNumber) throws -> Account?
    mutating func insert(_ account: Account) throws
    mutating func setStatus(_ status: Account.Status, of number: AccountNumber) throws
    /// Adds the entry and moves the account's balance by its amount.
    mutating func post(_ entry: LedgerEntry) throws
    /// Minor units that left the account by transfers on that day, positive.
    mutating func transferredOut(of number: AccountNumber, day: Int64) throws -> Int64
    /// Newest first.
    mutating func latestEntries(of number: AccountNumber, limit: Int) throws -> [LedgerEntry]

    mutating func lockout(of number: CustomerNumber) throws -> Lockout?
    /// Nil forgets it. Entries whose last wrong PIN is before `horizon` may be forgotten as well.
    mutating func setLockout(_ lockout: Lockout?, of number: CustomerNumber, horizon: WallTime) throws

    mutating func operation(_ id: OperationID) throws -> RecordedOperation?
    mutating func insert(_ operation: RecordedOperation) throws
    mutating func insert(_ attempt: BankAttempt) throws
}
