import Primitives

/// Why a store cannot be used, for replies, `/health` and alarms.
public struct StoreTrouble: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Another process holds the file, or the rows. A fence is answered so after 100 ms, other awaited writes after
        /// a second; ending the process that is judged down sets the lock free.
        case locked
        case full
        case corrupt
        /// File or directory is not there.
        case missing
        /// No permission, or read-only.
        case denied
        /// Written by a newer major release, or of a kind that this build cannot use: waiting does not help.
        case schema
        case overloaded
        /// No server answers, or none that takes writes.
        case unreachable
        /// The connection was lost in COMMIT: it may have been done or not. Asking again is safe; money is answered
        /// `.bank(.unknown)` instead.
        case unresolved
        case closed
        case io
    }

    public var kind: Kind
    /// What went wrong and what to do, one line.
    public var detail: String

    public init(_ kind: Kind, _ detail: String) {
        self.kind = kind
        self.detail = detail
    }

    public var description: String { "\(kind.rawValue): \(detail)" }
}

/// The state of a store as one node sees it.
public struct StoreHealth: Sendable, Hashable {
    /// Nil while it can be used.
    public var trouble: StoreTrouble?
    /// When the trouble began.
    public var since: WallTime?
    /// Writes that wait in memory.
    public var waiting: Int
    /// Writes given up since start because the queue was full: checkpoints and timeline rows, never money.
    public var dropped: Int

    public init(trouble: StoreTrouble? = nil, since: WallTime? = nil, waiting: Int = 0, dropped: Int = 0) {
        self.trouble = trouble
        self.since = since
        self.waiting = waiting
        self.dropped = dropped
    }

    public var isUsable: Bool { trouble == nil }
}
