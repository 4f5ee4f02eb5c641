import Media
import Primitives
import SDP
import Testing

/// ITU-T Q.24: what must be heard as a key, and what must not.
@Suite struct InBandDigitTests {
    static let keys = "0123456789*#ABCD".compactMap { Digit($0) }

    static func hear(_ samples: [Int16], codec: Codec = .pcma, frame: Int = 160) -> String {
        var detector = InBandDigitDetector()
        var heard = ""
        let bytes = samples.map { G711.encode($0, as: codec) }
        for start in stride(from: 0, to: bytes.count, by: frame) {
            bytes[start..<min(start + frame, bytes.count)].withUnsafeBytes {
                detector.process($0, codec: codec) { heard.append($0.character) }
            }
        }
        return heard
    }

    static func noise(_ count: Int, amplitude: Double, seed: UInt64) -> [Int16] {
        var random = SeededRandom(seed: seed)
        return (0..<count).map { _ in
            // Four uniforms make it near enough to normal.
            let sum = (0..<4).reduce(0.0) { total, _ in total + Double.random(in: -1...1, using: &random) }
            return Int16(clamping: Int(sum * amplitude * 0.866))
        }
    }

    static func mixed(_ left: [Int16], _ right: [Int16]) -> [Int16] {
        zip(left, right).map { Int16(clamping: Int($0) + Int($1)) }
    }

    /// All keys, of one length and pause each, after an odd lead so that blocks never line up.
    static func dialled(
        toneMs: Int, pauseMs: Int, lead: Int = 37, level: Double = -12, twist: Double = 0, detune: Double = 1
    ) -> [Int16] {
        var samples = [Int16](repeating: 0, count: lead)
        for key in keys {
            let (low, high) = key.frequencies
            samples += ToneGenerator.tone(
                [(low * detune, level), (high * detune, level + twist)], milliseconds: toneMs)
            samples += ToneGenerator.silence(milliseconds: pauseMs)
        }
        return samples
    }

    @Test(arguments: Codec.allCases, [80, 160, 240, 480]) func everyKeyIsHeardInEveryFraming(codec: Codec, frame: Int) {
        #expect(Self.hear(Self.dialled(toneMs: 100, pauseMs: 100), codec: codec, frame: frame) == "0123456789*#ABCD")
    }

    @Test(arguments: [(-3.0, 0.0), (-30, 0), (-12, 3.5), (-12, -7.5), (-20, 2), (-20, -5)])
    func levelsAndTwistInTheRangeAreHeard(level: Double, twist: Double) {
        #expect(Self.hear(Self.dialled(toneMs: 60, pauseMs: 60, level: level, twist: twist)) == "0123456789*#ABCD")
    }

    @Test(arguments: [(-48.0, 0.0), (-12, 7), (-12, -12)]) func levelsAndTwistOutsideAreNot(
        level: Double, twist: Double
    ) {
        #expect(Self.hear(Self.dialled(toneMs: 60, pauseMs: 60, level: level, twist: twist)).isEmpty)
    }

    @Test func fortyMillisecondsSufficeAtEveryOffset() {
        for lead in stride(from: 0, to: 102, by: 7) {
            #expect(Self.hear(Self.dialled(toneMs: 42, pauseMs: 42, lead: lead)) == "0123456789*#ABCD", "lead \(lead)")
        }
    }

    @Test func twelveMillisecondsNeverDo() {
        for lead in stride(from: 0, to: 102, by: 7) {
            #expect(Self.hear(Self.dialled(toneMs: 12, pauseMs: 60, lead: lead)).isEmpty)
        }
    }

    @Test(arguments: [0.985, 0.99, 1.01, 1.015]) func frequenciesWithinOneAndAHalfPercentAreHeard(detune: Double) {
        #expect(Self.hear(Self.dialled(toneMs: 60, pauseMs: 60, detune: detune)) == "0123456789*#ABCD")
    }

    @Test(arguments: [0.96, 1.04]) func frequenciesFarOffAreNot(detune: Double) {
        #expect(Self.hear(Self.dialled(toneMs: 60, pauseMs: 60, detune: detune)).isEmpty)
    }

    @Test func aLongPressIsOneDigitAndADropoutDoesNotSplitIt() throws {
        let five = try #require(Digit("5"))
        var tone = ToneGenerator.digit(five, milliseconds: 3000)
        #expect(Self.hear(tone) == "5")
        for index in 8000..<8080 { tone[index] = 0 }
        #expect(Self.hear(tone) == "5")
    }

    @Test(arguments: 1...8) func digitsAreHeardInNoise(seed: Int) {
        let clean = Self.dialled(toneMs: 80, pauseMs: 80)
        // About 15 dB below the tones.
        let noisy = Self.mixed(clean, Self.noise(clean.count, amplitude: 1400, seed: UInt64(seed)))
        #expect(Self.hear(noisy) == "0123456789*#ABCD")
    }

    @Test func noiseAndSingleTonesAreNoDigits() {
        for (seed, amplitude) in [(1, 300.0), (2, 3000), (3, 12_000)] {
            #expect(Self.hear(Self.noise(8000 * 10, amplitude: amplitude, seed: UInt64(seed))).isEmpty)
        }
        for frequency in stride(from: 300.0, through: 3400, by: 47) {
            #expect(Self.hear(ToneGenerator.tone([(frequency, -10)], milliseconds: 200)).isEmpty, "\(frequency) Hz")
        }
    }

    /// Talk-off: voices have harmonics of one pitch, gliding.
    @Test func voiceLikeSoundsAreNoDigits() {
        var random = SeededRandom(seed: 11)
        var heard = ""
        for _ in 0..<100 {
            let pitch = Double.random(in: 90...330, using: &random)
            let formant = Double.random(in: 500...2000, using: &random)
            let harmonics = (1...12).map { number in
                let frequency = pitch * Double(number)
                return (frequency, -14 - abs(frequency - formant) / 100)
            }
            heard += Self.hear(ToneGenerator.tone(harmonics.filter { $0.0 < 3800 }, milliseconds: 150))
        }
        #expect(heard.isEmpty)
    }

    @Test func musicOnHoldIsNoDigit() { #expect(Self.hear(HoldMusic.synthesize()).isEmpty) }

    @Test func streamsListenOnlyWithoutTelephoneEvents() throws {
        let tone = ToneGenerator.digit(try #require(Digit("9")), milliseconds: 100).map(G711.alaw)
        for (events, expected) in [(UInt8?.none, "9"), (101, "")] {
            var rig = Rig(agreement(events: events))
            for index in 0..<5 {
                rig.receive(
                    rtp(
                        Array(tone[index * 160..<(index + 1) * 160]), sequence: UInt16(index),
                        timestamp: UInt32(index * 160)))
            }
            #expect(rig.digits == expected)
        }
    }
}
