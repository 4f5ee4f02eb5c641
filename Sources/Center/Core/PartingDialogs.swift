import SIP

/// Dialogs whose BYE of ours has no answer yet: calls that are over, but whose other end may still speak.
struct PartingDialogs: Sendable {
    struct Parting: Sendable {
        var dialog: Dialog
        /// Where the BYE went.
        var flow: Flow
    }

    private var partings: [ClientTransactionID: Parting] = [:]
    private var byLocalTag: [String: ClientTransactionID] = [:]

    var isEmpty: Bool { partings.isEmpty }

    mutating func insert(_ parting: Parting, as bye: ClientTransactionID) {
        byLocalTag[parting.dialog.id.localTag] = bye
        partings[bye] = parting
    }

    /// The BYE has its answer, or none will come.
    @discardableResult
    mutating func remove(_ bye: ClientTransactionID) -> Parting? {
        guard let parting = partings.removeValue(forKey: bye) else { return nil }
        byLocalTag[parting.dialog.id.localTag] = nil
        return parting
    }

    func find(_ dialog: DialogID) -> Parting? {
        byLocalTag[dialog.localTag].flatMap { partings[$0] }.flatMap { $0.dialog.id == dialog ? $0 : nil }
    }
}
