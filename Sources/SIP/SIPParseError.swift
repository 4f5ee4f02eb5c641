/// Why received bytes are no message that may be worked on, and how that is answered. What cannot be answered is
/// counted and dropped.
public struct SIPParseError: Error, Hashable, Sendable {
    public enum Problem: Hashable, Sendable {
        /// Nothing but line ends or NULs: what clients send to hold a NAT binding open.
        case keepAlive
        /// Not a request or status line at all.
        case notSIP
        /// More than `MessageParser.sizeLimit` bytes.
        case tooLarge
        /// A bare CR or LF, a NUL outside a quoted pair, or bytes that are not UTF-8.
        case badByte
        /// A line that is no header field, or a head that never ends.
        case malformedHead
        case malformedRequestLine
        case version
        /// Of the Request-URI.
        case scheme
        case malformedRequestURI
        case status
        case missing(HeaderName)
        case repeated(HeaderName)
        /// More than `MessageParser.fieldLimit` values of that name.
        case tooMany(HeaderName)
        case tooManyFields
        case malformed(HeaderName)
        /// CSeq names another method than the request line.
        case methodMismatch
        /// Fewer bytes than Content-Length says, or on a stream another number.
        case bodyLength
    }

    public let problem: Problem
    /// Nil where no answer may be sent (responses, ACK) or not enough could be read to send one.
    public let request: RejectedRequest?

    /// The status to answer with; nil exactly when `request` is.
    public var status: Int? { request == nil ? nil : problem.status }

    init(_ problem: Problem, request: RejectedRequest?) {
        self.problem = problem
        self.request = request
    }

    /// Where the answer goes (RFC 3261 §18.2.2), by the topmost Via as far as it can be read; else back to the source.
    public func responseFlow(on flow: Flow) -> Flow {
        guard let port = request?.sentByPort else { return flow }
        return flow.responseFlow(rport: .absent, port: port)
    }
}

extension SIPParseError.Problem: CustomStringConvertible {
    var status: Int {
        switch self {
        case .version: 505
        case .scheme: 416
        case .tooLarge: 513
        default: 400
        }
    }

    /// Short enough for a reason phrase or a metric's label.
    public var description: String {
        switch self {
        case .keepAlive: "Keep Alive"
        case .notSIP: "Not SIP"
        case .tooLarge: "Message Too Large"
        case .badByte: "Invalid Character"
        case .malformedHead: "Malformed Header Line"
        case .malformedRequestLine: "Malformed Request Line"
        case .version: "Version Not Supported"
        case .scheme: "Unsupported URI Scheme"
        case .malformedRequestURI: "Malformed Request-URI"
        case .status: "Malformed Status"
        case .missing(let name): "Missing \(name)"
        case .repeated(let name): "Repeated \(name)"
        case .tooMany(let name): "Too Many \(name)"
        case .tooManyFields: "Too Many Headers"
        case .malformed(let name): "Malformed \(name)"
        case .methodMismatch: "CSeq Method Mismatch"
        case .bodyLength: "Wrong Content-Length"
        }
    }
}

extension SIPParseError: CustomStringConvertible {
    /// Without the message, which is outside data.
    public var description: String { problem.description }
}

/// What could be read of a request that is refused: enough to answer it (RFC 3261 §8.2.6.2).
public struct RejectedRequest: Hashable, Sendable {
    /// Via, From, To, Call-ID and CSeq lines as they came, in order.
    let bytes: [UInt8]
    let lines: [HeaderLine]
    let hasToTag: Bool

