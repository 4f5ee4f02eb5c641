/// One end of a dialog (RFC 3261 §12) as a value that outlives its node: everything that another center needs to send
/// and judge requests inside it.
public struct Dialog: Equatable, Codable, Sendable {
    public enum Role: String, Codable, Sendable { case uac, uas }

    public let role: Role
    public let id: DialogID
    /// From of our requests, with its tag.
    public let local: NameAddress
    /// To of our requests, with its tag.
    public let remote: NameAddress
    /// CSeq number of the last request that we sent; 0 before the first.
    public private(set) var localCSeq: UInt32
    /// CSeq number of the last INVITE that we sent, which its ACK repeats; nil before the first.
    public private(set) var localInviteCSeq: UInt32?
    /// CSeq number of the last request that came; nil before the first.
    public private(set) var remoteCSeq: UInt32?
    /// First hop first.
    public private(set) var routeSet: [NameAddress]
    public private(set) var remoteTarget: URI
    /// Made by a request to a sips URI over TLS: the remote target must be sips too.
    public let isSecure: Bool

    /// The dialog that our answer with `localTag` to a request makes (§12.1.1).
    /// Nil when the request has no Contact, which is answered with 400.
    public init?(asServerOf request: Message, localTag: String) {
        guard let contact = request.contacts.first else { return nil }
        role = .uas
        id = DialogID(callID: request.callID, localTag: localTag, remoteTag: request.from.tag ?? "")
        local = request.to.tag == nil ? request.to.tagged(localTag) : request.to
        remote = request.from
        localCSeq = 0
        remoteCSeq = request.cseq.number
        // §12.1.1: "The route set MUST be set to the list of URIs in the Record-Route header field from the request,
        // taken in order and preserving all URI parameters."
        routeSet = request.recordRoutes
        remoteTarget = contact.uri
        isSecure = request.requestURI?.scheme == .sips
    }

    /// The dialog that a response 101–299 to a request of ours makes (§12.1.2); the response alone says it all.
    /// Nil when it has no tag in To or no Contact.
    public init?(asClientOf response: Message) {
        guard let id = DialogID(ofResponse: response), let contact = response.contacts.first else { return nil }
        role = .uac
        self.id = id
        local = response.from
        remote = response.to
        localCSeq = response.cseq.number
        localInviteCSeq = response.cseq.method == .invite ? response.cseq.number : nil
        // "taken in reverse order and preserving all URI parameters".
        routeSet = response.recordRoutes.reversed()
        remoteTarget = contact.uri
        isSecure = contact.uri.scheme == .sips
    }

    /// A dialog that another node made, from what it wrote down. The tags of `local` and `remote` are `id`'s.
    public init(
        resuming role: Role, id: DialogID, local: NameAddress, remote: NameAddress, localCSeq: UInt32,
        localInviteCSeq: UInt32?, remoteCSeq: UInt32?, routeSet: [NameAddress], remoteTarget: URI, isSecure: Bool
    ) {
        self.role = role
        self.id = id
        self.local = local
        self.remote = remote
        self.localCSeq = min(localCSeq, Dialog.lastCSeq)
        self.localInviteCSeq = localInviteCSeq
        self.remoteCSeq = remoteCSeq
        self.routeSet = routeSet
        self.remoteTarget = remoteTarget
        self.isSecure = isSecure
    }

    /// Where a request's CSeq number stands among those that came before it.
    public enum CSeqOrder: Equatable, Sendable {
        /// Higher than any before, or the first.
        case new
        /// The last one again. Numbers grow strictly (§12.2.1.1), so in another transaction this is the same request,
        /// come by another way: it is to be answered without acting on it.
        case repeated
        /// §12.2.2: "If the remote sequence number was not empty, but the sequence number of the request is lower than
        /// the remote sequence number, the request is out of order and MUST be rejected with a 500".
        case old
    }

    /// Takes note of a request of the other side that its transaction layer let through. ACK and CANCEL repeat the
    /// number of their INVITE and are always new.
    public mutating func receive(_ request: Message) -> CSeqOrder {
        guard request.method != .ack, request.method != .cancel else { return .new }
        let number = request.cseq.number
        if let last = remoteCSeq, number <= last { return number == last ? .repeated : .old }
        remoteCSeq = number
        return .new
    }

