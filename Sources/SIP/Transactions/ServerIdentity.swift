/// What makes a request the same request for the server side (RFC 3261 §17.2.3).
struct ServerIdentity: Equatable, Sendable {
    /// The branch and then the sent-by host, or for a client without the magic cookie everything that §17.2.3 compares
    /// instead of the branch.
    let name: [UInt8]
    /// Of sent-by; 0 when it has none.
    let port: UInt16
    /// INVITE for an ACK or CANCEL that looks for its INVITE.
    let method: Method

    static let vacant = ServerIdentity(name: [], port: 0, method: .ack)

    private init(name: [UInt8], port: UInt16, method: Method) {
        self.name = name
        self.port = port
        self.method = method
    }

    init(_ message: borrowing Message, method: Method) {
        let legacy = message.withTopVia(\.hasMagicCookie) ? nil : ServerIdentity.legacyBranch(of: message)
        self = message.withTopVia { via in
            if let legacy { return ServerIdentity(name: Array(legacy.utf8) + via.host, port: via.port, method: method) }
            var name = [UInt8](repeating: 0, count: via.branch.count + via.host.count)
            name.withUnsafeMutableBytes { buffer in
                buffer.copyMemory(from: via.branch)
                UnsafeMutableRawBufferPointer(rebasing: buffer[via.branch.count...]).copyMemory(from: via.host)
            }
            return ServerIdentity(name: name, port: via.port, method: method)
        }
    }

    func hash(seed: UInt64) -> UInt64 {
        var hash = SeededHash(seed: seed)
        name.withUnsafeBytes { hash.combine($0) }
        hash.combine(UInt64(port) << 8 | method.hashCode)
        return hash.value
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
