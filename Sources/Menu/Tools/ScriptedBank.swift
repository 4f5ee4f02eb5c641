/// Answers for bank operations in a rehearsal.
public protocol MenuBank {
    /// Nil when the bank stays silent, so that the menu's own time-out counts.
    mutating func answer(_ operation: MenuOperation) -> BankAnswer?
}

public struct BankAnswer: Sendable, Equatable {
    public var result: String
    public var values: [String: MenuValue]

    public init(_ result: String, _ values: [String: MenuValue] = [:]) {
        self.result = result
        self.values = values
    }
}

/// Gives prepared answers, operation by operation; the last one serves all further calls.
public struct ScriptedBank: MenuBank, Sendable {
    /// A nil stands for no answer at all.
    var answers: [String: [BankAnswer?]]

    public init(_ answers: [String: [BankAnswer?]] = [:]) { self.answers = answers }

    public mutating func answer(_ operation: MenuOperation) -> BankAnswer? {
        guard var list = answers[operation.name], let first = list.first else { return BankAnswer("unavailable") }
        if list.count > 1 {
            list.removeFirst()
            answers[operation.name] = list
        }
        return first
    }
}

/// A small bank in memory with the demo's customers, for walking through a menu by hand. Nothing is kept.
public struct RehearsalBank: MenuBank, Sendable {
    /// Customers 10000001…10001000 with the PIN 246810.
    public static let pin = "246810"

    private var balances: [String: Int64] = [:]
    private var bookings: [String: [[String: MenuValue]]] = [:]
    private var wrongPINs: [String: Int] = [:]
    private var reported: Set<String> = []
    private var results: [String: BankAnswer] = [:]
    private let today: String

    public init(today: String) { self.today = today }

    public mutating func answer(_ operation: MenuOperation) -> BankAnswer? {
        if let id = operation.operationID, let first = results[id] { return first }
        let answer = work(operation)
        if let id = operation.operationID { results[id] = answer }
        return answer
    }

    private func opening(_ customer: String) -> Int64? {
        guard customer.utf8.count == 8, let number = Int64(customer), (10_000_001...10_001_000).contains(number) else {
            return nil
        }
        return 1_000_000 + (number - 10_000_000) * 100
    }

    private func balance(_ customer: String) -> Int64 { balances[customer] ?? opening(customer) ?? 0 }

    private mutating func work(_ operation: MenuOperation) -> BankAnswer {
        func text(_ name: String) -> String {
            if case .text(let text)? = operation.arguments[name] { text } else { "" }
        }
        let customer = text("customer")
        switch operation.name {
        case "login": return login(customer, operation.arguments["pin"])
        case "balance":
            return BankAnswer("ok", ["amount_minor": .integer(balance(customer)), "currency": "CNY"])
        case "statement":
            return BankAnswer("ok", ["transactions": .list(Array((bookings[customer] ?? []).prefix(5)))])
        case "check-payee":
            if opening(text("payee")) == nil { return BankAnswer("refused", ["reason": "unknown-payee"]) }
            return BankAnswer("ok")
        case "transfer":
            guard case .integer(let amount)? = operation.arguments["amount_minor"] else {
                return BankAnswer("unavailable")
            }
            return transfer(customer, text("payee"), amount)
        case "report-card": return BankAnswer(reported.insert(customer).inserted ? "done" : "already")
        case "change-pin": return BankAnswer("done")
        default: return BankAnswer("unavailable")
        }
    }

    private mutating func login(_ customer: String, _ pin: MenuArgument?) -> BankAnswer {
        guard case .secret(let digits)? = pin else { return BankAnswer("unavailable") }
        let isRight = opening(customer) != nil && digits.withBytes { $0.elementsEqual(Self.pin.utf8) }
        if wrongPINs[customer, default: 0] >= 3 { return BankAnswer("locked") }
        if isRight {
            wrongPINs[customer] = nil
            return BankAnswer("ok")
        }
        wrongPINs[customer, default: 0] += 1
        let left = 3 - wrongPINs[customer, default: 0]
        return left > 0 ? BankAnswer("wrong-pin", ["remaining": .integer(Int64(left))]) : BankAnswer("locked")
    }

    private mutating func transfer(_ from: String, _ to: String, _ amount: Int64) -> BankAnswer {
        func refused(_ reason: String) -> BankAnswer { BankAnswer("refused", ["reason": .text(reason)]) }
        guard opening(to) != nil else { return refused("unknown-payee") }
        guard from != to else { return refused("same-account") }
        guard !reported.contains(from) else { return refused("frozen") }
        guard amount > 0, amount <= balance(from) else { return refused("insufficient") }
        balances[from] = balance(from) - amount
        balances[to] = balance(to) + amount
        book(from, "transfer-out", to, -amount)
        book(to, "transfer-in", from, amount)
        return BankAnswer("done")
    }

    private mutating func book(_ account: String, _ kind: String, _ counterparty: String, _ amount: Int64) {
        bookings[account, default: []].insert(
            [
                "date": .text(today), "amount_minor": .integer(amount), "currency": "CNY", "kind": .text(kind),
                "counterparty": .text(counterparty),
            ], at: 0)
    }
}