    /// Nil for what is no request, for ACK, and where one of the lines is missing or could harm the answer.
    init?(salvaging received: UnsafeRawBufferPointer) {
        var cursor = LineCursor(bytes: received)
        guard let start = cursor.next(), RejectedRequest.isAnswerable(start, in: received) else { return nil }
        var bytes: [UInt8] = []
        var lines: [HeaderLine] = []
        var found: Set<HeaderKind> = []
        while let line = cursor.next(), !line.isEmpty {
            guard let colon = received[line].firstIndex(of: 58) else { continue }
            let nameRange = HeaderSyntax.trim(line.lowerBound..<colon, in: received)
            let kind = HeaderNameTable.shared.kind(of: nameRange, in: received)
            guard [.via, .from, .to, .callID, .cseq].contains(kind), kind == .via || !found.contains(kind) else {
                continue
            }
            guard lines.count < MessageParser.totalFieldLimit,
                received[line].allSatisfy({ $0 >= 32 || $0 == 9 || $0 == 13 || $0 == 10 })
            else { return nil }
            let value = HeaderSyntax.trim(colon + 1..<line.upperBound, in: received)
            guard !value.isEmpty else { return nil }
            let offset = bytes.count - line.lowerBound
            bytes += received[line]
            bytes += [13, 10]
            lines.append(
                HeaderLine(
                    kind, line: line.lowerBound + offset..<bytes.count, nameLength: nameRange.count,
                    value: value.lowerBound + offset..<value.upperBound + offset))
            found.insert(kind)
        }
        guard found.count == 5, let to = lines.first(where: { $0.kind == .to }) else { return nil }
        hasToTag = bytes.withUnsafeBytes { buffer in
            var cursor = HeaderSyntax.parameters(of: to.value, in: buffer)
            while let parameter = cursor.next() {
                if HeaderSyntax.equals(buffer, parameter.name, "tag") { return true }
            }
            return false
        }
        self.bytes = bytes
        self.lines = lines
    }

    /// The port of the topmost Via's sent-by, 0 for none; nil where it asks for answers to the source (RFC 3581), or
    /// cannot be read.
    var sentByPort: UInt16? {
        guard let top = lines.first(where: { $0.kind == .via }) else { return nil }
        return bytes.withUnsafeBytes { bytes in
            let via = HeaderSyntax.firstElement(of: top.value, in: bytes)
            var parameters = HeaderSyntax.parameters(of: via, in: bytes)
            let sentBy = HeaderSyntax.trim(via.lowerBound..<parameters.rest.lowerBound, in: bytes)
            while let parameter = parameters.next() {
                if HeaderSyntax.equals(bytes, parameter.name, "rport") { return nil }
            }
            // "SIP/2.0/UDP host:port"; an IPv6 address is in brackets.
            let behind = (bytes[sentBy].lastIndex(of: 93) ?? sentBy.lowerBound)..<sentBy.upperBound
            guard let colon = bytes[behind].firstIndex(of: 58) else { return 0 }
            let digits = HeaderSyntax.trim(colon + 1..<sentBy.upperBound, in: bytes)
            guard !digits.isEmpty, HeaderSyntax.numberEnd(in: digits, of: bytes) == digits.upperBound else {
                return nil
            }
            return UInt16(String(decoding: bytes[digits], as: UTF8.self))
        }
    }

    /// A request line of any version whose method is not ACK, which is never answered (§17.2.1).
    private static func isAnswerable(_ line: Range<Int>, in bytes: UnsafeRawBufferPointer) -> Bool {
        var index = line.lowerBound
        while index < line.upperBound, OctetClass.token.contains(bytes[index]) { index += 1 }
        guard index > line.lowerBound, index < line.upperBound, bytes[index] == 32 else { return false }
        return !HeaderSyntax.equals(bytes, line.lowerBound..<index, "ack")
    }

    /// Header lines with their folds, their CRLF cut off; lines that end otherwise end the walk.
    private struct LineCursor {
        let bytes: UnsafeRawBufferPointer
        var position = 0

        mutating func next() -> Range<Int>? {
            let start = position
            var index = start
            while index < bytes.count {
                guard bytes[index] == 13 || bytes[index] == 10 else {
                    index += 1
                    continue
                }
                guard bytes[index] == 13, index + 1 < bytes.count, bytes[index + 1] == 10 else { return nil }
                position = index + 2
                let isFolded =
                    index > start && position < bytes.count && (bytes[position] == 32 || bytes[position] == 9)
                guard isFolded else { return start..<index }
                index = position
            }
            return nil
        }
    }
}
