import Banking
import Foundation
import Primitives
import Synchronization

/// The store in a SQLite file, run by a thread of its own that commits what has gathered in one transaction.
///
/// Awaited requests start a batch at once; checkpoints, timeline rows and heartbeats wait up to 10 ms for company.
/// While the file cannot be used, money and claims are answered `.unavailable`; first checkpoints, checkpoints,
/// timeline rows and ends of calls are kept, coalesced, and answered when they are written, which is tried four times
/// a second.
public final class SQLiteStore: ClosableStore {
    private let writer: StoreWriter<WatchedFile>
    private let clock: @Sendable () -> StoreTime
    private let readers = OperationQueue()
    private let queries = Atomic<Int>(0)
    /// Queries under way or waiting beyond which further ones are refused.
    public static let queryLimit = 256

    /// Opens or makes the file. Never fails: `health` says what is wrong.
    /// `observeBatch` hears how long each transaction took and how many requests were in it, `observeStep` how far it
    /// is, both on the writer's thread.
    public convenience init(
        path: String, rules: BankRules = .standard, clock: @escaping @Sendable () -> StoreTime = StoreTime.system,
        observeBatch: @escaping @Sendable (Duration, Int) -> Void = { _, _ in },
        observeStep: @escaping TransactionObserver = { _ in }
    ) {
        self.init(
            path: path, limits: WriteQueue.Limits(), rules: rules, clock: clock, observeBatch: observeBatch,
            observeStep: observeStep)
    }

    package init(
        path: String, limits: WriteQueue.Limits, rules: BankRules = .standard,
        clock: @escaping @Sendable () -> StoreTime = StoreTime.system,
        observeBatch: @escaping @Sendable (Duration, Int) -> Void = { _, _ in },
        observeStep: @escaping TransactionObserver = { _ in }
    ) {
        self.clock = clock
        writer = StoreWriter(
            WatchedFile(path: path, rules: rules, observeStep: observeStep), limits: limits, clock: clock,
            observeBatch: observeBatch)
        readers.maxConcurrentOperationCount = 4
        readers.name = "tandem.store.queries"
        writer.start()
    }

    /// What waits is still tried for a second, by the writer's own thread.
    deinit { writer.stop(within: .seconds(1)) }

    public func submit(_ request: StoreRequest, _ completion: @escaping @Sendable (StoreReply) -> Void) {
        guard request.requestClass == .query else { return writer.add(request, completion) }
        guard queries.wrappingAdd(1, ordering: .relaxed).newValue <= Self.queryLimit else {
            queries.wrappingSubtract(1, ordering: .relaxed)
            completion(.unavailable(StoreTrouble(.overloaded, "\(Self.queryLimit) queries are under way")))
            return
        }
        readers.addOperation { [self] in
            let reply = query(request)
            queries.wrappingSubtract(1, ordering: .relaxed)
            completion(reply)
        }
    }

    private func query(_ request: StoreRequest) -> StoreReply {
        let (engine, trouble) = writer.current
        guard let engine else { return .unavailable(trouble) }
        let reply = engine.query(request, at: clock())
        if case .unavailable(let trouble) = reply, trouble.kind == .corrupt || trouble.kind == .io {
            writer.suspect(trouble)
        }
        return reply
    }

    public var health: StoreHealth { writer.health }

    public func close(within patience: Duration) async {
        await withCheckedContinuation { continuation in
            writer.stop(within: patience) { continuation.resume() }
        }
    }
}
