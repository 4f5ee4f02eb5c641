import Banking
import Foundation
import Primitives

/// The file behind the store, so that one which was replaced or removed under open connections is noticed: SQLite
/// would go on writing to a file that no name leads to.
struct WatchedFile: Sendable {
    let path: String
    private var opened: FileNumber?
    private var checked = MonotonicTime.zero

    private struct FileNumber: Hashable, Sendable {
        var device: UInt64
        var inode: UInt64
    }

    init(path: String) { self.path = path }

    mutating func isDueForCheck(at now: MonotonicTime, every interval: Duration) -> Bool {
        guard now - checked >= interval else { return false }
        checked = now
        return true
    }

    /// Throws if the name leads to another file than the one that was opened, or to none.
    mutating func check() throws(StoreTrouble) {
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
    mutating func open(rules: BankRules) throws(StoreTrouble) -> SQLiteEngine {
        if opened != nil { try check() }
        let engine = try SQLiteEngine(path: path, rules: rules)
        opened = number()
        return engine
    }

    private func number() -> FileNumber? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return FileNumber(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }
}
