import Cryptography
import Primitives

/// A bank operation as the ledger runs it: PINs are digests already, so the value may travel to the store.
public struct LedgerRequest: Sendable, Equatable {
    public enum Action: Sendable, Equatable {
        case login(PINDigest)
        case balance
        case statement
        case checkPayee(CustomerNumber)
        case transfer(OperationID, payee: CustomerNumber, amountMinor: Int64)
        case reportCard(OperationID)
        /// Nil for a PIN that is too weak to be kept.
        case changePIN(OperationID, PINDigest?)
    }

    public var customer: CustomerNumber
    public var action: Action

    public init(customer: CustomerNumber, _ action: Action) {
        self.customer = customer
        self.action = action
    }

    public init(_ operation: BankOperation, key: PINKey) {
        customer = operation.customer
        switch operation.action {
        case .login(let pin): action = .login(key.digest(of: pin, customer: customer))
        case .balance: action = .balance
        case .statement: action = .statement
        case .checkPayee(let payee): action = .checkPayee(payee)
        case .transfer(let id, let payee, let amount): action = .transfer(id, payee: payee, amountMinor: amount)
        case .reportCard(let id): action = .reportCard(id)
        case .changePIN(let id, let pin):
            let isWeak = PINStrength.isWeak(pin, customer: customer)
            action = .changePIN(id, isWeak ? nil : key.digest(of: pin, customer: customer))
        }
    }

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

    public var id: OperationID? {
        switch action {
        case .login, .balance, .statement, .checkPayee: nil
        case .transfer(let id, _, _), .reportCard(let id), .changePIN(let id, _): id
        }
    }

    /// What makes two requests the same: SHA-256 over everything but the operation id.
    public var hash: [UInt8] {
        var text = Array("\(name)|\(customer)|".utf8)
        switch action {
        case .balance, .statement, .reportCard: break
        case .checkPayee(let payee): text += Array("\(payee)".utf8)
        case .transfer(_, let payee, let amount): text += Array("\(payee)|\(amount)".utf8)
        case .login(let digest): text += digest.bytes
        case .changePIN(_, let digest): text += digest?.bytes ?? []
        }
        return SHA256.digest(of: text)
    }
}
