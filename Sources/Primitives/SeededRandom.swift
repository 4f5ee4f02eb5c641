/// A small, fast generator whose whole sequence follows from its seed (SplitMix64). Not for secrets.
/// Cores draw from it so that a simulation replays; a real node seeds it from the system's generator.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// `count` random lower-case hexadecimal digits.
    public mutating func hex(_ count: Int) -> String {
        var text = ""
        text.reserveCapacity(count)
        var bits: UInt64 = 0
        for index in 0..<count {
            if index % 16 == 0 { bits = next() }
            let digit = UInt8(truncatingIfNeeded: bits & 15)
            text.unicodeScalars.append(Unicode.Scalar(digit < 10 ? 48 + digit : 87 + digit))
            bits >>= 4
        }
        return text
    }
}
