import Banking
import Primitives
import Session
import Store
import Testing

@testable import Center

/// One store in memory for several centers, with the demo's bank in it.
final class SharedStore {
    private(set) var engine = MemoryEngine(id: "store")
    private static let key = PINKey(bytes: Array(repeating: 7, count: 32))

    init() throws {
        let key = try #require(Self.key)
        for (number, pin) in [(10_000_007, "246810"), (10_000_008, "135790")] {
            let customer = try #require(CustomerNumber(number))
            let opening = OpeningCustomer(
                number: customer, pin: key.digest(of: try #require(SecretDigits(pin)), customer: customer),
                openingMinor: 1_000_000)
            try #require(perform(.seed([opening]), at: .init(monotonic: .zero, wall: .epoch)) == .done)
        }
    }

    @discardableResult
    func perform(_ request: StoreRequest, at now: Moment) -> StoreReply {
        engine.perform(
            request, at: StoreTime(wall: now.wall, sinceBoot: MonotonicTime(nanoseconds: 0), bootID: "boot"))
    }

    func perform(_ operation: BankOperation, under write: SessionWrite, at now: Moment) -> BankOutcome? {
        guard let key = Self.key else { return nil }
        switch perform(.bank(BankRequest(LedgerRequest(operation, key: key), under: write)), at: now) {
        case .bank(let outcome): return outcome
        case .notOwner: return .notOwner
        default: return .unavailable
        }
    }

    /// As the leading master does it.
    func fence(_ node: NodeIdentity) { perform(.fence(node, under: nil), at: .init(monotonic: .zero, wall: .epoch)) }

    func session(_ id: SessionID) -> StoredSession? {
        if case .sessions(let list) = perform(.session(id), at: .init(monotonic: .zero, wall: .epoch)) {
            list.first
        } else {
            nil
        }
    }

    var records: [CallRecord] {
        let reply = perform(.callRecords(limit: 1_000, before: nil), at: .init(monotonic: .zero, wall: .epoch))
        if case .callRecords(let list) = reply { return list } else { return [] }
    }

    /// Transfers in the ledger.
    var transfers: [TransferRow] {
        let reply = perform(.transfers(limit: 1_000), at: .init(monotonic: .zero, wall: .epoch))
        if case .transfers(let list) = reply { return list } else { return [] }
    }
}
