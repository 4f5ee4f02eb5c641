#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where the lines of a message's head stand: one pass over the bytes, which checks what RFC 3261 §7 says of lines and
/// nothing of what the values mean.
struct HeadIndex {
    enum Problem: Error {
        /// Bytes that no line may hold: a bare CR or LF, NUL outside a quoted pair, or invalid UTF-8.
        case badByte
        case badStartLine
        /// A line that is no `name: value`.
        case badField
        /// The empty line that ends the head never comes.
        case unfinished
        case tooManyFields
    }

    /// Fields of all kinds together.
    static let fieldLimit = 256

    /// Without its CRLF.
    let startLine: Range<Int>
    let fields: [Message.Field]
    /// Where the body starts: after the empty line.
    let end: Int
    /// A value needs care before C sees it: it is folded, or has tabs or a quoted NUL.
    let needsCleaning: Bool

    init(of bytes: UnsafeRawBufferPointer) throws(Problem) {
        var position = 0
        let start = try HeadIndex.lineEnd(in: bytes, from: 0)
        guard start.content > 0 else { throw .badStartLine }
        startLine = 0..<start.content
        position = start.next
        var fields: [Message.Field] = []
        fields.reserveCapacity(20)
        var needsCleaning = false
        let table = HeaderNameTable.shared
        while true {
            var line = try HeadIndex.lineEnd(in: bytes, from: position)
            if line.content == position { break }
            // §7.3.1: a line that starts with white space goes on with the field before it.
            while line.next < bytes.count, bytes[line.next] == 32 || bytes[line.next] == 9 {
                line = try HeadIndex.lineEnd(in: bytes, from: line.next)
                needsCleaning = true
            }
            guard fields.count < HeadIndex.fieldLimit else { throw .tooManyFields }
            fields.append(try HeadIndex.field(in: bytes, from: position, to: line, table: table))
            position = line.next
        }
        end = position + 2
        self.fields = fields
        let content = try HeadIndex.checkText(UnsafeRawBufferPointer(rebasing: bytes[0..<end]))
        self.needsCleaning = needsCleaning || content == .hasControls
    }

    private struct Line {
        /// Where its CRLF stands.
        var content: Int
        /// Where the next one starts.
        var next: Int
    }

    private static func lineEnd(in bytes: UnsafeRawBufferPointer, from start: Int) throws(Problem) -> Line {
        guard let base = bytes.baseAddress, start < bytes.count,
            let found = memchr(base + start, 10, bytes.count - start)
        else { throw .unfinished }
        let index = UnsafeRawPointer(found) - base
        // A bare CR or LF would be a line end to some receivers and text to others.
        guard index > start, bytes[index - 1] == 13, memchr(base + start, 13, index - 1 - start) == nil else {
            throw .badByte
        }
        return Line(content: index - 1, next: index + 1)
    }

    private static func field(
        in bytes: UnsafeRawBufferPointer, from start: Int, to line: Line, table: HeaderNameTable
    ) throws(Problem) -> Message.Field {
        var index = start
        while index < line.content, OctetClass.token.contains(bytes[index]) { index += 1 }
        let nameEnd = index
        while index < line.content, bytes[index] == 32 || bytes[index] == 9 { index += 1 }
        guard nameEnd > start, index < line.content, bytes[index] == 58 else { throw .badField }
        let name = table.name(of: UnsafeRawBufferPointer(rebasing: bytes[start..<nameEnd]))
        let value = HeaderSyntax.trim(index + 1..<line.content, in: bytes)
        return Message.Field(name: name, line: start..<line.next, value: value)
    }

    private enum Content { case plain, hasControls }

    /// ASCII without NUL and tabs is passed in steps of eight bytes; anything else is looked at byte by byte.
    private static func checkText(_ head: UnsafeRawBufferPointer) throws(Problem) -> Content {
        var index = 0
        var suspicious = false
        while index + 8 <= head.count {
            let word = head.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            if word & 0x8080_8080_8080_8080 != 0 || hasByteBelow10(word) {
                suspicious = true
                break
            }
            index += 8
        }
        while !suspicious, index < head.count {
            if head[index] >= 128 || head[index] < 10 { suspicious = true }
            index += 1
        }
        return suspicious ? try checkSlowly(head) : .plain
    }

    private static func hasByteBelow10(_ word: UInt64) -> Bool {
        (word &- 0x0A0A_0A0A_0A0A_0A0A) & ~word & 0x8080_8080_8080_8080 != 0
    }

    private static func checkSlowly(_ head: UnsafeRawBufferPointer) throws(Problem) -> Content {
        var previous: UInt8 = 0
        for byte in head {
            if byte == 0, previous != 92 { throw .badByte }
            previous = byte
        }
        guard String(validating: head, as: UTF8.self) != nil else { throw .badByte }
        return .hasControls
    }
}
