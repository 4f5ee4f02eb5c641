import Banking
import Foundation
import Primitives

/// The file behind the store, so that one which was replaced or removed under open connections is noticed: SQLite
/// would go on writing to a file that no name leads to.
struct WatchedFile: StorePlace {
    /// How often a store that is away is tried.
    static let retryInterval: Duration = .milliseconds(250)
    /// How often it is looked after whether the file is still the one that was opened.
    static let checkInterval: Duration = .seconds(1)

    let path: String
    let rules: BankRules
    private let observeStep: TransactionObserver
    private var opened: FileNumber?
    private var checked = MonotonicTime.zero

    private struct FileNumber: Hashable, Sendable {
        var device: UInt64
        var inode: UInt64
    }

    init(path: String, rules: BankRules, observeStep: @escaping TransactionObserver) {
        self.path = path
        self.rules = rules
        self.observeStep = observeStep
    }

    mutating func check(at now: MonotonicTime) throws(StoreTrouble) {
        guard now - checked >= Self.checkInterval else { return }
        checked = now
        try check()
    }

    func pause(after trouble: StoreTrouble, failures: Int) -> Duration {
        // A lock is tried again at once: the attempt itself waits for it.
        trouble.kind == .locked ? .milliseconds(5) : Self.retryInterval
    }

    /// Throws if the name leads to another file than the one that was opened, or to none.
    private mutating func check() throws(StoreTrouble) {
        guard let opened else { return }
        guard let present = number() else {
            throw StoreTrouble(.missing, "\(path) was removed while in use; put it back, or restart to begin a new one")
        }
        guard present == opened else {
            self.opened = nil
            throw StoreTrouble(.missing, "\(path) was replaced by another file")
        }
    }

    /// Opens the file anew. Once there was one, a new one is not made in its place: that would be an empty bank.
    mutating func open() throws(StoreTrouble) -> SQLiteEngine {
        if opened != nil { try check() }
        let engine = try SQLiteEngine(path: path, rules: rules, observeStep: observeStep)
        opened = number()
        return engine
    }

    private func number() -> FileNumber? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return FileNumber(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }
}
