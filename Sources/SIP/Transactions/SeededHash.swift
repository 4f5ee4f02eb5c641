/// A fast 64-bit hash of strings under a secret seed, for tables whose keys come from outside. A finder still compares
/// the keys themselves, so that a collision costs time and never mixes two transactions up.
struct SeededHash {
    private(set) var value: UInt64

    init(seed: UInt64) { value = seed }

    mutating func combine(_ word: UInt64) {
        let product = (value ^ word).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        value = product.high ^ product.low
    }

    mutating func combine(_ text: String) {
        var text = text
        text.withUTF8 { combine(UnsafeRawBufferPointer($0)) }
    }

    mutating func combine(_ bytes: UnsafeRawBufferPointer) {
        var offset = 0
        while offset + 8 <= bytes.count {
            combine(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var tail = UInt64(truncatingIfNeeded: bytes.count) << 56
        for index in offset..<bytes.count { tail = tail ^ (UInt64(bytes[index]) << UInt64(8 * (index - offset))) }
        combine(tail)
    }
}
