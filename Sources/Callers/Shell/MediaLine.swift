import CDatagram
import Media
import NetworkIO
import Primitives
import SDP

/// The audio of one call: what it sends each tick, and what it heard.
struct MediaLine {
    let number: Int
    let socket: DatagramSocket
    /// Copied out of the socket, so that a tick touches no reference count.
    let descriptor: Int32
    var meter: ReceptionMeter
    /// Waits for a pause of the other side.
    var detector: PauseDetector?
    /// Ticks from one packet to the next.
    private(set) var step = 2
    /// Ticks until the socket is read.
    var readCountdown = 0

    private var agreement: MediaAgreement
    private var destination: cdg_address
    private var sends = false
    private var needsMarker = true
    private var sequence: UInt16
    private var timestamp: UInt32
    private let ssrc: UInt32
    private var keys = TelephoneEventSender()
    private(set) var isPressing = false

    init(
        number: Int, socket: DatagramSocket, agreement: MediaAgreement, at time: MonotonicTime,
        random: inout SeededRandom
    ) {
        self.number = number
        self.socket = socket
        descriptor = socket.descriptor
        meter = ReceptionMeter(begun: time)
        let bits = random.next()
        sequence = UInt16(truncatingIfNeeded: bits)
        timestamp = UInt32(truncatingIfNeeded: bits >> 16)
        ssrc = UInt32(truncatingIfNeeded: random.next())
        self.agreement = agreement
        destination = cdg_address(agreement.remoteRTP)
        apply(agreement, at: time)
    }

    /// Takes an agreement, the first or one of a re-INVITE.
    mutating func apply(_ agreement: MediaAgreement, at time: MonotonicTime) {
        self.agreement = agreement
        destination = cdg_address(agreement.remoteRTP)
        sends = agreement.direction.sends && agreement.remoteRTP.port != 0
        step = max(1, agreement.ptimeMs / 10)
        if agreement.direction.receives { meter.resume(at: time) } else { meter.hold(at: time) }
        needsMarker = true
    }

    /// False when more keys wait than may.
    mutating func press(_ digits: [Digit]) -> Bool {
        guard agreement.telephoneEventPayloadType != nil, keys.enqueue(digits) else { return false }
        isPressing = true
        return true
    }

    /// Sends the packet of this tick, a part of a steady tone or of a key. True when the last key is up.
    mutating func send(_ packet: UnsafeMutableRawBufferPointer, tones: Tones) -> Bool {
        guard sends else { return false }
        let frame = agreement.ptimeMs * Codec.sampleRate / 1000
        var ended = false
        if isPressing {
            let body = UnsafeMutableRawBufferPointer(rebasing: packet[RTPHeader.byteCount...])
            if let event = keys.next(timestamp: timestamp, frame: frame, payload: body) {
                let header = RTPHeader(
                    marker: event.marker, payloadType: agreement.telephoneEventPayloadType ?? 0, sequence: sequence,
                    timestamp: event.timestamp, ssrc: ssrc)
                header.write(into: packet)
                transmit(packet.baseAddress, RTPHeader.byteCount + TelephoneEventSender.payloadByteCount, nil, 0)
                advance(frame)
                needsMarker = true
                return false
            }
            if keys.isIdle {
                isPressing = false
                ended = true
            }
        }
        let header = RTPHeader(
            marker: needsMarker, payloadType: agreement.payloadType, sequence: sequence, timestamp: timestamp,
            ssrc: ssrc)
        header.write(into: packet)
        needsMarker = false
        transmit(packet.baseAddress, RTPHeader.byteCount, tones.frame(of: agreement.codec), frame)
        advance(frame)
        return ended
    }

    private mutating func advance(_ frame: Int) {
        sequence &+= 1
        timestamp &+= UInt32(truncatingIfNeeded: frame)
    }

    private mutating func transmit(
        _ head: UnsafeRawPointer?, _ headLength: Int, _ body: UnsafeRawPointer?, _ bodyLength: Int
    ) {
        // What the kernel does not take is lost like on any network; this instrument measures the other way.
        _ = cdg_send(
            descriptor, &destination, head, UInt32(truncatingIfNeeded: headLength), body,
            UInt32(truncatingIfNeeded: bodyLength))
    }

    /// Takes a datagram; true when the other side paused. What is no audio of the agreed kind was not heard.
    mutating func heard(_ bytes: UnsafeRawBufferPointer, at time: MonotonicTime) -> Bool {
        guard let packet = RTPPacket(bytes) else { return false }
        let type = packet.header.payloadType
        guard type == agreement.receivePayloadType || type == agreement.receiveTelephoneEventPayloadType else {
            return false
        }
        meter.heard(at: time, from: packet.header.ssrc)
        guard detector != nil, type == agreement.receivePayloadType else { return false }
        let payload = UnsafeRawBufferPointer(rebasing: bytes[packet.payload])
        guard detector?.hear(payload, codec: agreement.codec, at: time) == true else { return false }
        detector = nil
        return true
    }
}

/// What the phones say: a soft tone of 400 Hz, whose period divides every frame, so that one frame repeated is the
/// tone.
struct Tones {
    private static let longestFrame = 60 * 8
    private let alaw: UnsafeMutablePointer<UInt8>
    private let mulaw: UnsafeMutablePointer<UInt8>

    /// Freed by `release()`.
    init() {
        alaw = .allocate(capacity: Self.longestFrame)
        mulaw = .allocate(capacity: Self.longestFrame)
        // From the middle of a longer tone, whose ends are faded.
        let samples = ToneGenerator.tone([(400, -24)], milliseconds: 100).dropFirst(160)
        for (index, sample) in samples.prefix(Self.longestFrame).enumerated() {
            alaw[index] = G711.alaw(sample)
            mulaw[index] = G711.mulaw(sample)
        }
    }

    func frame(of codec: Codec) -> UnsafeRawPointer { UnsafeRawPointer(codec == .pcma ? alaw : mulaw) }

    func release() {
        alaw.deallocate()
        mulaw.deallocate()
    }
}
