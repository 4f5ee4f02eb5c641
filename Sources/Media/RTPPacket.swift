/// The fixed header of an RTP packet (RFC 3550 §5.1), as we send it: version 2, no padding, extension or CSRC.
public struct RTPHeader: Hashable, Sendable {
    public static let byteCount = 12

    public var marker: Bool
    public var payloadType: UInt8
    public var sequence: UInt16
    public var timestamp: UInt32
    public var ssrc: UInt32

    public init(marker: Bool = false, payloadType: UInt8, sequence: UInt16, timestamp: UInt32, ssrc: UInt32) {
        self.marker = marker
        self.payloadType = payloadType
        self.sequence = sequence
        self.timestamp = timestamp
        self.ssrc = ssrc
    }

    /// Writes the 12 bytes at the start of `buffer`, which must have room for them.
    public func write(into buffer: UnsafeMutableRawBufferPointer) {
        precondition(buffer.count >= Self.byteCount, "no room for an RTP header")
        buffer[0] = 0x80
        buffer[1] = (marker ? 0x80 : 0) | (payloadType & 0x7F)
        buffer.put(sequence, at: 2)
        buffer.put(timestamp, at: 4)
        buffer.put(ssrc, at: 8)
    }
}

/// A received RTP packet: its header and where in the datagram its payload lies.
public struct RTPPacket: Hashable, Sendable {
    public var header: RTPHeader
    public var payload: Range<Int>

    /// Nil unless the bytes are version 2 and CSRCs, extension and padding lie inside them (RFC 3550 §A.1).
    /// RTCP that came to the RTP port is no RTP either (RFC 5761 §4).
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= RTPHeader.byteCount, bytes[0] >> 6 == 2, !(192...223).contains(bytes[1]) else {
            return nil
        }
        var start = RTPHeader.byteCount + 4 * Int(bytes[0] & 0x0F)
        if bytes[0] & 0x10 != 0 {
            guard start + 4 <= bytes.count else { return nil }
            start += 4 + 4 * Int(bytes.uint16(at: start + 2))
        }
        var end = bytes.count
        if bytes[0] & 0x20 != 0 {
            let padding = Int(bytes[end - 1])
            guard padding > 0, padding <= end else { return nil }
            end -= padding
        }
        guard start <= end else { return nil }
        header = RTPHeader(
            marker: bytes[1] & 0x80 != 0, payloadType: bytes[1] & 0x7F, sequence: bytes.uint16(at: 2),
            timestamp: bytes.uint32(at: 4), ssrc: bytes.uint32(at: 8))
        payload = start..<end
    }
}