    /// Takes the Contact of a target refresh, INVITE or UPDATE, that was accepted, or of the 2xx to ours (§12.2.1.2,
    /// §12.2.2).
    public mutating func refreshTarget(from message: Message) {
        guard let contact = message.contacts.first, message.method == .invite || message.method == .update else {
            return
        }
        remoteTarget = contact.uri
    }

    /// Leaves room for numbers that a predecessor used after its last checkpoint.
    public mutating func skipCSeq(by count: UInt32) {
        localCSeq = min(localCSeq, Dialog.lastCSeq - min(count, Dialog.lastCSeq)) + min(count, Dialog.lastCSeq)
    }

    /// The dialog as a proxy on its path sees it towards the remote end: without the hops up to and including its own.
    func routed(past isOwn: (URI) -> Bool) -> Dialog {
        guard let own = routeSet.lastIndex(where: { isOwn($0.uri) }) else { return self }
        var copy = self
        copy.routeSet.removeFirst(own + 1)
        return copy
    }

    /// A request that was made to be sent.
    public struct Request: Equatable, Sendable {
        public let bytes: [UInt8]
        public let cseq: CSeq
        /// Whose address the request is sent to: the first hop (§12.2.1.1, §8.1.2).
        public let nextHop: URI
    }

    /// The next request inside the dialog (§12.2.1.1). Not for ACK and CANCEL.
    ///
    /// - Parameter via: with a new branch.
    /// - Returns: nil when the CSeq numbers are used up.
    public mutating func request(
        _ method: Method, via: Via, contact: NameAddress? = nil, maxForwards: Int = 70,
        headers: [(HeaderName, String)] = [], body: MessageWriter.Body? = nil
    ) -> Request? {
        precondition(method != .ack && method != .cancel, "\(method) takes the number of its INVITE")
        guard localCSeq < Dialog.lastCSeq else { return nil }
        localCSeq += 1
        if method == .invite { localInviteCSeq = localCSeq }
        return write(
            method, number: localCSeq, via: via, contact: contact, maxForwards: maxForwards, headers: headers,
            body: body)
    }

    /// The ACK for a 2xx to our INVITE of that number (§13.2.2.4); send it again for each copy of the 2xx.
    public func acknowledgement(
        ofInvite number: UInt32, via: Via, maxForwards: Int = 70, headers: [(HeaderName, String)] = [],
        body: MessageWriter.Body? = nil
    ) -> Request {
        write(.ack, number: number, via: via, contact: nil, maxForwards: maxForwards, headers: headers, body: body)
    }

    private func write(
        _ method: Method, number: UInt32, via: Via, contact: NameAddress?, maxForwards: Int,
        headers: [(HeaderName, String)], body: MessageWriter.Body?
    ) -> Request {
        var uri = remoteTarget
        var routes = routeSet
        if let first = routeSet.first, first.uri.parameters[parameter: "lr"] == nil {
            // "If the route set is not empty, and its first URI does not contain the lr parameter, the UAC MUST place
            // the first URI from the route set into the Request-URI, stripping any parameters that are not allowed …
            // MUST then place the remote target URI into the Route header field as the last value."
            uri = first.uri.strippedForRequest
            routes = routeSet.dropFirst() + [NameAddress(uri: remoteTarget)]
        }
        let bytes = MessageWriter.request(
            method: method, uri: uri, via: via, from: local, to: remote, callID: id.callID, cseq: number,
            maxForwards: maxForwards, contact: contact, routes: routes, headers: headers, body: body)
        return Request(bytes: bytes, cseq: CSeq(number, method), nextHop: routeSet.first?.uri ?? remoteTarget)
    }

    /// §8.1.1.5: "The sequence number value MUST be expressible as a 32-bit unsigned integer and MUST be less than 2**31".
    private static let lastCSeq: UInt32 = 0x7FFF_FFFF
}

extension NameAddress {
    func tagged(_ tag: String) -> NameAddress {
        var copy = self
        copy.parameters.append(Parameter("tag", tag))
        return copy
    }
}

extension URI {
    /// Without what a Request-URI may not hold (§19.1.1, Table 1): `method` and headers.
    var strippedForRequest: URI {
        var copy = self
        copy.headers = nil
        copy.parameters.removeAll { $0.name.equalsIgnoringCase("method") }
        return copy
    }
}
