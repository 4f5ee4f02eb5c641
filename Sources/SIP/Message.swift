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
    public struct Field: Hashable, Sendable {
        public let name: HeaderName
        // Messages end at 64 KiB; short offsets keep a message's fields in few cache lines.
        private let lineStart: UInt32
        private let lineEnd: UInt32
        private let valueStart: UInt32
        private let valueEnd: UInt32

        public init(name: HeaderName, line: Range<Int>, value: Range<Int>) {
            self.name = name
            lineStart = UInt32(line.lowerBound)
            lineEnd = UInt32(line.upperBound)
            valueStart = UInt32(value.lowerBound)
            valueEnd = UInt32(value.upperBound)
        }

        /// The whole line with its CRLF.
        public var line: Range<Int> { Int(lineStart)..<Int(lineEnd) }
        /// The value without surrounding white space.
        public var value: Range<Int> { Int(valueStart)..<Int(valueEnd) }
    }

    /// Kept behind one reference: messages travel through several queues, and a copy should cost one count.
    private final class Storage: Sendable {
        let bytes: [UInt8]
        let startLine: StartLine
        let fields: [Field]
        let via: [Via]
        let from: NameAddress
        let to: NameAddress
        let callID: String
        let cseq: CSeq
        let maxForwards: Int?
        let contacts: [NameAddress]
        let routes: [NameAddress]
        let recordRoutes: [NameAddress]
        let body: Range<Int>

        init(
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
    }

    private let storage: Storage

    public var bytes: [UInt8] { storage.bytes }
    public var startLine: StartLine { storage.startLine }
    /// Every header field line, in order.
    public var fields: [Field] { storage.fields }
    /// All Via values, topmost first; never empty.
    public var via: [Via] { storage.via }
    public var from: NameAddress { storage.from }
    public var to: NameAddress { storage.to }
    public var callID: String { storage.callID }
    public var cseq: CSeq { storage.cseq }
    /// Nil when the header is absent (old senders); 0…255 else.
    public var maxForwards: Int? { storage.maxForwards }
    /// Empty also for `Contact: *`, which `first(.contact)` shows.
    public var contacts: [NameAddress] { storage.contacts }
    public var routes: [NameAddress] { storage.routes }
    public var recordRoutes: [NameAddress] { storage.recordRoutes }
    /// Where the body stands in `bytes`; empty when there is none.
    public var body: Range<Int> { storage.body }

    public init(
        bytes: [UInt8], startLine: StartLine, fields: [Field], via: [Via], from: NameAddress, to: NameAddress,
        callID: String, cseq: CSeq, maxForwards: Int?, contacts: [NameAddress], routes: [NameAddress],
        recordRoutes: [NameAddress], body: Range<Int>
    ) {
        storage = Storage(
            bytes: bytes, startLine: startLine, fields: fields, via: via, from: from, to: to, callID: callID,
            cseq: cseq, maxForwards: maxForwards, contacts: contacts, routes: routes, recordRoutes: recordRoutes,
            body: body)
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
