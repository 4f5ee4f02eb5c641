import Banking
import Logging
import Menu
import Primitives
import Store
import Synchronization

/// What a center has to settle with its store once: whose PIN key it is, the demo's customers, the menus that other
/// centers may have to load. A store that is away at the start is asked again until all of it is done; meanwhile the
/// bank answers `unavailable` (`LedgerBank`).
final class StoreDuties: Sendable {
    static let interval: Duration = .seconds(1)

    private struct Open {
        var keyIsBound = false
        /// The store has another key: nothing here can change that.
        var foreignKey: String?
        var seedsCustomers: Bool
        /// Menus that the store does not have yet, by their hash.
        var menus: [String: [UInt8]] = [:]
    }

    private let store: any Store
    private let bank: LedgerBank
    private let key: PINKey
    private let log: Logger
    private let open: Mutex<Open>
    private let retrying = Mutex<Task<Void, Never>?>(nil)

    init(store: any Store, bank: LedgerBank, key: PINKey, seedsCustomers: Bool, log: Logger) {
        self.store = store
        self.bank = bank
        self.key = key
        self.log = log
        open = Mutex(Open(seedsCustomers: seedsCustomers))
    }

    /// What callers miss as long as it is not done.
    var degraded: [String] {
        open.withLock { open in
            if let expected = open.foreignKey {
                return ["pin_key: found key \(key.id), expected key \(expected) of the store: no bank operations"]
            }
            var lines: [String] = []
            if !open.keyIsBound { lines.append("pin_key: not compared with the store's yet: no bank operations") }
            if open.seedsCustomers { lines.append("bank: the demo customers are not entered yet") }
            return lines
        }
    }

    /// Does what can be done now.
    /// - Returns: the store's answer about the key, for a node that must not start under another one.
    @discardableResult
    func perform() async -> StoreReply {
        if !open.withLock({ $0.keyIsBound }) {
            let reply = await bank.bindKey()
            switch reply {
            case .done: open.withLock { $0.keyIsBound = true }
            case .wrongKey(let expected):
                open.withLock { $0.foreignKey = expected }
                return reply
            default: return reply
            }
        }
        if open.withLock({ $0.seedsCustomers }), await DemoBank.seed(store, key: key) == .done {
            open.withLock { $0.seedsCustomers = false }
        }
        for (hash, content) in open.withLock({ $0.menus }) {
            switch await store.submit(.putMenu(hash: hash, content)) {
            case .unavailable: return .done
            case .refused(let reason):
                log.error("the store keeps this menu for no other center", metadata: ["reason": "\(reason)"])
            default: break
            }
            open.withLock { $0.menus[hash] = nil }
        }
        return .done
    }

    /// Menus of new calls from here on.
    func keep(_ menus: [(hash: String, content: [UInt8])]) {
        open.withLock { open in for menu in menus { open.menus[menu.hash] = menu.content } }
        retry()
    }

    /// Until all is done, beside everything else.
    func retry() {
        retrying.withLock { task in
            task?.cancel()
            task = Task { [self] in
                while !Task.isCancelled {
                    if case .wrongKey(let expected) = await perform() {
                        log.error(
                            "the store has another PIN key: bank operations are refused; copy the key file of the other centers and start again",
                            metadata: ["found": "\(key.id)", "expected": "\(expected)"])
                        return
                    }
                    if isDone { return }
                    try? await Task.sleep(for: Self.interval)
                }
            }
        }
    }

    func stop() { retrying.withLock { $0?.cancel() } }

    private var isDone: Bool { open.withLock { $0.keyIsBound && !$0.seedsCustomers && $0.menus.isEmpty } }
}
