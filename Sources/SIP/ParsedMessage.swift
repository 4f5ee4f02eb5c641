private import COSIP

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A message between its bytes and its values. It lives for one function, inside the arena; no pointer leaves it.
struct ParsedMessage: ~Copyable {
    typealias Problem = SIPParseError.Problem

    private let bytes: UnsafeRawBufferPointer
    private let head: HeadIndex
    private let startLine: StartLineSyntax.Line
    /// The head once more, for C: each value is ended by a NUL in its place before libosip2 reads it.
    private let text: UnsafeMutableRawPointer

    init(
        _ head: HeadIndex, of bytes: UnsafeRawBufferPointer, in arena: borrowing Arena
    ) throws(Problem) {
        let text = arena.allocate(head.end + 1)
        guard let base = bytes.baseAddress else { throw .notSIP }
        memcpy(text, base, head.end)
        if head.needsCleaning { ParsedMessage.clean(text, count: head.end) }
        let startLine = try StartLineSyntax.parse(head.startLine, of: bytes, text: text)
        self.bytes = bytes
        self.head = head
        self.text = text
        self.startLine = startLine
    }

    /// C sees neither folds nor tabs, and a quoted NUL, which would end its string, as a space.
    private static func clean(_ text: UnsafeMutableRawPointer, count: Int) {
        let bytes = UnsafeMutableRawBufferPointer(start: text, count: count)
        for index in bytes.indices where bytes[index] <= 13 {
            bytes[index] = 32
        }
    }

    /// - Parameter storage: the array that the bytes were taken from.
    consuming func message(holding storage: [UInt8], transport: Transport) throws(Problem) -> Message {
        var via: [Via] = []
        var from: NameAddress?
        var to: NameAddress?
        var callID: Piece?
        var cseq: CSeq?
        var maxForwards: Int?
        var contentLength: Int?
        var hasContentType = false
        var contacts: [NameAddress] = []
        var routes: [NameAddress] = []
        var recordRoutes: [NameAddress] = []
        for line in head.lines {
            let value = line.value
            switch line.kind {
            case .via:
                try eachElement(of: value, .via) { (element) throws(Problem) in
                    via.append(try ValueSyntax.via(element, of: bytes, text: text))
                    guard via.count <= MessageParser.fieldLimit else { throw .tooMany(.via) }
                }
            case .from:
                guard from == nil else { throw .repeated(.from) }
                from = try address(value, .from)
            case .to:
                guard to == nil else { throw .repeated(.to) }
                to = try address(value, .to)
            case .callID:
                guard callID == nil else { throw .repeated(.callID) }
                guard ValueSyntax.isCallID(value, of: bytes) else { throw .malformed(.callID) }
                callID = Piece(value)
            case .cseq:
                guard cseq == nil else { throw .repeated(.cseq) }
                cseq = try ValueSyntax.cseq(value, of: bytes)
            case .maxForwards:
                guard maxForwards == nil else { throw .repeated(.maxForwards) }
                maxForwards = try ValueSyntax.number(value, of: bytes, limit: 255, .maxForwards)
            case .contentLength:
                guard contentLength == nil else { throw .repeated(.contentLength) }
                contentLength = try ValueSyntax.number(value, of: bytes, limit: Int(Int32.max), .contentLength)
            case .contentType:
                guard !hasContentType else { throw .repeated(.contentType) }
                hasContentType = true
            case .contact:
                if value.count == 1, bytes[value.lowerBound] == 42 { continue }
                try append(value, .contact, to: &contacts)
            case .route:
                try append(value, .route, to: &routes)
            case .recordRoute:
                try append(value, .recordRoute, to: &recordRoutes)
            default: break
            }
        }
        guard !via.isEmpty else { throw .missing(.via) }
        guard let from else { throw .missing(.from) }
        guard let to else { throw .missing(.to) }
        guard let callID else { throw .missing(.callID) }
        guard let cseq else { throw .missing(.cseq) }
        var requestURI: URI?
        var places = MessagePlaces()
        switch startLine {
        case .request(let method, let uri):
            if method != cseq.method { throw .methodMismatch }
            requestURI = uri
        case .response(let status, let reason):
            places.status = status
            places.reason = Piece(reason)
        }
        if head.lines.count > MessageParser.fieldLimit { try checkCounts() }
        places.callID = callID
        places.cseqNumber = cseq.number
        places.maxForwards = maxForwards
        places.viaCount = via.count
        places.contactCount = contacts.count
        places.routeCount = routes.count
        places.recordRouteCount = recordRoutes.count
        places.body = try body(contentLength: contentLength, transport: transport)
        return Message(
            bytes: storage, lines: head.lines, method: cseq.method, places: places,
            eager: MessageValues(
                requestURI: requestURI, via: via, from: from, to: to, contacts: contacts, routes: routes,
                recordRoutes: recordRoutes))
    }

    /// RFC 3261 §18.3: extra bytes of a datagram are ignored, missing ones are an error; on a stream the length is
    /// required and exact.
    private func body(contentLength: Int?, transport: Transport) throws(Problem) -> Range<Int> {
        let present = bytes.count - head.end
        let isStream = transport == .tcp || transport == .tls
        guard let contentLength else {
            if isStream { throw .missing(.contentLength) }
            return head.end..<bytes.count
        }
        guard isStream ? contentLength == present : contentLength <= present else { throw .bodyLength }
        return head.end..<head.end + contentLength
    }

    private func checkCounts() throws(Problem) {
        var counts: [HeaderName: Int] = [:]
        for line in head.lines {
            let name = line.name(in: bytes)
            counts[name, default: 0] += 1
            if counts[name, default: 0] > MessageParser.fieldLimit { throw .tooMany(name) }
        }
    }

    private func append(_ list: Range<Int>, _ name: HeaderName, to addresses: inout [NameAddress]) throws(Problem) {
        try eachElement(of: list, name) { (element) throws(Problem) in
            addresses.append(try address(element, name))
            guard addresses.count <= MessageParser.fieldLimit else { throw .tooMany(name) }
        }
    }

    private func address(_ value: Range<Int>, _ name: HeaderName) throws(Problem) -> NameAddress {
        guard let address = ValueSyntax.address(value, of: bytes, text: text) else { throw .malformed(name) }
        return address
    }

    /// Several values may stand on one line, separated by commas (§7.3.1).
    private func eachElement(
        of list: Range<Int>, _ name: HeaderName, _ body: (Range<Int>) throws(Problem) -> Void
    ) throws(Problem) {
        var elements = ListElements(of: list, in: bytes)
        while let element = elements.next() { try body(element) }
        guard elements.areSound else { throw .malformed(name) }
    }
}

extension HeadIndex {
    static func checked(_ bytes: UnsafeRawBufferPointer) throws(SIPParseError.Problem) -> HeadIndex {
        do throws(HeadIndex.Problem) {
            return try HeadIndex(of: bytes)
        } catch {
            switch error {
            case .badByte: throw .badByte
            case .badStartLine: throw .notSIP
            case .badField, .unfinished: throw .malformedHead
            case .tooManyFields: throw .tooManyFields
            }
        }
    }
}
