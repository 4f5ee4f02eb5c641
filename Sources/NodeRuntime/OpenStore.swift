import Banking
import Primitives
import Profiles
import Session
import Store

#if PostgreSQL
    import StorePostgres
#endif

/// Opens the store that a profile names. Never fails: the store's health says what is wrong.
public func openStore(
    _ location: StoreLocation, in state: StateDirectory, rules: BankRules = .standard,
    observeBatch: @escaping @Sendable (Duration, Int) -> Void = { _, _ in }
) -> any ClosableStore {
    switch location {
    case .sqlite(let path): return SQLiteStore(path: state.resolve(path), rules: rules, observeBatch: observeBatch)
    case .postgres(let url):
        #if PostgreSQL
            return PostgresStore(url: url, rules: rules, observeBatch: observeBatch)
        #else
            return AbsentStore(
                StoreTrouble(
                    .schema,
                    "\(StoreLocation.withoutPassword(url)) needs PostgreSQL, which this build has not: install libpq-dev "
                        + "and build without --disable-default-traits"))
        #endif
    }
}

/// Stands for a store that this build cannot open.
struct AbsentStore: ClosableStore {
    private let trouble: StoreTrouble

    init(_ trouble: StoreTrouble) { self.trouble = trouble }

    func submit(_ request: StoreRequest, _ completion: @escaping @Sendable (StoreReply) -> Void) {
        completion(.unavailable(trouble))
    }

    var health: StoreHealth { StoreHealth(trouble: trouble) }
    func close(within patience: Duration) async {}
}
