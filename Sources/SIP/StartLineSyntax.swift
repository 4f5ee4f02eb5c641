#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// RFC 3261 §7.1 and §7.2: the request line and the status line, to the letter: single spaces, this version.
enum StartLineSyntax {
    typealias Problem = SIPParseError.Problem

    enum Line {
        case request(Method, URI)
        case response(status: Int, reason: Range<Int>)
    }

    static func parse(
        _ line: Range<Int>, of bytes: UnsafeRawBufferPointer, text: UnsafeMutableRawPointer
    ) throws(Problem) -> Line {
        if line.count >= 4, HeaderSyntax.equals(bytes, line.lowerBound..<line.lowerBound + 4, "sip/") {
            return try status(line, of: bytes)
        }
        let methodEnd = tokenEnd(in: line, of: bytes)
        guard methodEnd > line.lowerBound, methodEnd < line.upperBound, bytes[methodEnd] == 32 else { throw .notSIP }
        var uriEnd = line.upperBound
        while uriEnd > methodEnd, bytes[uriEnd - 1] != 32 { uriEnd -= 1 }
        let version = uriEnd..<line.upperBound
        uriEnd -= 1
        guard version.count >= 4, HeaderSyntax.equals(bytes, version.lowerBound..<version.lowerBound + 4, "sip/") else {
            throw uriEnd > methodEnd ? .malformedRequestLine : .notSIP
        }
        guard HeaderSyntax.equals(bytes, version, "sip/2.0") else { throw .version }
        guard uriEnd > methodEnd + 1 else { throw .malformedRequestLine }
        let method = Method(bytes: UnsafeRawBufferPointer(rebasing: bytes[line.lowerBound..<methodEnd]))
        return .request(method, try ValueSyntax.requestURI(methodEnd + 1..<uriEnd, of: bytes, text: text))
    }

    private static func tokenEnd(in range: Range<Int>, of bytes: UnsafeRawBufferPointer) -> Int {
        var index = range.lowerBound
        while index < range.upperBound, OctetClass.token.contains(bytes[index]) { index += 1 }
        return index
    }

    /// A missing reason phrase is taken even where its space is missing too.
    private static func status(
        _ line: Range<Int>, of bytes: UnsafeRawBufferPointer
    ) throws(Problem) -> Line {
        guard line.count >= 8, HeaderSyntax.equals(bytes, line.lowerBound..<line.lowerBound + 7, "sip/2.0") else {
            throw .version
        }
        let digits = line.lowerBound + 8..<line.lowerBound + 11
        guard line.count >= 11, bytes[digits.lowerBound - 1] == 32, line.count == 11 || bytes[digits.upperBound] == 32
        else { throw .status }
        var status = 0
        for index in digits {
            guard Octets.isDigit(bytes[index]) else { throw .status }
            status = status * 10 + Int(bytes[index] &- 48)
        }
        guard 100...699 ~= status else { throw .status }
        let reason = min(digits.upperBound + 1, line.upperBound)..<line.upperBound
        return .response(status: status, reason: reason)
    }
}

extension Method {
    /// A token of the wire.
    init(bytes: UnsafeRawBufferPointer) {
        func names(_ token: StaticString) -> Bool {
            guard bytes.count == token.utf8CodeUnitCount, let base = bytes.baseAddress else { return false }
            return memcmp(base, token.utf8Start, bytes.count) == 0
        }
        if names("INVITE") {
            self = .invite
        } else if names("ACK") {
            self = .ack
        } else if names("BYE") {
            self = .bye
        } else {
            self = Method(token: String(decoding: bytes, as: UTF8.self))
        }
    }
}
