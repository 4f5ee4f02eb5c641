#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Makes tones at 8 kHz: digits for test phones, beeps for clips.
public enum ToneGenerator {
    /// A sum of sine waves, faded in and out over 2 ms so that it does not click.
    /// - Parameters:
    ///   - components: frequency in hertz and peak level in dBFS of each.
    ///   - milliseconds: its length, at most a minute.
    public static func tone(_ components: [(frequency: Double, level: Double)], milliseconds: Int) -> [Int16] {
        let count = min(max(milliseconds, 0), 60_000) * 8
        let amplitudes = components.map { 32767 * pow(10, $0.level / 20) }
        return (0..<count).map { index in
            var sum = 0.0
            for (component, amplitude) in zip(components, amplitudes) {
                sum += amplitude * sin(2 * .pi * component.frequency * Double(index) / 8000)
            }
            let edge = Double(min(index, count - 1 - index)) / 16
            return Int16(max(-32767, min(32767, (sum * min(edge, 1)).rounded())))
        }
    }

    /// The tones of a key (ITU-T Q.23), the high one `twist` dB above the low one.
    public static func digit(_ digit: Digit, milliseconds: Int, level: Double = -12, twist: Double = 0) -> [Int16] {
        tone(
            [(digit.frequencies.low, level), (digit.frequencies.high, level + twist)], milliseconds: milliseconds)
    }

    public static func silence(milliseconds: Int) -> [Int16] {
        [Int16](repeating: 0, count: min(max(milliseconds, 0), 600_000) * 8)
    }
}
