#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Music for callers who wait: eight soft chords under a slow broken melody, in the telephone's band, the same samples
/// every time. Every note is laid into the loop modulo its length, so its end rings on over the start and nothing
/// clicks where it repeats.
public enum HoldMusic {
    public static let seconds = 16
    private static let chordSeconds = 2.0
    private static let rate = 8000.0

    // MIDI note numbers: C, Am, F, G, then Em, Am, Dm, G, each with its seventh or ninth.
    private static let chords: [[Int]] = [
        [60, 64, 67, 71], [57, 60, 64, 67], [53, 60, 64, 69], [55, 59, 62, 69],
        [52, 59, 62, 67], [57, 60, 64, 71], [50, 57, 60, 65], [55, 59, 65, 69],
    ]

    /// 16 s at 8 kHz, to be played round and round.
    public static func synthesize() -> [Int16] {
        var loop = [Float](repeating: 0, count: seconds * Int(rate))
        for (index, chord) in chords.enumerated() {
            let start = Double(index) * chordSeconds
            for note in chord { addPad(note, at: start, to: &loop) }
            // One octave up, a note each half second, last the third of the chord.
            for (step, voice) in [0, 2, 3, 1].enumerated() {
                addBell(chord[voice] + 12, at: start + Double(step) * 0.5, to: &loop)
            }
        }
        let peak = loop.reduce(Float(1e-6)) { max($0, abs($1)) }
        let scale = 32767 * 0.4 / peak
        return loop.map { Int16(($0 * scale).rounded()) }
    }

    private static func frequency(_ note: Int) -> Double { 440 * pow(2, Double(note - 69) / 12) }

    /// A tone that swells and fades, with its second and third partial and a slow tremble.
    private static func addPad(_ note: Int, at start: Double, to loop: inout [Float]) {
        add(at: start, seconds: chordSeconds + 0.9, to: &loop) { time in
            let rise = min(time / 0.45, 1)
            let fall = min((chordSeconds + 0.9 - time) / 0.9, 1)
            let envelope = rise * rise * (3 - 2 * rise) * fall * fall * (3 - 2 * fall)
            let phase = 2 * .pi * frequency(note) * time
            let tremble = 1 + 0.06 * sin(2 * .pi * 4.5 * time)
            return 0.16 * envelope * tremble * (sin(phase) + 0.35 * sin(2 * phase) + 0.12 * sin(3 * phase))
        }
    }

    /// A struck tone that dies away.
    private static func addBell(_ note: Int, at start: Double, to loop: inout [Float]) {
        add(at: start, seconds: 1.4, to: &loop) { time in
            let envelope = min(time / 0.008, 1) * exp(-3.2 * time) * min((1.4 - time) / 0.2, 1)
            let phase = 2 * .pi * frequency(note) * time
            return 0.22 * envelope * (sin(phase) + 0.25 * sin(2 * phase) * exp(-4 * time))
        }
    }

    private static func add(
        at start: Double, seconds: Double, to loop: inout [Float], _ wave: (Double) -> Double
    ) {
        let first = Int(start * rate)
        for index in 0..<Int(seconds * rate) {
            loop[(first + index) % loop.count] += Float(wave(Double(index) / rate))
        }
    }
}
