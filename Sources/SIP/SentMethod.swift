/// Reads the method off a message that this node sends: cheaper than parsing it, and enough for counting. It takes no
/// memory of its own for methods that are known.
public enum SentMethod {
    /// The request's method, or for a response the one that its CSeq names (RFC 3261 §8.2.6.2); nil where there is none.
    public static func of(_ bytes: [UInt8]) -> Method? {
        bytes.withUnsafeBytes { bytes in
            if bytes.count > 4, bytes[3] != UInt8(ascii: "/") {
                // "INVITE sip:…"; no method has a slash, and "SIP/2.0" has it in its fourth place.
                return method(at: 0, of: bytes)
            }
            return sequenceName(in: bytes).flatMap { method(at: $0, of: bytes) }
        }
    }

    private static func method(at start: Int, of bytes: UnsafeRawBufferPointer) -> Method? {
        var end = start
        while end < bytes.count, OctetClass.token.contains(bytes[end]) { end += 1 }
        return end == start ? nil : Method(bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
    }

    /// Just behind the first "CSeq" that begins a line; a header name has any case (§7.3.1). Most bytes are skipped: the
    /// one that would be the name's last tells how far on the next place is where it may stand.
    private static func sequenceName(in bytes: UnsafeRawBufferPointer) -> Int? {
        var last = 4
        while last < bytes.count {
            switch bytes[last] | 0x20 {
            case UInt8(ascii: "q"):
                if bytes[last - 4] == 10, HeaderSyntax.equals(bytes, last - 3..<last + 1, "cseq") {
                    return methodStart(after: last + 1, of: bytes)
                }
                last += 5
            case UInt8(ascii: "e"): last += 1
            case UInt8(ascii: "s"): last += 2
            case UInt8(ascii: "c"): last += 3
            // Line feed.
            case 0x2A: last += 4
            default: last += 5
            }
        }
        return nil
    }

    /// Past the colon, the number and the white space around it.
    private static func methodStart(after name: Int, of bytes: UnsafeRawBufferPointer) -> Int? {
        var index = name
        while index < bytes.count, bytes[index] == 58 || bytes[index] &- 48 < 10 || HeaderSyntax.isSpace(bytes[index]) {
            index += 1
        }
        return index < bytes.count ? index : nil
    }
}
