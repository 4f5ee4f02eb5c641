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
    let lines: [HeaderLine]
    /// Where the body starts: after the empty line.
    let end: Int
    /// A value needs care before C sees it: it is folded, or has tabs or a quoted NUL.
    let needsCleaning: Bool

    init(of bytes: UnsafeRawBufferPointer) throws(Problem) {
        let start = try HeadIndex.lineEnd(in: bytes, from: 0)
        guard start.content > 0 else { throw .badStartLine }
        startLine = 0..<start.content
        var position = start.next
        var lines: [HeaderLine] = []
        lines.reserveCapacity(20)
        var isFolded = false
        let table = HeaderNameTable.shared
        while true {
            var line = try HeadIndex.lineEnd(in: bytes, from: position)
            if line.content == position { break }
            // §7.3.1: a line that starts with white space goes on with the field before it.
            while line.next < bytes.count, bytes[line.next] == 32 || bytes[line.next] == 9 {
                line = try HeadIndex.lineEnd(in: bytes, from: line.next)
                isFolded = true
            }
            guard lines.count < HeadIndex.fieldLimit else { throw .tooManyFields }
            guard let found = HeadIndex.line(in: bytes, from: position, to: line, table: table) else {
                // A line that a bare CR spoils is no line at all.
                throw HeadText(of: bytes, upTo: line.next).hasBareLineEnd ? .badByte : .badField
            }
            lines.append(found)
            position = line.next
        }
        end = position + 2
        self.lines = lines
        let text = HeadText(of: bytes, upTo: end)
        guard !text.hasBareLineEnd else { throw .badByte }
        if !text.isPlain { try HeadIndex.checkSlowly(UnsafeRawBufferPointer(rebasing: bytes[0..<end])) }
        needsCleaning = isFolded || !text.isPlain
    }

    private struct LineEnd {
        /// Where its CRLF stands.
        var content: Int
        /// Where the next one starts.
        var next: Int
    }

    /// A CR elsewhere in the line is found when the whole head is looked at.
    @inline(__always)
    private static func lineEnd(in bytes: UnsafeRawBufferPointer, from start: Int) throws(Problem) -> LineEnd {
        guard let base = bytes.baseAddress, start < bytes.count,
            let found = memchr(base + start, 10, bytes.count - start)
        else { throw .unfinished }
        let index = UnsafeRawPointer(found) - base
        guard index > start, bytes[index - 1] == 13 else { throw .badByte }
        return LineEnd(content: index - 1, next: index + 1)
    }

    @inline(__always)
    private static func line(
        in bytes: UnsafeRawBufferPointer, from start: Int, to end: LineEnd, table: HeaderNameTable
    ) -> HeaderLine? {
        var colon = start
        while colon < end.content, bytes[colon] != 58 { colon += 1 }
        var nameEnd = colon
        while nameEnd > start, bytes[nameEnd - 1] == 32 || bytes[nameEnd - 1] == 9 { nameEnd -= 1 }
        guard nameEnd > start, colon < end.content else { return nil }
        let kind = table.kind(of: start..<nameEnd, in: bytes)
        guard kind != .other || bytes[start..<nameEnd].allSatisfy(OctetClass.token.contains) else { return nil }
        let value = HeaderSyntax.trim(colon + 1..<end.content, in: bytes)
        return HeaderLine(kind, line: start..<end.next, nameLength: nameEnd - start, value: value)
    }

    private static func checkSlowly(_ head: UnsafeRawBufferPointer) throws(Problem) {
        var previous: UInt8 = 0
        for byte in head {
            if byte == 0, previous != 92 { throw .badByte }
            previous = byte
        }
        guard String(validating: head, as: UTF8.self) != nil else { throw .badByte }
    }
}

/// What kinds of bytes a head has. Two plain loops, which the compiler turns into comparisons of sixteen bytes at a time.
private struct HeadText {
    /// A CR without its LF, or an LF without its CR: a line end to some receivers and text to others.
    let hasBareLineEnd: Bool
    /// ASCII without NUL and tabs.
    let isPlain: Bool

    init(of bytes: UnsafeRawBufferPointer, upTo end: Int) {
        let head = UnsafeRawBufferPointer(rebasing: bytes[0..<end])
        let afterFirst = UnsafeRawBufferPointer(rebasing: bytes[1..<end])
        var unpaired: UInt8 = 0
        for index in 0..<afterFirst.count {
            unpaired |= (head[index] == 13 ? 1 : 0) ^ (afterFirst[index] == 10 ? 1 : 0)
        }
        var unusual: UInt8 = 0
        for byte in head { unusual |= (byte < 10 ? 1 : 0) | byte >> 7 }
        hasBareLineEnd = unpaired != 0 || head.last == 13
        isPlain = unusual == 0
    }
}
