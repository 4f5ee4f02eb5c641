import Banking
import Primitives
import Session
import Synchronization

/// The embedded bank: its ledger lives in the store, so that money, the session's owner and the checkpoint are one
/// transaction.
public struct LedgerBank: BankHost {
    public typealias Authority = SessionWrite

    private let store: any Store
    private let key: PINKey
    private let binding = Binding()

    /// Whether the key is known to be the store's.
    private final class Binding: Sendable {
        let isDone = Atomic(false)
    }

    public init(store: any Store, key: PINKey) {
        self.store = store
        self.key = key
    }

    /// Makes the key the store's, or finds that the store has another: then this node must not start. Until it is done,
    /// operations are answered `unavailable`: under another key every right PIN would count as a wrong one.
    /// `.done`, `.wrongKey(expected:)` or `.unavailable`.
    public func bindKey() async -> StoreReply {
        let reply = await store.submit(.bindPINKey(id: key.id))
        if reply == .done { binding.isDone.store(true, ordering: .releasing) }
        return reply
    }

    public func perform(
        _ operation: BankOperation, under authority: SessionWrite?,
        _ completion: @escaping @Sendable (BankOutcome) -> Void
    ) {
        guard binding.isDone.load(ordering: .acquiring) else { return completion(.unavailable) }
        let request = LedgerRequest(operation, key: key)
        store.submit(.bank(BankRequest(request, under: authority))) { reply in
            switch reply {
            case .bank(let outcome): completion(outcome)
            case .notOwner: completion(.notOwner)
            default: completion(.unavailable)
            }
        }
    }

    public func result(of id: OperationID, _ completion: @escaping @Sendable (BankOutcome?) -> Void) {
        store.submit(.bankResult(id)) { reply in
            if case .bankResult(let outcome) = reply { completion(outcome) } else { completion(.unknown) }
        }
    }
}

/// The demo's customers: 10000001 … 10001000, PIN 246810, the n-th with 10,000.00 + n yuan.
public enum DemoBank {
    public static let customers = 1...1000

    /// Enters those who are missing; running it again changes nothing. `.done`, or why not.
    public static func seed(_ store: any Store, key: PINKey) async -> StoreReply {
        guard let pin = SecretDigits("246810") else { return .refused("the demo PIN is no PIN") }
        var chunk: [OpeningCustomer] = []
        for n in customers {
            guard let number = CustomerNumber(10_000_000 + n) else { continue }
            chunk.append(
                OpeningCustomer(
                    number: number, pin: key.digest(of: pin, customer: number),
                    openingMinor: 1_000_000 + Int64(n) * 100))
            if chunk.count == StoreRequest.seedLimit || n == customers.upperBound {
                let reply = await store.submit(.seed(chunk))
                guard reply == .done else { return reply }
                chunk = []
            }
        }
        return .done
    }
}
