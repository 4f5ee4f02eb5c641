import Primitives
import SDP

extension MediaStream {
    /// Takes a datagram that came to the RTP port.
    /// - Parameter events: what it meant is appended here.
    public mutating func received(
        _ bytes: UnsafeRawBufferPointer, from source: Endpoint, now: MonotonicTime, events: inout [MediaEvent]
    ) {
        guard let packet = RTPPacket(bytes) else {
            counters.malformed &+= 1
            return
        }
        let header = packet.header
        guard header.ssrc != ssrc else {
            counters.foreignStream &+= 1
            return
        }
        let content = content(of: header.payloadType)
        if case .unknown = content {
            counters.unknownPayload &+= 1
            return
        }
        switch latch.admit(source, now: now) {
        case .refused:
            counters.foreignSource &+= 1
            return
        case .accepted: break
        case .latched(let endpoint): events.append(.latched(endpoint))
        }
        counters.packetsReceived &+= 1
        counters.octetsReceived &+= UInt32(truncatingIfNeeded: packet.payload.count)
        heard(now: now, events: &events)
        let payload = UnsafeRawBufferPointer(rebasing: bytes[packet.payload])
        switch content {
        case .events:
            // Senders that play recorded digits give them a source of their own; the receiver tells them apart.
            if header.ssrc == synchronisation.current { count(header, now: now, timing: false) }
            if receives { receiveEvent(header, payload, events: &events) }
        case .audio(let source):
            guard admit(header, now: now), receives else { return }
            receiveAudio(payload, codec: source, events: &events)
        case .comfortNoise: _ = admit(header, now: now)
        case .unknown: break
        }
    }

    private enum Content { case audio(Codec), events, comfortNoise, unknown }

    private func content(of payloadType: UInt8) -> Content {
        if payloadType == receiveEventPayloadType { return .events }
        if payloadType == receivePayloadType { return .audio(codec) }
        // After an offer of both, either may come at any time (RFC 3264 §6.1).
        switch payloadType {
        case 0: return .audio(.pcmu)
        case 8: return .audio(.pcma)
        case 13: return .comfortNoise
        default: return .unknown
        }
    }

    private mutating func admit(_ header: RTPHeader, now: MonotonicTime) -> Bool {
        switch synchronisation.admit(header.ssrc) {
        case .refused:
            counters.foreignStream &+= 1
            return false
        case .changed:
            statistics = ReceptionStatistics()
            reports.forgetSource()
        case .accepted: break
        }
        count(header, now: now, timing: true)
        return true
    }

    private mutating func count(_ header: RTPHeader, now: MonotonicTime, timing: Bool) {
        statistics.update(sequence: header.sequence, timestamp: header.timestamp, now: now, timing: timing)
    }

    private mutating func receiveEvent(
        _ header: RTPHeader, _ payload: UnsafeRawBufferPointer, events: inout [MediaEvent]
    ) {
        switch eventReceiver.receive(header, payload: payload) {
        case .digit(let digit): press(digit, events: &events)
        case .known: break
        case .outOfRange: counters.eventsOutOfRange &+= 1
        case .late: counters.eventsLate &+= 1
        case .malformed: counters.malformed &+= 1
        }
    }

    private mutating func receiveAudio(
        _ payload: UnsafeRawBufferPointer, codec source: Codec, events: inout [MediaEvent]
    ) {
        var found: (Digit?, Digit?)
        detector?.process(payload, codec: source) { digit in
            if found.0 == nil { found.0 = digit } else { found.1 = digit }
        }
        if let digit = found.0 { press(digit, events: &events) }
        if let digit = found.1 { press(digit, events: &events) }
        echoBuffer?.take(payload, from: source, to: codec, frame: frame)
    }

    private mutating func press(_ digit: Digit, events: inout [MediaEvent]) {
        counters.digits &+= 1
        if playback?.stopsOnDigit == true, let id = playback?.id {
            playback = nil
            events.append(.stoppedByDigit(id))
        }
        events.append(.digit(digit))
    }
}
