import Primitives

/// What a caller asks of the bank. PINs stay in the one type that cannot be printed or stored.
public struct BankOperation: Sendable {
    public enum Action: Sendable {
        case login(pin: SecretDigits)
        case balance
        case statement
        /// Is there such a payee?
        case checkPayee(CustomerNumber)
        case transfer(OperationID, payee: CustomerNumber, amountMinor: Int64)
        case reportCard(OperationID)
        case changePIN(OperationID, new: SecretDigits)
    }

    public var customer: CustomerNumber
    public var action: Action

    public init(customer: CustomerNumber, _ action: Action) {
        self.customer = customer
        self.action = action
    }

    /// `login`, `balance`, `statement`, `check-payee`, `transfer`, `report-card`, `change-pin`.
    public var name: String {
        switch action {
        case .login: "login"
        case .balance: "balance"
        case .statement: "statement"
        case .checkPayee: "check-payee"
        case .transfer: "transfer"
        case .reportCard: "report-card"
        case .changePIN: "change-pin"
        }
    }

    /// Nil for operations that may be repeated at will.
    public var id: OperationID? {
        switch action {
        case .login, .balance, .statement, .checkPayee: nil
        case .transfer(let id, _, _), .reportCard(let id), .changePIN(let id, _): id
        }
    }
}

/// A bank that a center works with: the embedded ledger, or an adapter to the bank's own host.
/// `Authority` is what proves the right to act for a session; the ledger checks it in the transaction that moves the
/// money.
public protocol BankHost<Authority>: Sendable {
    associatedtype Authority: Sendable

    /// Runs an operation. `completion` is called once, on any thread, with an answer within the host's own time-out.
    func perform(
        _ operation: BankOperation, under authority: Authority?,
        _ completion: @escaping @Sendable (BankOutcome) -> Void)

    /// The result that an operation id has, to resolve `unknown`: `.unknown` if that still cannot be said, nil if it
    /// has not run.
    func result(of id: OperationID, _ completion: @escaping @Sendable (BankOutcome?) -> Void)
}

extension BankHost {
    public func perform(_ operation: BankOperation, under authority: Authority? = nil) async -> BankOutcome {
        await withCheckedContinuation { continuation in
            perform(operation, under: authority) { continuation.resume(returning: $0) }
        }
    }

    public func result(of id: OperationID) async -> BankOutcome? {
        await withCheckedContinuation { continuation in
            result(of: id) { continuation.resume(returning: $0) }
        }
    }
}
