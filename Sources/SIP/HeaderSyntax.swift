import Primitives

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Finds the parts of a header field's value in the bytes: list elements, parameters, quoted strings (RFC 3261 §25.1).
/// All ranges are offsets into the message; white space around a part does not belong to it.
enum HeaderSyntax {
    static let comma: UInt8 = 44
    static let semicolon: UInt8 = 59

    /// Where the first of `stops` stands outside quotes and angle brackets; the range's end when there is none.
    static func find(_ stop: UInt8, in range: Range<Int>, of bytes: UnsafeRawBufferPointer) -> Int {
        // Most values have none at all, and memchr says so in a few nanoseconds.
        guard let base = bytes.baseAddress, memchr(base + range.lowerBound, Int32(stop), range.count) != nil else {
            return range.upperBound
        }
        var index = range.lowerBound
        var inQuotes = false
        var inBrackets = false
        while index < range.upperBound {
            let byte = bytes[index]
            if inQuotes {
                if byte == 92 { index += 1 } else if byte == 34 { inQuotes = false }
            } else if byte == 34, !inBrackets {
                inQuotes = true
            } else if byte == 60 {
                inBrackets = true
            } else if byte == 62 {
                inBrackets = false
            } else if byte == stop, !inBrackets {
                return index
            }
            index += 1
        }
        return range.upperBound
    }

    /// Whether `;name` and `;name=value` fill the value to its end. libosip2 takes a last semicolon or equals sign with
    /// nothing behind it, and quotes that never close: a parameter added behind one would mean something else.
    static func parametersAreSound(from start: Int, of value: Range<Int>, in bytes: UnsafeRawBufferPointer) -> Bool {
        let end = value.upperBound
        var index = start
        func skipSpaces() { while index < end, isSpace(bytes[index]) { index += 1 } }
        while index < end {
            guard bytes[index] == semicolon else { return false }
            index += 1
            skipSpaces()
            let name = index
            while index < end, OctetClass.token.contains(bytes[index]) { index += 1 }
            guard index > name else { return false }
            skipSpaces()
            guard index < end, bytes[index] == 61 else { continue }
            index += 1
            skipSpaces()
            let text = index
            if index < end, bytes[index] == 34 {
                index += 1
                while index < end, bytes[index] != 34 { index += bytes[index] == 92 ? 2 : 1 }
                guard index < end else { return false }
                index += 1
            } else {
                while index < end, isParameterText(bytes[index]) { index += 1 }
            }
            guard index > text else { return false }
            skipSpaces()
        }
        return true
    }

    /// Wider than a token: hosts with brackets, URIs and UTF-8 stand in real messages.
    private static func isParameterText(_ byte: UInt8) -> Bool {
        byte > 32 && byte != 34 && byte != semicolon && byte != comma && byte != 60 && byte != 62 && byte != 127
    }

    static func trim(_ range: Range<Int>, in bytes: UnsafeRawBufferPointer) -> Range<Int> {
        var lower = range.lowerBound
        var upper = range.upperBound
        while lower < upper, isSpace(bytes[lower]) { lower += 1 }
        while lower < upper, isSpace(bytes[upper - 1]) { upper -= 1 }
        return lower..<upper
    }

    /// Line ends only stand inside a value where it is folded.
    static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 13 || byte == 10 }

    /// Where the digits that a value begins with end.
    static func numberEnd(in range: Range<Int>, of bytes: UnsafeRawBufferPointer) -> Int {
        var index = range.lowerBound
        while index < range.upperBound, bytes[index] &- 48 < 10 { index += 1 }
        return index
    }

    /// The first value of a comma-separated list.
    static func firstElement(of list: Range<Int>, in bytes: UnsafeRawBufferPointer) -> Range<Int> {
        trim(list.lowerBound..<find(comma, in: list, of: bytes), in: bytes)
    }

    struct ParameterCursor {
        struct Part {
            /// From the semicolon to the end of the value.
            var whole: Range<Int>
            var name: Range<Int>
            /// Quotes included; nil for a flag.
            var value: Range<Int>?
        }

        let bytes: UnsafeRawBufferPointer
        var rest: Range<Int>

        mutating func next() -> Part? {
            guard !rest.isEmpty else { return nil }
            let start = rest.lowerBound
            let end = HeaderSyntax.find(semicolon, in: start + 1..<rest.upperBound, of: bytes)
            rest = end..<rest.upperBound
            let inner = start + 1..<end
            let equals = HeaderSyntax.find(61, in: inner, of: bytes)
            let name = HeaderSyntax.trim(inner.lowerBound..<equals, in: bytes)
            let value = equals < end ? HeaderSyntax.trim(equals + 1..<end, in: bytes) : nil
            return Part(whole: start..<(value ?? name).upperBound, name: name, value: value)
        }
    }

    /// The parameters that follow the first semicolon outside quotes and brackets.
    static func parameters(of element: Range<Int>, in bytes: UnsafeRawBufferPointer) -> ParameterCursor {
        ParameterCursor(bytes: bytes, rest: find(semicolon, in: element, of: bytes)..<element.upperBound)
    }

    /// Without case; `literal` in lower case.
    static func equals(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ literal: StaticString) -> Bool {
        guard range.count == literal.utf8CodeUnitCount else { return false }
        let expected = UnsafeRawBufferPointer(start: literal.utf8Start, count: range.count)
        for index in 0..<range.count where Octets.lowercase(bytes[range.lowerBound + index]) != expected[index] {
            return false
        }
        return true
    }
}

/// The values of one line, which commas separate (§7.3.1).
struct ListElements {
    private let bytes: UnsafeRawBufferPointer
    private var rest: Range<Int>?
    /// False when one of them was empty; nothing comes after that.
    private(set) var areSound = true

    init(of list: Range<Int>, in bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        rest = list
    }

    mutating func next() -> Range<Int>? {
        guard let list = rest else { return nil }
        let end = HeaderSyntax.find(HeaderSyntax.comma, in: list, of: bytes)
        let element = HeaderSyntax.trim(list.lowerBound..<end, in: bytes)
        rest = end < list.upperBound ? end + 1..<list.upperBound : nil
        guard !element.isEmpty else {
            areSound = false
            rest = nil
            return nil
        }
        return element
    }
}
