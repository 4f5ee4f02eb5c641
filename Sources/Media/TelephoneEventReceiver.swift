/// Turns telephone-event packets into digits (RFC 4733 §2.5.2). An event is known by its timestamp, so a lost marker,
/// lost first packets, tripled last packets or packets out of order still give one digit, at the first packet seen.
public struct TelephoneEventReceiver: Sendable {
    public enum Outcome: Hashable, Sendable {
        /// A key went down.
        case digit(Digit)
        /// More of an event that was reported.
        case known
        /// No key: an event above 15 (flash, modem tones …).
        case outOfRange
        /// Of an event before the last one.
        case late
        /// Shorter than an event, or two events at one timestamp.
        case malformed
    }

    private struct Event {
        var ssrc: UInt32
        var timestamp: UInt32
        var code: UInt8
        var ended: Bool
    }

    /// Older packets than this are a sender that set its clock back, not a late packet: 5 s.
    private static let lateWindow: Int32 = 40_000
    /// RFC 4733 §2.5.1.3: a press too long for the duration field goes on as a new segment at this distance.
    private static let segment: UInt32 = 0xFFFF

    private var last: Event?

    public init() {}

    public mutating func receive(_ header: RTPHeader, payload: UnsafeRawBufferPointer) -> Outcome {
        guard payload.count >= 4 else { return .malformed }
        guard let digit = Digit(event: payload[0]) else { return .outOfRange }
        let isEnd = payload[1] & 0x80 != 0
        let next = Event(ssrc: header.ssrc, timestamp: header.timestamp, code: digit.event, ended: isEnd)
        guard let previous = last, previous.ssrc == header.ssrc else {
            last = next
            return .digit(digit)
        }
        let step = Int32(bitPattern: header.timestamp &- previous.timestamp)
        if step == 0 {
            guard previous.code == digit.event else { return .malformed }
            last?.ended = previous.ended || isEnd
            return .known
        }
        if step < 0, step > -Self.lateWindow { return .late }
        last = next
        let goesOn =
            UInt32(bitPattern: step) == Self.segment && previous.code == digit.event && !previous.ended
            && !header.marker
        return goesOn ? .known : .digit(digit)
    }
}
