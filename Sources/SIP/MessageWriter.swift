public import Primitives

/// Writes whole messages with one allocation each. Values are written so that no text, wherever it came from, can end
/// its line: CR, LF and NUL become spaces. Content-Length is always written, last.
public enum MessageWriter {
    public typealias Body = (contentType: String, bytes: [UInt8])

    /// A response to `request` (RFC 3261 §8.2.6): its Via, From, To, Call-ID and CSeq are copied from its own bytes,
    /// Record-Route too where the response can make a dialog (§12.1.1), Timestamp into a 100.
    ///
    /// - Parameters:
    ///   - status: 100–699.
    ///   - reason: nil for the standard phrase.
    ///   - toTag: added to To unless the request has one there; leave it out for 100.
    ///   - source: where the request came from; received and rport of the top Via are set by it
    ///     (RFC 3261 §18.2.1, RFC 3581 §4). With nil the Via is copied as it came.
    ///   - headers: written in order after the copied ones.
    public static func response(
        to request: Message, status: Int, reason: String? = nil, toTag: String? = nil, source: Endpoint? = nil,
        contact: NameAddress? = nil, headers: [(HeaderName, String)] = [], body: Body? = nil
    ) -> [UInt8] {
        request.bytes.withUnsafeBytes { bytes in
            Response(
                bytes: bytes, lines: request.lines, sentBy: request.sentBy, viaIsBare: request.topViaIsBare,
                makesDialog: request.method.makesDialog, status: status, reason: reason,
                toTag: request.hasToTag ? nil : toTag, source: source, contact: contact, headers: headers,
                body: body
            ).wireBytes()
        }
    }

    /// The answer to a request that could not be parsed; its reason phrase says what is wrong. Nil when it may not or
    /// cannot be answered.
    public static func response(
        to error: SIPParseError, toTag: String, source: Endpoint?, headers: [(HeaderName, String)] = []
    ) -> [UInt8]? {
        guard let request = error.request else { return nil }
        return request.bytes.withUnsafeBytes { bytes in
            Response(
                bytes: bytes, lines: request.lines, sentBy: nil, viaIsBare: false, makesDialog: false,
                status: error.problem.status,
                reason: error.problem.description, toTag: request.hasToTag ? nil : toTag, source: source,
                contact: nil, headers: headers, body: nil
            ).wireBytes()
        }
    }

    /// A request of our own (RFC 3261 §8.1.1).
    ///
    /// - Parameters:
    ///   - cseq: below 2³¹.
    ///   - maxForwards: 0…255.
    ///   - routes: the route set, first hop first; loose routing is taken for granted.
    public static func request(
        method: Method, uri: URI, via: Via, from: NameAddress, to: NameAddress, callID: String, cseq: UInt32,
        maxForwards: Int = 70, contact: NameAddress? = nil, routes: [NameAddress] = [],
        headers: [(HeaderName, String)] = [], body: Body? = nil
    ) -> [UInt8] {
        Request(
            method: method, uri: uri, via: via, from: from, to: to, callID: callID, cseq: cseq,
            maxForwards: maxForwards, contact: contact, routes: routes, headers: headers, body: body
        ).wireBytes()
    }

    private struct Response: WireWritable {
        let bytes: UnsafeRawBufferPointer
        let lines: [HeaderLine]
        let sentBy: IPAddress?
        let viaIsBare: Bool
        let makesDialog: Bool
        let status: Int
        let reason: String?
        /// Nil when To has one already.
        let toTag: String?
        let source: Endpoint?
        let contact: NameAddress?
        let headers: [(HeaderName, String)]
        let body: Body?

        func write(to sink: inout some ByteSink) {
            sink.put("SIP/2.0 ")
            sink.put(decimal: status)
            sink.put(byte: 32)
            if let reason { sink.put(text: reason) } else { sink.put(StatusReason.phrase(for: status)) }
            sink.putLineEnd()
            let copiesRoute = (101...299).contains(status) && makesDialog
            var isTopVia = true
            for field in lines {
                switch field.kind {
                case .via:
                    if isTopVia, let source {
                        ViaStamp(value: field.value, in: bytes, sentBy: sentBy, isBare: viaIsBare, source: source)
                            .writeLine(field, to: &sink)
                    } else {
                        sink.put(UnsafeRawBufferPointer(rebasing: bytes[field.line]))
                    }
                    isTopVia = false
                case .from, .callID, .cseq:
                    sink.put(UnsafeRawBufferPointer(rebasing: bytes[field.line]))
                case .to:
                    sink.put(UnsafeRawBufferPointer(rebasing: bytes[field.line.lowerBound..<field.value.upperBound]))
                    if let toTag, status > 100 {
                        sink.put(";tag=")
                        sink.put(text: toTag)
                    }
                    sink.putLineEnd()
                case .recordRoute where copiesRoute, .timestamp where status == 100:
                    sink.put(UnsafeRawBufferPointer(rebasing: bytes[field.line]))
                default: break
                }
            }
            if let contact { sink.putHeader(.contact, contact) }
            for (name, value) in headers { sink.putHeader(name, text: value) }
            sink.putBody(body)
        }
    }

    private struct Request: WireWritable {
        let method: Method
        let uri: URI
        let via: Via
        let from: NameAddress
        let to: NameAddress
        let callID: String
        let cseq: UInt32
        let maxForwards: Int
        let contact: NameAddress?
        let routes: [NameAddress]
        let headers: [(HeaderName, String)]
        let body: Body?

        func write(to sink: inout some ByteSink) {
            method.write(to: &sink)
            sink.put(byte: 32)
            uri.write(to: &sink)
            sink.put(" SIP/2.0\r\n")
            sink.putHeader(.via, via)
            sink.put("Max-Forwards: ")
            sink.put(decimal: max(0, maxForwards))
            sink.putLineEnd()
            for route in routes { sink.putHeader(.route, route) }
            sink.putHeader(.from, from)
            sink.putHeader(.to, to)
            sink.putHeader(.callID, text: callID)
            sink.put("CSeq: ")
            sink.put(decimal: Int(cseq))
            sink.put(byte: 32)
            method.write(to: &sink)
            sink.putLineEnd()
            if let contact { sink.putHeader(.contact, contact) }
            for (name, value) in headers { sink.putHeader(name, text: value) }
            sink.putBody(body)
        }
    }
}

extension Method {
    /// Methods whose 2xx creates a dialog (RFC 3261 §12.1, RFC 6665 §4.4.1, RFC 3515 §2.4.7).
    var makesDialog: Bool {
        switch self {
        case .invite, .subscribe, .refer, .notify: true
        default: false
        }
    }
}

extension ByteSink {
    mutating func putHeader(_ name: HeaderName, text value: String) {
        name.write(to: &self)
        put(": ")
        put(text: value)
        putLineEnd()
    }

    mutating func putHeader(_ name: HeaderName, _ value: some WireWritable) {
        name.write(to: &self)
        put(": ")
        value.write(to: &self)
        putLineEnd()
    }

    mutating func putBody(_ body: MessageWriter.Body?) {
        guard let body else { return put("Content-Length: 0\r\n\r\n") }
        putHeader(.contentType, text: body.contentType)
        put("Content-Length: ")
        put(decimal: body.bytes.count)
        put("\r\n\r\n")
        body.bytes.withUnsafeBytes { put($0) }
    }
}
