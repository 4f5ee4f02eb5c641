/// Requests in progress outside dialogs, to notice one that arrives twice on different paths (RFC 3261 §8.2.2.2).
public struct MergedRequests: Sendable {
    private struct Key: Hashable, Sendable {
        let callID: String
        let fromTag: String
        let cseq: CSeq
    }

    private var owners: [Key: ServerTransactionID] = [:]
    private var keys: [ServerTransactionID: Key] = [:]

    public init() {}

    /// "If the request has no tag in the To header field … [and] the From tag, Call-ID, and CSeq exactly match those
    /// associated with an ongoing transaction, but the request does not match that transaction … the UAS core SHOULD
    /// generate a 482": false means 482. An admitted one must be given back with `ended`.
    public mutating func admit(_ request: Message, as id: ServerTransactionID) -> Bool {
        guard request.to.tag == nil else { return true }
        let key = Key(callID: request.callID, fromTag: request.from.tag ?? "", cseq: request.cseq)
        guard owners[key] == nil else { return false }
        owners[key] = id
        keys[id] = key
        return true
    }

    /// The transaction is over; harmless for one that is not kept.
    public mutating func ended(_ id: ServerTransactionID) {
        guard let key = keys.removeValue(forKey: id) else { return }
        owners[key] = nil
    }

    public var count: Int { owners.count }
}
