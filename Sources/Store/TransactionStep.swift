/// How far an engine is with a transaction. An engine tells an observer, on the writer's thread, and goes on when the
/// observer returns: whoever ends the process just there sees what a death at that moment leaves behind.
public enum TransactionStep: String, Sendable, CaseIterable {
    /// Nothing is begun.
    case beginning
    /// Everything is written, nothing committed.
    case written
    /// COMMIT is with the server and its answer not read. Engines whose database is in this process have no such step.
    case committing
    /// Committed; nobody has been told.
    case committed
}

/// Hears of each step.
public typealias TransactionObserver = @Sendable (TransactionStep) -> Void
