/// How a 2xx that nobody waits for any more is put to rest where it made a dialog: the proxy acknowledges and ends that
/// in the caller's name.
public struct LateAnswerRelease: Equatable, Sendable {
    /// Send it as it is.
    public let acknowledgement: [UInt8]
    /// Send it by `TransactionLayer.request` with `byeBranch`, so that it is repeated until it arrives.
    public let bye: [UInt8]
    public let byeBranch: String
}

extension ProxyCore {
    /// Both requests go the way that the answer came. Nil when it has no To tag or no Contact, so made no dialog.
    ///
    /// - Parameter transport: of the flow that the answer came by.
    public mutating func release(lateAnswer answer: Message, transport: Transport) -> LateAnswerRelease? {
        guard let top = answer.via.first, let whole = Dialog(asClientOf: answer) else { return nil }
        // The caller's part of the route set, this proxy included, is no way to the center.
        var dialog = whole.routed(past: isOwn)
        func via(_ branch: String) -> Via { Via(transport: transport, host: top.host, port: top.port, branch: branch) }
        let byeBranch = newBranch()
        let ack = dialog.acknowledgement(ofInvite: answer.cseq.number, via: via(newBranch()))
        guard let bye = dialog.request(.bye, via: via(byeBranch)) else { return nil }
        return LateAnswerRelease(acknowledgement: ack.bytes, bye: bye.bytes, byeBranch: byeBranch)
    }

    /// The ACK alone, for a 2xx to an INVITE inside a dialog. That dialog was there before, and what becomes of a
    /// re-INVITE does not end it (§14.1). It goes the way that the answer came; nil as for `release`.
    ///
    /// - Parameter transport: of the flow that the answer came by.
    public mutating func acknowledgement(ofLateAnswer answer: Message, transport: Transport) -> [UInt8]? {
        guard let top = answer.via.first, let whole = Dialog(asClientOf: answer) else { return nil }
        let dialog = whole.routed(past: isOwn)
        let via = Via(transport: transport, host: top.host, port: top.port, branch: newBranch())
        return dialog.acknowledgement(ofInvite: answer.cseq.number, via: via).bytes
    }
}
