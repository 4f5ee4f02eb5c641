#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A class of characters of RFC 3261 §25.1: one bit for each ASCII character. Constants, since they are asked for every
/// byte of a message.
struct OctetClass: Sendable {
    /// Characters 0–63 and 64–127.
    let low: UInt64
    let high: UInt64

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        // Without a branch: text goes to and fro between both halves, which no processor foresees.
        let half = byte & 64 == 0 ? low : high
        return half &>> UInt64(byte & 63) & UInt64(~byte >> 7) != 0
    }

    /// RFC 3261 token.
    static var token: OctetClass { OctetClass(low: 0x03FF_6CA2_0000_0000, high: 0x47FF_FFFF_87FF_FFFE) }
    /// user-unreserved and unreserved, and # which many phones send: what a user part shows unescaped.
    static var user: OctetClass { OctetClass(low: 0xABFF_FFDA_0000_0000, high: 0x47FF_FFFE_87FF_FFFE) }
    /// param-unreserved and unreserved: what a URI parameter shows unescaped.
    static var parameter: OctetClass { OctetClass(low: 0x07FF_EFD2_0000_0000, high: 0x47FF_FFFE_AFFF_FFFE) }
    /// What a header parameter shows without quotes: a token, or the characters of a host or address.
    static var plainValue: OctetClass { OctetClass(low: 0x07FF_6CA2_0000_0000, high: 0x47FF_FFFF_AFFF_FFFE) }
    /// Letters, digits, hyphen, dot, and the underscore of many real host names.
    static var host: OctetClass { OctetClass(low: 0x03FF_6000_0000_0000, high: 0x07FF_FFFE_87FF_FFFE) }
    static var hexDigit: OctetClass { OctetClass(low: 0x03FF_0000_0000_0000, high: 0x0000_007E_0000_007E) }
}

enum Octets {
    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 48 < 10 }

    @inline(__always)
    static func isLetter(_ byte: UInt8) -> Bool { (byte | 32) &- 97 < 26 }

    @inline(__always)
    static func lowercase(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte | 32 : byte }
}

extension String {
    /// Whether these bytes are its UTF-8.
    func isSpelled(_ bytes: UnsafeRawBufferPointer) -> Bool {
        utf8.withContiguousStorageIfAvailable { own in
            guard own.count == bytes.count, let left = own.baseAddress, let right = bytes.baseAddress else {
                return own.count == bytes.count
            }
            return memcmp(left, right, own.count) == 0
        } ?? utf8.elementsEqual(bytes)
    }

    /// As IPv6 addresses have.
    var hasColon: Bool {
        utf8.withContiguousStorageIfAvailable { bytes in
            bytes.baseAddress.map { memchr($0, 58, bytes.count) != nil } ?? false
        } ?? utf8.contains(58)
    }

    /// Compares as header and parameter names do: without case, ASCII only (RFC 3261 §7.3.1).
    func equalsIgnoringCase(_ other: String) -> Bool {
        utf8.count == other.utf8.count
            && utf8.elementsEqual(other.utf8) { Octets.lowercase($0) == Octets.lowercase($1) }
    }
}
