import Primitives
import SIP

/// Dialogs of calls that are over, but whose other end may still speak: those that a BYE of ours ends, while its
/// transaction lasts, and those that ended without one, because the other end knew no such call.
struct PartingDialogs: Sendable {
    struct Parting: Sendable {
        var dialog: Dialog
        /// Where the BYE went.
        var flow: Flow
        var isAnswered = false
    }

    private var partings: [ClientTransactionID: Parting] = [:]
    private var byLocalTag: [String: ClientTransactionID] = [:]

    /// Of those without a BYE of ours, at once. A BYE in one more is looked for in the store.
    static let goneLimit = 4_096
    /// Ended by the other end's 481, by local tag.
    private var gone: [String: (dialog: DialogID, until: MonotonicTime)] = [:]

    /// BYEs that wait for their answer.
    private(set) var unanswered = 0

    mutating func insert(_ parting: Parting, as bye: ClientTransactionID) {
        byLocalTag[parting.dialog.id.localTag] = bye
        partings[bye] = parting
        unanswered += 1
    }

    mutating func answered(_ bye: ClientTransactionID) {
        guard partings[bye]?.isAnswered == false else { return }
        partings[bye]?.isAnswered = true
        unanswered -= 1
    }

    /// The BYE's transaction is over.
    @discardableResult
    mutating func remove(_ bye: ClientTransactionID) -> Parting? {
        guard let parting = partings.removeValue(forKey: bye) else { return nil }
        byLocalTag[parting.dialog.id.localTag] = nil
        if !parting.isAnswered { unanswered -= 1 }
        return parting
    }

    /// The other end said 481: its BYE, which it sent before, may still come, for as long as it repeats it.
    mutating func insert(gone dialog: DialogID, until end: MonotonicTime, now: MonotonicTime) {
        if gone.count >= Self.goneLimit { gone = gone.filter { $0.value.until > now } }
        guard gone.count < Self.goneLimit else { return }
        gone[dialog.localTag] = (dialog, end)
    }

    /// A BYE in it is an ordinary end.
    func holds(_ dialog: DialogID, now: MonotonicTime) -> Bool {
        find(dialog) != nil || gone[dialog.localTag].map { $0.dialog == dialog && $0.until > now } ?? false
    }

    func find(_ dialog: DialogID) -> Parting? {
        byLocalTag[dialog.localTag].flatMap { partings[$0] }.flatMap { $0.dialog.id == dialog ? $0 : nil }
    }
}
