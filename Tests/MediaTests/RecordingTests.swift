import Foundation
import Media
import Primitives
import SDP
import Testing

@Suite struct RecordingTests {
    static func sine(_ frequency: Double, rate: Int, seconds: Double, amplitude: Double = 0.5) -> Recording {
        let count = Int(Double(rate) * seconds)
        return Recording(
            sampleRate: rate,
            samples: (0..<count).map { Float(amplitude * sin(2 * .pi * frequency * Double($0) / Double(rate))) })
    }

    static func rms(_ samples: some Collection<Float>) -> Float {
        (samples.reduce(0) { $0 + $1 * $1 } / Float(samples.count)).squareRoot()
    }

    @Test func whatIsWrittenReadsBack() throws {
        let samples: [Int16] = [0, 1, -1, 300, -32768, 32767]
        let bytes = WAVFile.write(samples)
        #expect(bytes.count == 44 + 12)
        let recording = try WAVFile.read(bytes)
        #expect(recording.sampleRate == 8000)
        #expect(recording.samples.map { Int(($0 * 32768).rounded()) } == samples.map(Int.init))
    }

    /// A file of one coding with one frame a channel.
    static func file(format: Int, bits: Int, channels: Int = 1, rate: Int = 8000, data: [UInt8], extra: [UInt8] = [])
        -> [UInt8]
    {
        func little(_ value: Int, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        let fmt = little(format, 2) + little(channels, 2) + little(rate, 4) + little(0, 6) + little(bits, 2) + extra
        var bytes = Array("RIFF".utf8) + little(0, 4)
        bytes += Array("WAVELIST".utf8) + little(3, 4) + [1, 2, 3, 0]
        bytes += Array("fmt ".utf8) + little(fmt.count, 4) + fmt
        bytes += Array("data".utf8) + little(data.count, 4) + data
        return bytes
    }

    struct Coding: Sendable {
        var format: Int
        var bits: Int
        var data: [UInt8]
        var value: Float
    }

    static let codings: [Coding] = [
        Coding(format: 1, bits: 8, data: [192], value: 0.5), Coding(format: 1, bits: 16, data: [0, 0x40], value: 0.5),
        Coding(format: 1, bits: 24, data: [0, 0, 0x40], value: 0.5),
        Coding(format: 1, bits: 32, data: [0, 0, 0, 0xC0], value: -0.5),
        Coding(format: 3, bits: 32, data: [0, 0, 0, 0x3F], value: 0.5),
        Coding(format: 3, bits: 32, data: [0, 0, 0xC0, 0x7F], value: 0),
        Coding(format: 6, bits: 8, data: [0xD5], value: 8.0 / 32768),
        Coding(format: 7, bits: 8, data: [0xFF], value: 0),
    ]

    @Test(arguments: codings) func codingsAreRead(coding: Coding) throws {
        let file = Self.file(format: coding.format, bits: coding.bits, data: coding.data)
        #expect(try WAVFile.read(file).samples == [coding.value])
    }

    @Test func channelsAreMixedAndTheExtensibleFormatIsRead() throws {
        let guid: [UInt8] = [22, 0, 16, 0, 3, 0, 0, 0, 1, 0] + [UInt8](repeating: 0, count: 14)
        let bytes = Self.file(format: 0xFFFE, bits: 16, channels: 2, data: [0, 0x40, 0, 0, 1], extra: guid)
        #expect(try WAVFile.read(bytes).samples == [0.25])
    }

    static let faults: [(bytes: [UInt8], error: WAVError)] = [
        ([], .notWAV), (Array("RIFF0000WAVE".utf8), .noFormat), (file(format: 1, bits: 16, data: []), .noData),
        (file(format: 85, bits: 0, data: [1]), .coding(format: 85, bits: 0)),
        (file(format: 1, bits: 16, channels: 0, data: [1, 2]), .channels(0)),
        (Array(file(format: 1, bits: 16, data: [1, 2, 3, 4]).dropLast(2)), .cutShort(said: 4, found: 2)),
        (file(format: 1, bits: 16, rate: 200_000, data: [1, 2]), .sampleRate(200_000)),
    ]

    @Test(arguments: faults) func faultsAreNamed(bytes: [UInt8], error: WAVError) {
        #expect(throws: error) { try WAVFile.read(bytes) }
        #expect(!error.description.isEmpty)
    }

    @Test func damagedFilesNeverTrap() {
        let whole = Self.file(format: 1, bits: 16, channels: 2, data: [UInt8](repeating: 7, count: 40))
        var random = SeededRandom(seed: 2)
        var read = 0
        for _ in 0..<3000 {
            var bytes = whole
            for _ in 0..<3 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if (try? WAVFile.read(Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random))))) != nil {
                read += 1
            }
        }
        // Most are cut short, which is said; of the others some can be read.
        #expect(read > 10)
    }

    @Test(arguments: [11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 6000])
    func resamplingKeepsSpeechAndItsPitch(rate: Int) {
        let result = Self.sine(1000, rate: rate, seconds: 0.5).resampled(to: 8000)
        #expect(abs(result.samples.count - 4000) <= 1)
        let expected = Self.sine(1000, rate: 8000, seconds: 0.5).samples
        let error = zip(result.samples, expected).dropFirst(100).dropLast(100).map { abs($0 - $1) }.max() ?? 1
        #expect(error < 0.01)
    }

    @Test func whatAnEightKilohertzStreamCannotCarryIsFilteredOut() {
        let result = Self.sine(6000, rate: 44_100, seconds: 0.5).resampled(to: 8000)
        #expect(Self.rms(result.samples.dropFirst(100).dropLast(100)) < 0.003)
    }

    @Test(arguments: [0.02, 0.1, 0.5, 0.9]) func speechIsBroughtToOneLevel(amplitude: Double) {
        let pause = [Float](repeating: 0, count: 8000)
        var recording = Self.sine(500, rate: 8000, seconds: 1, amplitude: amplitude)
        recording.samples += pause
        let levelled = recording.levelled(to: -20)
        #expect(abs(20 * log10(Self.rms(levelled.samples[..<8000])) + 20) < 0.2)
        #expect(levelled.samples[8000...].allSatisfy { $0 == 0 })
    }

    @Test func levellingNeverClipsNorRaisesNoise() {
        var peaky = Self.sine(500, rate: 8000, seconds: 1, amplitude: 0.01)
        peaky.samples[4000] = 0.9
        #expect((peaky.levelled().samples.map { abs($0) }.max() ?? 2) <= 0.892)
        let silence = Recording(sampleRate: 8000, samples: [Float](repeating: 0.00001, count: 800))
        #expect(silence.levelled() == silence)
    }

    @Test func silenceAtTheEndsIsTrimmed() {
        let quiet = [Float](repeating: 0, count: 4000)
        let spoken = Self.sine(500, rate: 8000, seconds: 0.25).samples
        let trimmed = Recording(sampleRate: 8000, samples: quiet + spoken + quiet).trimmed(keepMs: 10)
        #expect(abs(trimmed.samples.count - spoken.count - 160) < 20)
        #expect(Recording(sampleRate: 8000, samples: quiet).trimmed().samples == quiet)
    }

    @Test func clipsAreEncodedOnceAndFoundByName() throws {
        let library = ClipLibrary([
            (ClipName(language: "en", "a"), [100, -100]), (ClipName(language: "zh", "a"), [5]),
            (ClipName(language: "en", "a"), [7, 8, 9]),
        ])
        let english = try #require(library.id(ClipName(language: "en", "a")))
        #expect(english.rawValue == 2 && library.id(ClipName(language: "zh", "a"))?.rawValue == 1)
        #expect(library.id(ClipName("a")) == nil)
        #expect(Array(library.audio.bytes(english, as: .pcma)) == [7, 8, 9].map(G711.alaw))
        #expect(Array(library.audio.bytes(english, as: .pcmu)) == [7, 8, 9].map(G711.mulaw))
        #expect(library.audio.milliseconds(english) == 1)
        #expect(library.audio.bytes(ClipID(rawValue: 3), as: .pcma).isEmpty)
        #expect(Set(library.names).count == 2)
    }

    @Test func aSucceedingLibraryKeepsNumbersAndTheSoundOfWhatItLacks() throws {
        let (kept, changed, added) = (ClipName("kept"), ClipName("changed"), ClipName("added"))
        let first = ClipLibrary([(kept, [100]), (changed, [5])])
        let next = ClipLibrary([(added, [1, 2]), (changed, [7, 8])], succeeding: first)
        #expect([kept, changed, added].map { next.id($0)?.rawValue } == [0, 1, 2])
        func heard(_ name: ClipName, _ codec: Codec) throws -> [UInt8] {
            Array(next.audio.bytes(try #require(next.id(name)), as: codec))
        }
        #expect(try heard(kept, .pcma) == [G711.alaw(100)] && heard(kept, .pcmu) == [G711.mulaw(100)])
        #expect(try heard(changed, .pcma) == [7, 8].map(G711.alaw))
        #expect(try heard(added, .pcmu) == [1, 2].map(G711.mulaw))
    }

    @Test func holdMusicIsShortSteadyAndWithoutClicks() {
        let music = HoldMusic.synthesize()
        #expect(music.count == HoldMusic.seconds * 8000 && HoldMusic.seconds < 20)
        #expect(music == HoldMusic.synthesize())
        let steps = zip(music, music.dropFirst() + music.prefix(1)).map { abs(Int($0) - Int($1)) }
        // The step over the seam is like the steps elsewhere.
        #expect(steps[music.count - 1] <= (steps.dropLast().max() ?? 0))
        #expect((steps.max() ?? .max) < 6000)
        let levels = stride(from: 0, to: music.count, by: 8000).map { start in
            Self.rms(music[start..<start + 8000].map { Float($0) / 32768 })
        }
        #expect((levels.min() ?? 0) > 0.03 && (levels.max() ?? 1) < 0.25)
    }
}
