import Banking
import Primitives
import Synchronization

/// The store in memory behind the same protocol, for tests of roles: every request is answered before `submit`
/// returns.
public final class MemoryStore: Store {
    private let engine: Mutex<MemoryEngine>
    private let clock: @Sendable () -> StoreTime
    private let trouble = Mutex<StoreTrouble?>(nil)

    public init(
        id: String = "memory", rules: BankRules = .standard,
        clock: @escaping @Sendable () -> StoreTime = StoreTime.system
    ) {
        engine = Mutex(MemoryEngine(id: id, rules: rules))
        self.clock = clock
    }

    public func submit(_ request: StoreRequest, _ completion: @escaping @Sendable (StoreReply) -> Void) {
        if let trouble = trouble.withLock({ $0 }) { return completion(.unavailable(trouble)) }
        let now = clock()
        completion(engine.withLock { $0.perform(request, at: now) })
    }

    public var health: StoreHealth { StoreHealth(trouble: trouble.withLock { $0 }) }

    /// Takes the store away, or brings it back.
    public func setTrouble(_ trouble: StoreTrouble?) { self.trouble.withLock { $0 = trouble } }
}
