/// A header's name as one byte, for tables and lines that must cost no reference count. In the order of
/// `HeaderName.known`.
enum HeaderKind: UInt8, Sendable {
    case accept, acceptEncoding, acceptLanguage, allow, allowEvents, authorization, callID, contact
    case contentDisposition, contentEncoding, contentLanguage, contentLength, contentType, cseq, date, event
    case expires, from, maxForwards, minExpires, minSE, pAssertedIdentity, proxyAuthenticate
    case proxyAuthorization, proxyRequire, rack, reason, recordRoute, referTo, referredBy, require
    case retryAfter, route, rseq, server, sessionExpires, sessionID, subject, subscriptionState, supported
    case tandemHandover, tandemLoad, tandemNode, tandemPeers, tandemSession, tandemTakeover, timestamp, to
    case unsupported, userAgent, userToUser, via, warning, wwwAuthenticate
    /// A name without a case of its own; its text stands in the message.
    case other

    /// Nil for `other`.
    var name: HeaderName? { self == .other ? nil : HeaderName.known[Int(rawValue)] }
}

/// One header field line of a message: what it is, and where. Plain numbers, so that an index of lines is one
/// allocation and its copies cost nothing.
struct HeaderLine: Hashable, Sendable {
    let kind: HeaderKind
    // Messages end at 64 KiB; short offsets keep a message's lines in few cache lines.
    private let start: UInt32
    private let end: UInt32
    private let nameLength: UInt32
    private let valueStart: UInt32
    private let valueEnd: UInt32

    /// - Parameter line: folded lines and the CRLF included; the name stands at its start.
    init(_ kind: HeaderKind, line: Range<Int>, nameLength: Int, value: Range<Int>) {
        self.kind = kind
        start = UInt32(truncatingIfNeeded: line.lowerBound)
        end = UInt32(truncatingIfNeeded: line.upperBound)
        self.nameLength = UInt32(truncatingIfNeeded: nameLength)
        valueStart = UInt32(truncatingIfNeeded: value.lowerBound)
        valueEnd = UInt32(truncatingIfNeeded: value.upperBound)
    }

    var line: Range<Int> { Int(start)..<Int(end) }
    /// The value without surrounding white space.
    var value: Range<Int> { Int(valueStart)..<Int(valueEnd) }

    func name(in bytes: UnsafeRawBufferPointer) -> HeaderName {
        kind.name ?? .other(HeaderNameTable.lowercase(bytes, Int(start)..<Int(start + nameLength)))
    }

    func isNamed(_ name: HeaderName, in bytes: UnsafeRawBufferPointer) -> Bool {
        guard let wanted = name.kind else { return kind == .other && self.name(in: bytes) == name }
        return kind == wanted
    }

    func field(in bytes: UnsafeRawBufferPointer) -> Message.Field {
        Message.Field(name: name(in: bytes), line: line, value: value)
    }
}
