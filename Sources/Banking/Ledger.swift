import Primitives

/// The ledger's rules over any store: what an operation does, given what is kept. No clock, no randomness.
public struct Ledger: Sendable {
    public var rules: BankRules

    public init(rules: BankRules = .standard) { self.rules = rules }

    /// Runs one request. An operation id that has run before gives its first result again, whatever has changed
    /// since; with another request it is refused.
    public func perform(
        _ request: LedgerRequest, at now: WallTime, session: String? = nil, on tables: inout some LedgerTables
    ) throws -> BankOutcome {
        var noted: String?
        let outcome = try run(request, at: now, on: &tables, noting: &noted)
        try tables.insert(
            BankAttempt(
                at: now, customer: request.customer.description, operation: request.name, id: request.id?.description,
                outcome: noted ?? outcome.detailedName, session: session))
        return outcome
    }

    private func run(
        _ request: LedgerRequest, at now: WallTime, on tables: inout some LedgerTables, noting note: inout String?
    ) throws -> BankOutcome {
        switch request.action {
        case .login(let pin):
            return try login(request.customer, pin, at: now, on: &tables, noting: &note)
        case .balance:
            guard let account = try account(of: request.customer, in: &tables) else { return .refused(.noAccount) }
            return .balance(Money(minor: account.balanceMinor, currency: account.currency))
        case .statement:
            guard let account = try account(of: request.customer, in: &tables) else { return .refused(.noAccount) }
            let entries = try tables.latestEntries(of: account.number, limit: BankRules.statementLength)
            return .statement(entries.map(Self.statementEntry))
        case .checkPayee(let payee):
            if payee == request.customer { return .refused(.sameAccount) }
            return try account(of: payee, in: &tables) == nil ? .refused(.unknownPayee) : .ok
        case .transfer(let id, let payee, let amount):
            return try once(id, request, at: now, on: &tables) { tables in
                try transfer(id, from: request.customer, to: payee, amount, at: now, on: &tables)
            }
        case .reportCard(let id):
            return try once(id, request, at: now, on: &tables) { tables in
                guard let customer = try tables.customer(request.customer) else { return (.refused(.noAccount), nil) }
                if customer.cardReported { return (.already, nil) }
                try tables.setCardReported(of: request.customer)
                return (.done, nil)
            }
        case .changePIN(let id, let pin):
            // Not kept under the id: the caller goes on with the same operation and another PIN.
            guard let pin else { return .weak }
            return try once(id, request, at: now, on: &tables) { tables in
                guard try tables.customer(request.customer) != nil else { return (.refused(.noAccount), nil) }
                try tables.setPIN(pin, of: request.customer)
                return (.done, nil)
            }
        }
    }

    private func once<Tables: LedgerTables>(
        _ id: OperationID, _ request: LedgerRequest, at now: WallTime, on tables: inout Tables,
        _ body: (inout Tables) throws -> (BankOutcome, RecordedOperation.Transfer?)
    ) throws -> BankOutcome {
        let hash = request.hash
        if let earlier = try tables.operation(id) {
            return earlier.requestHash == hash ? earlier.outcome : .refused(.differentRequest)
        }
        let (outcome, transfer) = try body(&tables)
        try tables.insert(
            RecordedOperation(
                id: id, name: request.name, requestHash: hash, customer: request.customer, transfer: transfer, at: now,
                outcome: outcome))
        return outcome
    }

    private func login(
        _ number: CustomerNumber, _ pin: PINDigest, at now: WallTime, on tables: inout some LedgerTables,
        noting note: inout String?
    ) throws -> BankOutcome {
        let customer = number == .bank ? nil : try tables.customer(number)
        // The comparison is made for unknown customers too, and their wrong PINs are counted alike.
        let isRight = (customer?.pin ?? pin) == pin && customer != nil
        let kept = try tables.lockout(of: number)
        let judged = Lockout.judge(kept, isRight: isRight, at: now, under: rules)
        if judged.kept != kept {
            let horizon = now + (Duration.zero - max(rules.forgetAfter, rules.lockFor))
            try tables.setLockout(judged.kept, of: number, horizon: horizon)
        }
        if customer == nil { note = "unknown-customer" }
        return judged.outcome
    }

