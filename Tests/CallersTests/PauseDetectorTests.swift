import Media
import Primitives
import SDP
import Testing

@testable import Callers

@Suite struct PauseDetectorTests {
    private func packet(_ codec: Codec, level: Double?) -> [UInt8] {
        guard let level else { return [UInt8](repeating: G711.silence(codec), count: 160) }
        return ToneGenerator.tone([(300, level), (1100, level)], milliseconds: 60)[160..<320].map {
            G711.encode($0, as: codec)
        }
    }

    @Test(arguments: [Codec.pcma, .pcmu])
    func speechIsLouderThanALineAtRest(codec: Codec) {
        packet(codec, level: -20).withUnsafeBytes { #expect(PauseDetector.isSound($0, codec: codec)) }
        packet(codec, level: nil).withUnsafeBytes { #expect(!PauseDetector.isSound($0, codec: codec)) }
        packet(codec, level: -60).withUnsafeBytes { #expect(!PauseDetector.isSound($0, codec: codec)) }
    }

    @Test(arguments: [Codec.pcma, .pcmu])
    func aPauseIs800MillisecondsAfterSpeech(codec: Codec) {
        var detector = PauseDetector(since: .zero)
        let (loud, quiet) = (packet(codec, level: -18), packet(codec, level: nil))
        func hear(_ bytes: [UInt8], at time: Double) -> Bool {
            bytes.withUnsafeBytes { detector.hear($0, codec: codec, at: .ms(time)) }
        }
        #expect(!hear(quiet, at: 20))
        #expect(!hear(loud, at: 1_000))
        // A breath inside a sentence.
        #expect(!hear(quiet, at: 1_700))
        #expect(!hear(loud, at: 1_720))
        #expect(!hear(quiet, at: 2_500))
        #expect(hear(quiet, at: 2_520))
    }

    @Test func whereNobodySpeaksTheWaitIsShort() {
        var detector = PauseDetector(since: .zero)
        let quiet = packet(.pcma, level: nil)
        #expect(!quiet.withUnsafeBytes { detector.hear($0, codec: .pcma, at: .ms(1_980)) })
        #expect(quiet.withUnsafeBytes { detector.hear($0, codec: .pcma, at: .ms(2_000)) })
    }
}
