import Media
import Primitives
import SDP

extension MonotonicTime {
    static func milliseconds(_ value: Int) -> MonotonicTime { MonotonicTime(nanoseconds: Int64(value) * 1_000_000) }
}

let caller = Endpoint(.v4(0xC000_0201), port: 6000)
let stranger = Endpoint(.v4(0xC000_02FF), port: 6000)

func agreement(
    _ codec: Codec = .pcma, events: UInt8? = 101, ptime: Int = 20, direction: MediaDirection = .sendrecv,
    remote: Endpoint = caller
) -> MediaAgreement {
    MediaAgreement(
        remoteRTP: remote, codec: codec, telephoneEventPayloadType: events, ptimeMs: ptime, direction: direction)
}

/// The bytes of an RTP packet.
func rtp(
    _ payload: [UInt8], type: UInt8 = 8, sequence: UInt16 = 1, timestamp: UInt32 = 0, ssrc: UInt32 = 7,
    marker: Bool = false
) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: RTPHeader.byteCount)
    let header = RTPHeader(marker: marker, payloadType: type, sequence: sequence, timestamp: timestamp, ssrc: ssrc)
    bytes.withUnsafeMutableBytes { header.write(into: $0) }
    return bytes + payload
}

func eventPayload(_ event: UInt8, end: Bool = false, duration: UInt16 = 160) -> [UInt8] {
    [event, (end ? 0x80 : 0) | 10, UInt8(duration >> 8), UInt8(duration & 255)]
}

/// A stream with its library, its clock and what it told.
struct Rig {
    static let library = ClipLibrary([
        (ClipName(language: "en", "short"), (0..<1000).map { Int16($0 * 8 + 100) }),
        (ClipName(language: "en", "other"), (0..<400).map { Int16(-$0 * 16 - 100) }),
        (ClipName("music"), (0..<3333).map { Int16($0) }),
        (ClipName("nothing"), []),
    ])
    static func clip(_ language: String, _ name: String) -> ClipID {
        library.id(ClipName(language: language, name)) ?? ClipID(rawValue: .max)
    }

    var stream: MediaStream
    var now = MonotonicTime.milliseconds(1000)
    var events: [MediaEvent] = []

    init(
        _ agreed: MediaAgreement? = agreement(), options: MediaStream.Options = MediaStream.Options(),
        library: ClipLibrary = Rig.library
    ) {
        var random = SeededRandom(seed: 3)
        stream = MediaStream(options: options, audio: library.audio, random: &random, now: now)
        if let agreed { stream.apply(agreed, now: now) }
    }

    struct Sent: Equatable {
        var header: RTPHeader
        var payload: [UInt8]
    }

    /// One tick; nil where nothing was sent.
    mutating func tick() -> Sent? {
        var buffer = [UInt8](repeating: 0xAA, count: MediaStream.maximumPacketBytes)
        let length = buffer.withUnsafeMutableBytes { stream.nextPacket(into: $0, now: now, events: &events) }
        now = now + .milliseconds(stream.ptimeMs)
        guard length > 0 else { return nil }
        return buffer.withUnsafeBytes { bytes in
            let whole = UnsafeRawBufferPointer(rebasing: bytes[..<length])
            return RTPPacket(whole).map { Sent(header: $0.header, payload: Array(whole[$0.payload])) }
        }
    }

    mutating func ticks(_ count: Int) -> [Sent] { (0..<count).compactMap { _ in tick() } }

    mutating func receive(_ bytes: [UInt8], from source: Endpoint = caller) {
        bytes.withUnsafeBytes { stream.received($0, from: source, now: now, events: &events) }
    }

    var digits: String {
        String(events.compactMap { if case .digit(let digit) = $0 { digit.character } else { nil } })
    }
}