    private func transfer(
        _ id: OperationID, from payer: CustomerNumber, to payee: CustomerNumber, _ amount: Int64, at now: WallTime,
        on tables: inout some LedgerTables
    ) throws -> (BankOutcome, RecordedOperation.Transfer?) {
        let day = now.day(offset: rules.dayOffset)
        let from = try account(of: payer, in: &tables)
        let to = try account(of: payee, in: &tables)
        let record = RecordedOperation.Transfer(
            from: from?.number, to: to?.number, amountMinor: amount, currency: from?.currency ?? rules.currency)
        guard let from else { return (.refused(.noAccount), record) }
        // Whoever has the card may have the PIN too.
        if try tables.customer(payer)?.cardReported == true { return (.refused(.cardReported), record) }
        let sent = try tables.transferredOut(of: from.number, day: day)
        if let reason = rules.refusal(amountMinor: amount, from: from, to: to, sentToday: sent) {
            return (.refused(reason), record)
        }
        guard let to else { return (.refused(.unknownPayee), record) }
        try tables.post(
            LedgerEntry(
                operation: id, account: from.number, counterparty: to.number, amountMinor: -amount, kind: .transferOut,
                at: now, day: day))
        try tables.post(
            LedgerEntry(
                operation: id, account: to.number, counterparty: from.number, amountMinor: amount, kind: .transferIn,
                at: now, day: day))
        return (.done, record)
    }

    private func account(of customer: CustomerNumber, in tables: inout some LedgerTables) throws -> Account? {
        customer == .bank ? nil : try tables.account(AccountNumber(first: customer))
    }

    private static func statementEntry(_ entry: LedgerEntry) -> StatementEntry {
        StatementEntry(
            at: entry.at, day: entry.day, amountMinor: entry.amountMinor, kind: entry.kind,
            counterparty: entry.counterparty.customer.description)
    }
}

/// A customer to be entered with an opening balance.
public struct OpeningCustomer: Sendable, Equatable {
    public var number: CustomerNumber
    public var pin: PINDigest
    public var openingMinor: Int64

    public init(number: CustomerNumber, pin: PINDigest, openingMinor: Int64) {
        self.number = number
        self.pin = pin
        self.openingMinor = openingMinor
    }
}

extension Ledger {
    /// Enters a customer, one account, and the opening balance against the bank's equity. A customer who exists is
    /// left as is, whatever has happened to the account: running this again changes nothing. True if entered.
    @discardableResult
    public func enter(
        _ opening: OpeningCustomer, at now: WallTime, on tables: inout some LedgerTables
    ) throws -> Bool {
        guard opening.number != .bank, opening.openingMinor >= 0 else { return false }
        guard try tables.customer(opening.number) == nil else { return false }
        let account = AccountNumber(first: opening.number)
        guard let id = OperationID("opening-\(account)") else { return false }
        if try tables.account(.equity) == nil {
            try tables.insert(Account(number: .equity, currency: rules.currency))
        }
        try tables.insert(Customer(number: opening.number, pin: opening.pin))
        try tables.insert(Account(number: account, currency: rules.currency))
        let day = now.day(offset: rules.dayOffset)
        try tables.post(
            LedgerEntry(
                operation: id, account: .equity, counterparty: account, amountMinor: -opening.openingMinor,
                kind: .opening, at: now, day: day))
        try tables.post(
            LedgerEntry(
                operation: id, account: account, counterparty: .equity, amountMinor: opening.openingMinor,
                kind: .opening, at: now, day: day))
        return true
    }
}
