import SIP

/// Dialogs that a BYE of ours ends, while its transaction lasts: calls that are over, but whose other end may still speak.
struct PartingDialogs: Sendable {
    struct Parting: Sendable {
        var dialog: Dialog
        /// Where the BYE went.
        var flow: Flow
        var isAnswered = false
    }

    private var partings: [ClientTransactionID: Parting] = [:]
    private var byLocalTag: [String: ClientTransactionID] = [:]

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

    func find(_ dialog: DialogID) -> Parting? {
        byLocalTag[dialog.localTag].flatMap { partings[$0] }.flatMap { $0.dialog.id == dialog ? $0 : nil }
    }
}
