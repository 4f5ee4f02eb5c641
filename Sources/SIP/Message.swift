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
        let lines: [HeaderLine]
        let method: Method
        let places: MessagePlaces
        /// Nil for a plain message, whose values are made when they are asked for.
        let eager: MessageValues?

        init(
            bytes: [UInt8], lines: [HeaderLine], method: Method, places: MessagePlaces, eager: MessageValues?
        ) {
            self.bytes = bytes
            self.lines = lines
            self.method = method
            self.places = places
            self.eager = eager
        }
    }

    private let storage: Storage

    init(bytes: [UInt8], lines: [HeaderLine], method: Method, places: MessagePlaces, eager: MessageValues?) {
        storage = Storage(bytes: bytes, lines: lines, method: method, places: places, eager: eager)
    }

    /// Stands where there is no message, and holds no memory: a response without headers.
    public static let absent: Message = {
        var places = MessagePlaces()
        places.status = 100
        return Message(bytes: [], lines: [], method: .ack, places: places, eager: nil)
    }()

    var lines: [HeaderLine] { storage.lines }
    var places: MessagePlaces { _read { yield storage.places } }
    /// Nil for a plain message, all of whose places count.
    var eager: MessageValues? { storage.eager }

    public var bytes: [UInt8] { storage.bytes }
    public var startLine: StartLine {
        if let status { return .response(status: status, reason: read { places.reason.text(in: $0) }) }
        guard let requestURI else { preconditionFailure("a request without a URI") }
        return .request(method, requestURI)
    }
    /// Every header field line, in order.
    public var fields: [Field] { read { bytes in lines.map { $0.field(in: bytes) } } }
    /// All Via values, topmost first; never empty.
    public var via: [Via] { eager?.via ?? all(.via) { PlainSyntax.via($0, of: $1) } }
    public var from: NameAddress { eager?.from ?? read { places.from.made(from: $0) } }
    public var to: NameAddress { eager?.to ?? read { places.to.made(from: $0) } }
    public var callID: String { read { places.callID.text(in: $0) } }
    public var cseq: CSeq { CSeq(places.cseqNumber, method) }
    /// Nil when the header is absent (old senders); 0…255 else.
    public var maxForwards: Int? { places.maxForwards }
    /// Empty also for `Contact: *`, which `first(.contact)` shows.
    public var contacts: [NameAddress] { eager?.contacts ?? addresses(.contact, places.contactCount) }
    public var routes: [NameAddress] { eager?.routes ?? addresses(.route, places.routeCount) }
    public var recordRoutes: [NameAddress] {
        eager?.recordRoutes ?? addresses(.recordRoute, places.recordRouteCount)
    }
    /// Where the body stands in `bytes`; empty when there is none.
    public var body: Range<Int> { places.body }

    public var isRequest: Bool { places.status == 0 }
    /// The request's method, or for a response the method it answers.
    public var method: Method { storage.method }
    /// Nil for a request.
    public var status: Int? { isRequest ? nil : places.status }
    /// Nil for a response.
    public var requestURI: URI? {
        guard isRequest else { return nil }
        return eager?.requestURI ?? read { places.requestURI.made(from: $0) }
    }

    /// The message's bytes, lent for the call.
    @inline(__always)
    func read<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result { storage.bytes.withUnsafeBytes(body) }

    private func addresses(_ kind: HeaderKind, _ count: Int) -> [NameAddress] {
        count == 0 ? [] : all(kind) { PlainSyntax.address($0, of: $1) }
    }

    private func all<Value>(
        _ kind: HeaderKind, _ value: (Range<Int>, UnsafeRawBufferPointer) -> Value?
    ) -> [Value] {
        read { bytes in
            var result: [Value] = []
            for line in lines where line.kind == kind {
                var elements = ListElements(of: line.value, in: bytes)
                while let element = elements.next() {
                    if let made = value(element, bytes) { result.append(made) }
                }
            }
            return result
        }
    }

    /// The values of all fields of that name in order, one string a line (lists are not split).
    public func values(of name: HeaderName) -> [String] {
        read { bytes in lines.filter { $0.isNamed(name, in: bytes) }.map { text(in: $0.value) } }
    }

    public func first(_ name: HeaderName) -> String? {
        read { bytes in lines.first { $0.isNamed(name, in: bytes) }.map { text(in: $0.value) } }
    }

    func has(_ kind: HeaderKind) -> Bool {
        for line in lines where line.kind == kind { return true }
        return false
    }

    /// Folded lines come back with their line ends, replaced by single spaces.
    private func text(in range: Range<Int>) -> String {
        let text = String(decoding: bytes[range], as: UTF8.self)
        guard text.utf8.contains(10) else { return text }
        return text.replacing("\r\n ", with: " ").replacing("\r\n\t", with: " ")
    }
}
