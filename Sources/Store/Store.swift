import Primitives
import Session

/// Keeps what outlives a node. Requests and replies are values, so that cores can ask for them as actions and get
/// them as events.
public protocol Store: Sendable {
    /// Hands in a request and returns at once. `completion` is called exactly once, on a thread of the store, which it
    /// must not hold up. Requests that write are run in the order in which one thread hands them in.
    func submit(_ request: StoreRequest, _ completion: @escaping @Sendable (StoreReply) -> Void)

    var health: StoreHealth { get }
}

extension Store {
    public func submit(_ request: StoreRequest) async -> StoreReply {
        await withCheckedContinuation { continuation in
            submit(request) { continuation.resume(returning: $0) }
        }
    }
}

/// A store that was opened and must be closed.
public protocol ClosableStore: Store {
    /// Writes what waits, for at most `patience`, and ends. Later requests are answered `.unavailable`.
    func close(within patience: Duration) async
}

extension ClosableStore {
    /// Writes what waits, for at most two seconds, and ends.
    public func close() async { await close(within: .seconds(2)) }
}

/// The time that a store stamps its rows with, and counts its leases by.
public struct StoreTime: Sendable, Hashable {
    public var wall: WallTime
    /// CLOCK_BOOTTIME: goes on during suspend, unlike a monotonic clock, and is never set, unlike a wall clock.
    public var sinceBoot: MonotonicTime
    /// Tells boots apart; times since different boots do not compare.
    public var bootID: String

    public init(wall: WallTime, sinceBoot: MonotonicTime, bootID: String) {
        self.wall = wall
        self.sinceBoot = sinceBoot
        self.bootID = bootID
    }
}

/// A store as a synchronous machine. A shell runs it on a thread; a simulation calls it directly.
public protocol StoreEngine {
    /// Runs requests in order, each wholly or not at all, all in one transaction, and answers each. An engine may stop
    /// early to keep its transaction short: there are then fewer replies than requests, but never none.
    /// Throws `StoreTrouble` when nothing of the batch was done.
    mutating func perform(_ batch: [StoreRequest], clock: () -> StoreTime) throws(StoreTrouble) -> [StoreReply]
}
