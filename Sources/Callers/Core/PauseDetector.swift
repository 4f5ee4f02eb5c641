import Primitives
import SDP

/// Hears when somebody who speaks has paused, from the loudness of G.711 packets.
struct PauseDetector: Equatable, Sendable {
    /// Quiet for so long after speech is a pause; sentences have shorter ones inside.
    static let quietTime = Duration.milliseconds(800)
    /// Where nobody says anything for so long there is nothing to wait for.
    static let speechlessTime = Duration.seconds(2)
    /// Louder samples, in the code's own logarithmic steps (about −42 dBFS), are sound.
    private static let loudCode: UInt8 = 0x28
    /// So many of the looked-at samples make a packet sound.
    private static let loudSamples = 4

    private let since: MonotonicTime
    private var lastSound: MonotonicTime?

    init(since: MonotonicTime) { self.since = since }

    /// Takes a packet; true when the pause is there.
    mutating func hear(_ payload: UnsafeRawBufferPointer, codec: Codec, at time: MonotonicTime) -> Bool {
        if Self.isSound(payload, codec: codec) { lastSound = time }
        if let lastSound { return time - lastSound >= Self.quietTime }
        return time - since >= Self.speechlessTime
    }

    /// Every fourth sample is enough to tell speech from silence.
    static func isSound(_ payload: UnsafeRawBufferPointer, codec: Codec) -> Bool {
        // Both laws keep the magnitude in seven bits that grow with it, once their inversions are undone.
        let inversion: UInt8 = codec == .pcma ? 0x55 : 0xFF
        var loud = 0
        for index in stride(from: 0, to: payload.count, by: 4) where (payload[index] ^ inversion) & 0x7F >= loudCode {
            loud += 1
        }
        return loud >= loudSamples
    }
}
