import Primitives

/// Why the bank will not do a thing. The raw values are what menus branch on.
public enum RefusalReason: String, Sendable, Codable, CaseIterable {
    case insufficient
    case dailyLimit = "daily-limit"
    case singleLimit = "single-limit"
    case unknownPayee = "unknown-payee"
    case sameAccount = "same-account"
    case frozen
    /// The payer's card was reported lost: until the bank has seen the customer, telephone banking only informs.
    case cardReported = "card-reported"
    case invalidAmount = "invalid-amount"
    /// The customer has no account.
    case noAccount = "no-account"
    /// The operation id was used for something else before.
    case differentRequest = "different-request"
}

/// One line of a statement.
public struct StatementEntry: Hashable, Sendable, Codable {
    public enum Kind: String, Sendable, Codable {
        case opening
        case transferIn = "transfer-in"
        case transferOut = "transfer-out"
    }

    public var at: WallTime
    /// The bank's own day, since 1970-01-01: what the caller hears, and what the daily limit counts.
    public var day: Int64
    /// Negative where money left the account.
    public var amountMinor: Int64
    public var kind: Kind
    /// The other side's customer number.
    public var counterparty: String

    public init(at: WallTime, day: Int64, amountMinor: Int64, kind: Kind, counterparty: String) {
        self.at = at
        self.day = day
        self.amountMinor = amountMinor
        self.kind = kind
        self.counterparty = counterparty
    }

    private enum CodingKeys: String, CodingKey {
        case at, day
        case amountMinor = "amount_minor"
        case kind, counterparty
    }
}

/// What the bank answers.
public enum BankOutcome: Hashable, Sendable, Codable {
    /// The PIN is right, or the payee exists.
    case ok
    case balance(Money)
    /// Newest first, at most five.
    case statement([StatementEntry])
    /// A wrong PIN, or a customer who does not exist: nobody who asks can tell which. `remaining` tries are left.
    case wrongPIN(remaining: Int)
    case locked(until: WallTime)
    case done
    /// The card had been reported before.
    case already
    /// The new PIN is too easy to guess.
    case weak
    case refused(RefusalReason)
    /// It may have been done or not: ask for the operation id, never run it again under a new one.
    case unknown
    /// It has not been done, and cannot be now.
    case unavailable
    /// The session has another owner by now: this node must not go on with it. Nothing was done.
    case notOwner

    /// What menus branch on: `ok`, `wrong-pin`, `locked`, `done`, `already`, `weak`, `refused`, `unknown`,
    /// `unavailable`, `not-owner`.
    public var name: String {
        switch self {
        case .ok, .balance, .statement: "ok"
        case .wrongPIN: "wrong-pin"
        case .locked: "locked"
        case .done: "done"
        case .already: "already"
        case .weak: "weak"
        case .refused: "refused"
        case .unknown: "unknown"
        case .unavailable: "unavailable"
        case .notOwner: "not-owner"
        }
    }

    /// The name, with the reason of a refusal: `refused-insufficient`. For timelines, audit and the list of transfers.
    public var detailedName: String {
        if case .refused(let reason) = self { "refused-\(reason.rawValue)" } else { name }
    }
}
