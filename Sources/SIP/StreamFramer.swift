/// Cuts whole messages from the bytes of a connection, by Content-Length (RFC 3261 §18.3), and sees the keep-alives
/// between them (RFC 5626 §3.5.1). Pure: bytes in, events out. After `broken` nothing more comes out.
public struct StreamFramer: Sendable {
    /// Who opened the connection: the opener sends pings and gets pongs.
    public enum Side: Sendable { case accepted, opened }

    public enum Failure: Hashable, Sendable {
        case headTooLong, messageTooLong, missingContentLength, badContentLength
    }

    public enum Event: Hashable, Sendable {
        /// One message, for `MessageParser` with a stream transport.
        case message([UInt8])
        /// A double CRLF on an accepted connection: to be answered with a single one.
        case ping
        /// A CRLF on an opened connection.
        case pong
        /// Where the next message starts is lost; the connection must be closed. The bytes are the head that could not be
        /// framed, as far as it came; parsing them gives what is needed to answer before closing.
        case broken([UInt8], Failure)
    }

    /// Largest head in bytes: a peer that never ends its head must not fill memory.
    public static let headLimit = 32_768

    private let side: Side
    private var buffer: [UInt8] = []
    /// Bytes of `buffer` that have been given out.
    private var consumed = 0
    /// Bytes of `buffer` that are known to hold no end of head.
    private var scanned = 0
    /// Head and body of the message whose head is complete.
    private var expected: Int?
    private var isBroken = false

    public init(side: Side) { self.side = side }

    /// Bytes that wait for the rest of their message.
    public var pendingCount: Int { buffer.count - consumed }

    public mutating func feed(_ bytes: some Collection<UInt8>) {
        guard !isBroken else { return }
        if consumed == buffer.count {
            buffer.removeAll(keepingCapacity: buffer.capacity <= MessageParser.sizeLimit)
            (consumed, scanned) = (0, 0)
        } else if consumed > MessageParser.sizeLimit {
            buffer.removeSubrange(0..<consumed)
            (consumed, scanned) = (0, scanned - consumed)
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next event, nil when more bytes are needed. Call until nil after each `feed`.
    public mutating func next() -> Event? {
        guard !isBroken else { return nil }
        if expected == nil {
            if let event = keepAlive() { return event }
            guard let headEnd = findHeadEnd() else {
                let isTooLong = pendingCount > StreamFramer.headLimit
                return isTooLong ? fail(.headTooLong, headEnd: buffer.count) : nil
            }
            guard headEnd - consumed <= StreamFramer.headLimit else { return fail(.headTooLong, headEnd: headEnd) }
            switch contentLength(in: consumed..<headEnd) {
            case .success(let length):
                guard headEnd - consumed + length <= MessageParser.sizeLimit else {
                    return fail(.messageTooLong, headEnd: headEnd)
                }
                expected = headEnd - consumed + length
            case .failure(let failure): return fail(failure.reason, headEnd: headEnd)
            }
        }
        guard let count = expected, pendingCount >= count else { return nil }
        let message = Array(buffer[consumed..<consumed + count])
        consumed += count
        scanned = consumed
        expected = nil
        return .message(message)
    }

    private mutating func fail(_ failure: Failure, headEnd: Int) -> Event {
        let head = Array(buffer[consumed..<headEnd])
        isBroken = true
        buffer = []
        (consumed, scanned) = (0, 0)
        return .broken(head, failure)
    }

    /// Line ends between messages. A lone CRLF before a message is ignored on an accepted connection (§7.5).
    private mutating func keepAlive() -> Event? {
        while pendingCount >= 2, buffer[consumed] == 13, buffer[consumed + 1] == 10 {
            if side == .opened {
                skip(2)
                return .pong
            }
            if pendingCount >= 4, buffer[consumed + 2] == 13, buffer[consumed + 3] == 10 {
                skip(4)
                return .ping
            }
            // It may be the first half of a ping whose second half is still on its way.
            let rest = pendingCount - 2
            guard rest > 1 || (rest == 1 && buffer[consumed + 2] != 13) else { return nil }
            skip(2)
        }
        return nil
    }

    private mutating func skip(_ count: Int) {
        consumed += count
        scanned = consumed
    }

    /// Just behind the first empty line.
    private mutating func findHeadEnd() -> Int? {
        let start = max(scanned - 3, consumed)
        let end: Int? = buffer.withUnsafeBytes { bytes in
            var index = start
            while index + 3 < bytes.count {
                if bytes[index + 3] > 13 {
                    index += 4
                } else if bytes[index] == 13, bytes[index + 1] == 10, bytes[index + 2] == 13, bytes[index + 3] == 10 {
                    return index + 4
                } else {
                    index += 1
                }
            }
            return nil
        }
        scanned = buffer.count
        return end
    }

    private struct LengthFailure: Error { let reason: Failure }

    private func contentLength(in head: Range<Int>) -> Result<Int, LengthFailure> {
        buffer.withUnsafeBytes { bytes in
            var found: Int?
            var lineStart = head.lowerBound
            while lineStart < head.upperBound {
                var lineEnd = lineStart
                while lineEnd < head.upperBound, bytes[lineEnd] != 10 { lineEnd += 1 }
                let line = lineStart..<lineEnd
                lineStart = lineEnd + 1
                guard StreamFramer.namesContentLength(line, in: bytes) else { continue }
                let isFolded = lineStart < head.upperBound && (bytes[lineStart] == 32 || bytes[lineStart] == 9)
                let colon = HeaderSyntax.find(58, in: line, of: bytes)
                let value = HeaderSyntax.trim(min(colon + 1, lineEnd)..<lineEnd, in: bytes)
                guard found == nil, !isFolded,
                    let number = try? ValueSyntax.number(
                        value, of: bytes, limit: Int(Int32.max), .contentLength)
                else { return .failure(LengthFailure(reason: .badContentLength)) }
                found = number
            }
            guard let found else { return .failure(LengthFailure(reason: .missingContentLength)) }
            return .success(found)
        }
    }

    private static func namesContentLength(_ line: Range<Int>, in bytes: UnsafeRawBufferPointer) -> Bool {
        guard let first = line.first, Octets.lowercase(bytes[first]) == 99 || Octets.lowercase(bytes[first]) == 108
        else { return false }
        let name = HeaderSyntax.trim(line.lowerBound..<HeaderSyntax.find(58, in: line, of: bytes), in: bytes)
        return HeaderSyntax.equals(bytes, name, "content-length") || HeaderSyntax.equals(bytes, name, "l")
    }
}
