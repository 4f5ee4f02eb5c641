import Banking
import Primitives
import Session

/// A store in one value: the same requests with the same meaning as on a disk, for simulation and tests.
/// Copying it is a backup.
public struct MemoryEngine: StoreEngine, Sendable {
    private var tables: MemoryTables
    private let runner: RequestRunner<MemoryTables>

    /// `id` is the store's identity; a simulation draws it from its seed.
    public init(id: String, rules: BankRules = .standard) {
        tables = MemoryTables(id: id)
        runner = RequestRunner(ledger: Ledger(rules: rules))
    }

    public mutating func perform(
        _ batch: [StoreRequest], clock: () -> StoreTime
    ) throws(StoreTrouble) -> [StoreReply] {
        let now = clock()
        return batch.map { perform($0, at: now) }
    }

    /// One request, at once. Runs as a transaction: the tables in memory refuse nothing half-way.
    public mutating func perform(_ request: StoreRequest, at now: StoreTime) -> StoreReply {
        do {
            return try runner.run(request, at: now, on: &tables)
        } catch {
            return .refused("\(error)")
        }
    }
}
