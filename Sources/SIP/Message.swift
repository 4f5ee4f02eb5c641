/// A SIP message that was received, parsed and validated, or that is about to be sent: its exact bytes, and what
/// routing and dialogs need of them as typed values. A `Message` is never edited; what is sent on or answered is
/// written anew (`MessageWriter`) or by editing a copy of the bytes (`ForwardingEdit`).
public struct Message: Sendable {
    public enum StartLine: Equatable, Sendable {
        case request(Method, URI)
        /// Status 100–699.
        case response(status: Int, reason: String)
    }

    /// One header field line as it stands in `bytes`, folded lines included.
    public struct Field: Sendable {
        public var name: HeaderName
        /// The whole line with its CRLF.
        public var line: Range<Int>
        /// The value without surrounding white space.
        public var value: Range<Int>
    }

    public let bytes: [UInt8]
    public let startLine: StartLine
    /// Every header field line, in order.
    public let fields: [Field]
    /// All Via values, topmost first; never empty.
    public let via: [Via]
    public let from: NameAddress
    public let to: NameAddress
    public let callID: String
    public let cseq: CSeq
    /// Nil when the header is absent (old senders); 0…255 else.
    public let maxForwards: Int?
    public let contacts: [NameAddress]
    public let routes: [NameAddress]
    public let recordRoutes: [NameAddress]
    /// Where the body stands in `bytes`; empty when there is none.
    public let body: Range<Int>

    public init(
        bytes: [UInt8], startLine: StartLine, fields: [Field], via: [Via], from: NameAddress, to: NameAddress,
        callID: String, cseq: CSeq, maxForwards: Int?, contacts: [NameAddress], routes: [NameAddress],
        recordRoutes: [NameAddress], body: Range<Int>
    ) {
        self.bytes = bytes
        self.startLine = startLine
        self.fields = fields
        self.via = via
        self.from = from
        self.to = to
        self.callID = callID
        self.cseq = cseq
        self.maxForwards = maxForwards
        self.contacts = contacts
        self.routes = routes
        self.recordRoutes = recordRoutes
        self.body = body
    }

    public var isRequest: Bool { if case .request = startLine { true } else { false } }
    /// The request's method, or for a response the method it answers.
    public var method: Method { if case .request(let method, _) = startLine { method } else { cseq.method } }
    /// Nil for a request.
    public var status: Int? { if case .response(let status, _) = startLine { status } else { nil } }
    /// Nil for a response.
    public var requestURI: URI? { if case .request(_, let uri) = startLine { uri } else { nil } }

    /// The values of all fields of that name in order, one string a line (lists are not split).
    public func values(of name: HeaderName) -> [String] {
        fields.filter { $0.name == name }.map { text(in: $0.value) }
    }

    public func first(_ name: HeaderName) -> String? {
        fields.first { $0.name == name }.map { text(in: $0.value) }
    }

    /// Folded lines come back with their line ends, replaced by single spaces.
    private func text(in range: Range<Int>) -> String {
        let text = String(decoding: bytes[range], as: UTF8.self)
        guard text.utf8.contains(10) else { return text }
        return text.replacing("\r\n ", with: " ").replacing("\r\n\t", with: " ")
    }
}
