import SIP

/// Reads the method off a message that this node wrote itself: cheaper than parsing it again, and enough for counting.
enum SentMethod {
    /// The request's method, or for a response the one that its CSeq names (RFC 3261 §8.2.6.2); nil where there is none.
    static func of(_ bytes: [UInt8]) -> Method? {
        bytes.withUnsafeBytes { bytes -> Method? in
            if bytes.count > 4, bytes[3] != UInt8(ascii: "/") {
                // "INVITE sip:…"; no method has a slash, and "SIP/2.0" has it in its fourth place.
                return bytes.firstIndex(of: UInt8(ascii: " ")).map { Method(token: text(bytes[..<$0])) }
            }
            guard let line = sequenceLine(bytes) else { return nil }
            let words = line.split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") })
            return words.last.map { Method(token: text($0)) }
        }
    }

    /// The line of CSeq without its end. A response has it as its request had it (RFC 3261 §7.3.1: in any case).
    private static func sequenceLine(_ bytes: UnsafeRawBufferPointer) -> Slice<UnsafeRawBufferPointer>? {
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\r")) ?? bytes.count
            // An empty line ends the head.
            if end == start { return nil }
            if end - start > 5, bytes[start..<(start + 4)].elementsEqual("cseq".utf8, by: { $0 | 0x20 == $1 }) {
                return bytes[start..<end]
            }
            start = end + 2
        }
        return nil
    }

    private static func text(_ bytes: Slice<UnsafeRawBufferPointer>) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}
