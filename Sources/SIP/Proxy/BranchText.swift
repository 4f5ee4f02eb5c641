/// How this proxy writes its branches: the magic cookie, 16 hexadecimal digits that are unique, and for forwarded
/// requests a dot and 16 digits of the loop mark (RFC 3261 §16.6 step 8).
enum BranchText {
    static func make(_ unique: UInt64, mark: UInt64?) -> String {
        // Written in place: a forwarded request needs one, and text built by pieces costs several allocations.
        String(unsafeUninitializedCapacity: 40) { buffer in
            var end = 0
            for byte in Via.magicCookie.utf8 {
                buffer[end] = byte
                end += 1
            }
            put(unique, into: buffer, at: &end)
            if let mark {
                buffer[end] = UInt8(ascii: ".")
                end += 1
                put(mark, into: buffer, at: &end)
            }
            return end
        }
    }

    /// The loop mark of a branch that was made here; nil for any other.
    static func mark(in branch: String) -> UInt64? {
        let bytes = branch.utf8
        guard bytes.count == 40, let dot = bytes.index(bytes.startIndex, offsetBy: 23, limitedBy: bytes.endIndex),
            bytes[dot] == UInt8(ascii: ".")
        else { return nil }
        return UInt64(branch[bytes.index(after: dot)...], radix: 16)
    }

    private static func put(_ value: UInt64, into buffer: UnsafeMutableBufferPointer<UInt8>, at end: inout Int) {
        for shift in stride(from: 60, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(shift)) & 15
            buffer[end] = digit < 10 ? 48 + digit : 87 + digit
            end += 1
        }
    }
}
