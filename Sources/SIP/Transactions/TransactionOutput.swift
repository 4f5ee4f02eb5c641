/// What a `TransactionLayer` wants done, in order.
public enum TransactionOutput: Sendable {
    case send([UInt8], Flow)
    /// A request that began a server transaction; answer it by `respond(to:)`. Never ACK or CANCEL.
    case request(ServerTransactionID, Message, Flow)
    /// An ACK that no transaction absorbs: for a 2xx, or stray. It is never answered.
    case ack(Message, Flow)
    /// A CANCEL with its own transaction, which wants an answer: 200, or 481 when `invite` is nil (RFC 3261 §9.2).
    /// `invite` is the matching INVITE's transaction, answered or not.
    case cancel(ServerTransactionID, invite: ServerTransactionID?, Message, Flow)
    /// A provisional response, the final response, or one of several 2xx to an INVITE.
    case response(ClientTransactionID, Message)
    /// A 2xx to an INVITE that was abandoned: its user must ACK it, and then BYE the dialog if the INVITE began it.
    case lateAnswer(ClientTransactionID, Message, Flow)
    /// A response that matches no transaction; a proxy drops it (RFC 6026 §7.3, except 2xx on RFC 2543 paths).
    case strayResponse(Message, Flow)
    /// The table of server transactions is full: answer 503 with Retry-After without a transaction.
    case refused(Message, Flow)
    /// No final response came in time (timers B and F, or after a CANCEL): treat as 408.
    case timedOut(ClientTransactionID)
    /// The request could not be sent: treat as 503 (RFC 3261 §8.1.3.1).
    case transportFailed(ClientTransactionID)
    /// No ACK came for a non-2xx final response (timer H).
    case unacknowledged(ServerTransactionID)
    /// A response could not be sent.
    case responseFailed(ServerTransactionID)
    /// The transaction is gone: nothing more comes of it.
    case ended(ServerTransactionID)
    /// The transaction is gone: nothing more comes of it.
    case clientEnded(ClientTransactionID)
}
