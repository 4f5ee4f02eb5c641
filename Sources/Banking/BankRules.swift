import Primitives

/// The numbers a bank sets. All nodes that serve one store must use the same.
public struct BankRules: Hashable, Sendable {
    /// The most that one transfer may move, minor units.
    public var singleLimitMinor: Int64
    /// The most that may leave an account by transfers in one bank day, minor units.
    public var dailyLimitMinor: Int64
    /// Wrong PINs in a row that lock a customer.
    public var wrongPINs: Int
    public var lockFor: Duration
    /// Wrong PINs older than this no longer count.
    public var forgetAfter: Duration
    /// Where the bank's day begins: hours east of Greenwich.
    public var dayOffset: Duration
    public var currency: Currency

    public init(
        singleLimitMinor: Int64 = 50_000_00, dailyLimitMinor: Int64 = 200_000_00, wrongPINs: Int = 3,
        lockFor: Duration = .seconds(15 * 60), forgetAfter: Duration = .seconds(24 * 3600),
        dayOffset: Duration = .seconds(8 * 3600), currency: Currency = .cny
    ) {
        self.singleLimitMinor = singleLimitMinor
        self.dailyLimitMinor = dailyLimitMinor
        self.wrongPINs = max(1, wrongPINs)
        self.lockFor = lockFor
        self.forgetAfter = forgetAfter
        self.dayOffset = dayOffset
        self.currency = currency
    }

    public static let standard = BankRules()
    /// A statement shows this many entries.
    public static let statementLength = 5

    /// Whether a transfer may be made; nil if it may. The order is what the caller hears first.
    public func refusal(
        amountMinor: Int64, from payer: Account, to payee: Account?, sentToday: Int64
    ) -> RefusalReason? {
        guard amountMinor > 0 else { return .invalidAmount }
        guard let payee, payee.currency == payer.currency, payee.number != .equity else { return .unknownPayee }
        guard payee.number != payer.number else { return .sameAccount }
        guard payer.status == .open, payee.status == .open else { return .frozen }
        guard amountMinor <= payer.balanceMinor else { return .insufficient }
        guard amountMinor <= singleLimitMinor else { return .singleLimit }
        let (total, overflow) = sentToday.addingReportingOverflow(amountMinor)
        guard !overflow, total <= dailyLimitMinor else { return .dailyLimit }
        guard !payee.balanceMinor.addingReportingOverflow(amountMinor).overflow else { return .invalidAmount }
        return nil
    }
}

/// An account as the ledger keeps it.
public struct Account: Hashable, Sendable {
    public enum Status: String, Sendable, Codable { case open, frozen }

    public var number: AccountNumber
    public var currency: Currency
    public var balanceMinor: Int64
    public var status: Status

    public init(number: AccountNumber, currency: Currency, balanceMinor: Int64 = 0, status: Status = .open) {
        self.number = number
        self.currency = currency
        self.balanceMinor = balanceMinor
        self.status = status
    }
}

/// The wrong PINs of one customer number, kept whether or not there is such a customer: the answers must be the same.
public struct Lockout: Hashable, Sendable {
    public var wrong: Int
    public var lastWrong: WallTime
    public var lockedUntil: WallTime?

    public init(wrong: Int, lastWrong: WallTime, lockedUntil: WallTime?) {
        self.wrong = wrong
        self.lastWrong = lastWrong
        self.lockedUntil = lockedUntil
    }

    /// The answer to one try and what is kept after it (nil: nothing). While locked, even the right PIN is refused
    /// and no try counts.
    public static func judge(
        _ kept: Lockout?, isRight: Bool, at now: WallTime, under rules: BankRules
    ) -> (outcome: BankOutcome, kept: Lockout?) {
        if let kept, let until = kept.lockedUntil, until > now { return (.locked(until: until), kept) }
        if isRight { return (.ok, nil) }
        var wrong = 1
        if let kept, kept.lockedUntil == nil, now - kept.lastWrong < rules.forgetAfter { wrong += kept.wrong }
        guard wrong >= rules.wrongPINs else {
            return (
                .wrongPIN(remaining: rules.wrongPINs - wrong),
                Lockout(wrong: wrong, lastWrong: now, lockedUntil: nil)
            )
        }
        let until = now + rules.lockFor
        return (.locked(until: until), Lockout(wrong: wrong, lastWrong: now, lockedUntil: until))
    }
}
