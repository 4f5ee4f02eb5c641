import Banking
import Primitives
import Profiles
import Session
import Store

/// Opens the store that a profile names.
public func openStore(
    _ location: StoreLocation, in state: StateDirectory, rules: BankRules = .standard,
    observeBatch: @escaping @Sendable (Duration, Int) -> Void = { _, _ in }
) -> SQLiteStore {
    switch location {
    case .sqlite(let path): SQLiteStore(path: state.resolve(path), rules: rules, observeBatch: observeBatch)
    }
}
