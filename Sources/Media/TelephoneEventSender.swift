/// Sends digits as telephone-events, one packet a tick (RFC 4733 §2.5.1): the timestamp of the press on every packet, a
/// growing duration, the last packet three times.
public struct TelephoneEventSender: Sendable {
    /// What the RTP header of an event packet must say; the four bytes of payload are written apart.
    public struct Packet: Hashable, Sendable {
        public var timestamp: UInt32
        public var marker: Bool
    }

    public static let payloadByteCount = 4
    /// Digits that wait at most.
    public static let queueLimit = 64

    private enum Phase {
        case idle
        case pressed(start: UInt32, elapsed: Int)
        case ending(start: UInt32, packetsLeft: Int)
        case pause(left: Int)
    }

    private var queue: [Digit] = []
    private var position = 0
    private var press = 0
    private var pause = 0
    private var phase = Phase.idle

    public init() {}

    public var isIdle: Bool {
        if case .idle = phase { position == queue.count } else { false }
    }

    /// Adds digits; false and nothing added where more than `queueLimit` would wait.
    /// - Parameters:
    ///   - pressMs: how long a key is down, 20…8000 ms.
    ///   - pauseMs: between two keys, 20…8000 ms.
    public mutating func enqueue(_ digits: [Digit], pressMs: Int = 100, pauseMs: Int = 100) -> Bool {
        guard queue.count - position + digits.count <= Self.queueLimit else { return false }
        queue.removeSubrange(..<position)
        position = 0
        queue.append(contentsOf: digits)
        press = min(max(pressMs, 20), 8000) * 8
        pause = min(max(pauseMs, 20), 8000) * 8
        return true
    }

    /// The event packet of this tick; nil when audio goes out instead.
    /// - Parameters:
    ///   - timestamp: the stream's own at this tick.
    ///   - frame: samples a tick.
    public mutating func next(
        timestamp: UInt32, frame: Int, payload: UnsafeMutableRawBufferPointer
    ) -> Packet? {
        switch phase {
        case .pause(let left) where left > 0:
            phase = .pause(left: left - frame)
            return nil
        case .idle, .pause:
            guard position < queue.count else {
                phase = .idle
                return nil
            }
            return advance(start: timestamp, elapsed: frame, marker: true, payload: payload)
        case .pressed(let start, let elapsed):
            return advance(start: start, elapsed: elapsed + frame, marker: false, payload: payload)
        case .ending(let start, let packetsLeft):
            write(duration: press, isEnd: true, into: payload)
            finish(start: start, packetsLeft: packetsLeft - 1)
            return Packet(timestamp: start, marker: false)
        }
    }

    private mutating func advance(
        start: UInt32, elapsed: Int, marker: Bool, payload: UnsafeMutableRawBufferPointer
    ) -> Packet {
        if elapsed >= press {
            write(duration: press, isEnd: true, into: payload)
            finish(start: start, packetsLeft: 2)
        } else {
            write(duration: elapsed, isEnd: false, into: payload)
            phase = .pressed(start: start, elapsed: elapsed)
        }
        return Packet(timestamp: start, marker: marker)
    }

    private mutating func finish(start: UInt32, packetsLeft: Int) {
        if packetsLeft > 0 {
            phase = .ending(start: start, packetsLeft: packetsLeft)
        } else {
            position += 1
            phase = .pause(left: pause)
        }
    }

    /// Event, end bit and volume (−10 dBm0), duration in timestamp units (RFC 4733 §2.3).
    private func write(duration: Int, isEnd: Bool, into payload: UnsafeMutableRawBufferPointer) {
        payload[0] = queue[position].event
        payload[1] = (isEnd ? 0x80 : 0) | 10
        payload.put(UInt16(clamping: duration), at: 2)
    }
}
