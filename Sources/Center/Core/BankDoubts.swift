import Banking
import Primitives
import Session

/// Bank operations whose outcome nobody knows, until the bank has been asked for their ids (TAKEOVER.md, Money: unknown
/// "is resolved by asking for the id, never by a second run under a new id").
struct BankDoubts: Sendable {
    struct Doubt: Sendable {
        let session: SessionID
        let call: CallHandle
        let name: String
        let since: MonotonicTime
        /// Answers that knew nothing of the id.
        var absences = 0
        var delay = BankDoubts.firstDelay
    }

    /// At once; of more the oldest is given up, and said so in its timeline.
    static let limit = 1_000
    static let firstDelay = Duration.milliseconds(500)
    static let longestDelay = Duration.seconds(30)
    /// A transaction that was not there so often, over some minutes, never ran: no connection lasts so long.
    static let absenceLimit = 10
    /// However long the store is away, a doubt older than this is left to the bank's own audit.
    static let longest = Duration.seconds(3_600)

    private(set) var doubts: [OperationID: Doubt] = [:]

    subscript(id: OperationID) -> Doubt? {
        get { doubts[id] }
        set { doubts[id] = newValue }
    }

    /// The oldest, when there is no room for one more.
    var surplus: OperationID? {
        guard doubts.count >= Self.limit else { return nil }
        return doubts.min { ($0.value.since, $0.key.description) < ($1.value.since, $1.key.description) }?.key
    }

    mutating func removeAll() { doubts = [:] }
}
