/// What makes a request the same request for the server side (RFC 3261 §17.2.3).
struct ServerIdentity: Equatable, Sendable {
    /// The branch, or for a client without the magic cookie everything that §17.2.3 compares instead.
    var branch: String
    var host: String
    /// 0 when sent-by has none.
    var port: UInt16
    /// INVITE for an ACK or CANCEL that looks for its INVITE.
    var method: Method
}

/// An identity with its hash, made once for each request that comes.
struct ServerKey {
    let identity: ServerIdentity
    let hash: UInt64

    init(_ message: borrowing Message, method: Method, seed: UInt64) {
        let vias = message.via
        precondition(!vias.isEmpty, "a parsed message has a Via")
        identity = ServerIdentity(
            branch: vias[0].hasMagicCookie ? vias[0].branch ?? "" : ServerKey.legacyBranch(of: message),
            host: vias[0].host, port: vias[0].port ?? 0, method: method)
        var hash = SeededHash(seed: seed)
        hash.combine(identity.branch)
        hash.combine(identity.host)
        hash.combine(UInt64(identity.port) << 8 | method.hashCode)
        self.hash = hash.value
    }

    /// §17.2.3 for clients of RFC 2543, whose branch is not unique: Request-URI, From tag, Call-ID, CSeq number and
    /// the top Via identify the request. The To tag is left out: an ACK carries that of the response, and the rest
    /// tells requests apart without it.
    private static func legacyBranch(of message: borrowing Message) -> String {
        let uri = message.requestURI?.description ?? ""
        let branch = message.via.first?.branch ?? ""
        return "\(message.callID)\n\(message.from.tag ?? "")\n\(message.cseq.number)\n\(uri)\n\(branch)"
    }
}

extension Method {
    /// Tells methods apart in a hash; all unknown ones share one.
    var hashCode: UInt64 {
        switch self {
        case .invite: 0
        case .ack: 1
        case .bye: 2
        case .cancel: 3
        case .options: 4
        case .info: 5
        case .update: 6
        case .prack: 7
        case .register: 8
        case .subscribe: 9
        case .notify: 10
        case .message: 11
        case .refer: 12
        case .publish: 13
        case .other: 14
        }
    }
}
