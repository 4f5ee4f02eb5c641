import Primitives

/// Wall-clock time as RTCP carries it: seconds since 1900 and 2⁻³² fractions (RFC 3550 §4).
public struct NTPTime: Hashable, Sendable {
    public var bits: UInt64

    public init(bits: UInt64) { self.bits = bits }

    /// From the time since 1970.
    public init(unixSeconds: Int64, nanoseconds: Int64) {
        let seconds = UInt64(bitPattern: unixSeconds &+ 2_208_988_800) & 0xFFFF_FFFF
        let fraction = (UInt64(min(max(nanoseconds, 0), 999_999_999)) << 32) / 1_000_000_000
        bits = seconds << 32 | fraction
    }

    /// The middle 32 bits, in units of 1/65536 s.
    public var middle: UInt32 { UInt32(truncatingIfNeeded: bits >> 16) }
}

/// What a receiver says about one source (RFC 3550 §6.4.1).
public struct ReportBlock: Hashable, Sendable {
    public static let byteCount = 24

    public var ssrc: UInt32
    public var fractionLost: UInt8
    /// 24 bits, signed.
    public var lost: Int32
    public var extendedHighest: UInt32
    public var jitter: UInt32
    /// The middle bits of the last sender report from the source, 0 if none.
    public var lastReport: UInt32
    /// Since then, in 1/65536 s.
    public var delay: UInt32

    public init(
        ssrc: UInt32, fractionLost: UInt8, lost: Int32, extendedHighest: UInt32, jitter: UInt32, lastReport: UInt32,
        delay: UInt32
    ) {
        self.ssrc = ssrc
        self.fractionLost = fractionLost
        self.lost = min(max(lost, -0x80_0000), 0x7F_FFFF)
        self.extendedHighest = extendedHighest
        self.jitter = jitter
        self.lastReport = lastReport
        self.delay = delay
    }

    func write(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) {
        buffer.put(ssrc, at: offset)
        buffer.put(UInt32(fractionLost) << 24 | UInt32(bitPattern: lost) & 0xFF_FFFF, at: offset + 4)
        buffer.put(extendedHighest, at: offset + 8)
        buffer.put(jitter, at: offset + 12)
        buffer.put(lastReport, at: offset + 16)
        buffer.put(delay, at: offset + 20)
    }

    init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        let loss = bytes.uint32(at: offset + 4)
        self.init(
            ssrc: bytes.uint32(at: offset), fractionLost: UInt8(loss >> 24),
            lost: Int32(bitPattern: loss << 8) >> 8, extendedHighest: bytes.uint32(at: offset + 8),
            jitter: bytes.uint32(at: offset + 12), lastReport: bytes.uint32(at: offset + 16),
            delay: bytes.uint32(at: offset + 20))
    }
}

/// A compound RTCP packet that we send: a sender report when we sent, else a receiver report, then CNAME, then BYE
/// when the stream ends (RFC 3550 §6.1).
public struct OutgoingReport: Hashable, Sendable {
    public struct Sender: Hashable, Sendable {
        public var time: NTPTime
        /// The RTP timestamp of that same instant.
        public var timestamp: UInt32
        public var packets: UInt32
        public var octets: UInt32

        public init(time: NTPTime, timestamp: UInt32, packets: UInt32, octets: UInt32) {
            self.time = time
            self.timestamp = timestamp
            self.packets = packets
            self.octets = octets
        }
    }

    public var ssrc: UInt32
    public var sender: Sender?
    public var block: ReportBlock?
    /// Random, for the life of the stream (RFC 7022 §4.2); written as 16 hexadecimal digits.
    public var canonicalName: UInt64
    public var isGoodbye: Bool

    public init(
        ssrc: UInt32, sender: Sender?, block: ReportBlock?, canonicalName: UInt64, isGoodbye: Bool = false
    ) {
        self.ssrc = ssrc
        self.sender = sender
        self.block = block
        self.canonicalName = canonicalName
        self.isGoodbye = isGoodbye
    }

    /// The longest there is.
    public static let maximumByteCount = 28 + ReportBlock.byteCount + 28 + 8

    /// Writes it at the start of `buffer` and returns its length; `buffer` must have `maximumByteCount`.
    public func write(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        precondition(buffer.count >= Self.maximumByteCount, "no room for an RTCP report")
        var end = 8
        if let sender {
            buffer.put(UInt32(truncatingIfNeeded: sender.time.bits >> 32), at: 8)
            buffer.put(UInt32(truncatingIfNeeded: sender.time.bits), at: 12)
            buffer.put(sender.timestamp, at: 16)
            buffer.put(sender.packets, at: 20)
            buffer.put(sender.octets, at: 24)
            end = 28
        }
        if let block {
            block.write(into: buffer, at: end)
            end += ReportBlock.byteCount
        }
        writeHeader(into: buffer, at: 0, count: block == nil ? 0 : 1, type: sender == nil ? 201 : 200, length: end)

        // One chunk: SSRC, CNAME item of 16 bytes, end of items, filled to a multiple of four.
        let chunk = end
        buffer[chunk + 8] = 1
        buffer[chunk + 9] = 16
        for index in 0..<16 {
            let nibble = UInt8(truncatingIfNeeded: canonicalName >> UInt64(60 - 4 * index)) & 15
            buffer[chunk + 10 + index] = nibble < 10 ? 48 + nibble : 87 + nibble
        }
        buffer[chunk + 26] = 0
        buffer[chunk + 27] = 0
        end = chunk + 28
        writeHeader(into: buffer, at: chunk, count: 1, type: 202, length: 28)

        if isGoodbye {
            writeHeader(into: buffer, at: end, count: 1, type: 203, length: 8)
            end += 8
        }
        return end
    }

    private func writeHeader(
        into buffer: UnsafeMutableRawBufferPointer, at offset: Int, count: UInt8, type: UInt8, length: Int
    ) {
        buffer[offset] = 0x80 | count
        buffer[offset + 1] = type
        buffer.put(UInt16(length / 4 - 1), at: offset + 2)
        buffer.put(ssrc, at: offset + 4)
    }
}

/// What we take from a received compound packet.
public struct IncomingReport: Hashable, Sendable {
    public var ssrc: UInt32
    /// When it is a sender report: the middle bits of its time.
    public var senderTime: UInt32?
    /// What the other side says about our stream.
    public var block: ReportBlock?
    public var isGoodbye = false

    /// Nil unless every packet in it is version 2 and as long as it says, the first a report (RFC 3550 §A.2).
    /// - Parameter ours: the SSRC whose report block is wanted.
    public init?(_ bytes: UnsafeRawBufferPointer, about ours: UInt32) {
        guard bytes.count >= 8, bytes[1] == 200 || bytes[1] == 201 else { return nil }
        ssrc = bytes.uint32(at: 4)
        var offset = 0
        while offset < bytes.count {
            guard offset + 4 <= bytes.count, bytes[offset] >> 6 == 2 else { return nil }
            let end = offset + 4 * (Int(bytes.uint16(at: offset + 2)) + 1)
            guard end <= bytes.count else { return nil }
            let count = Int(bytes[offset] & 0x1F)
            switch bytes[offset + 1] {
            case 200:
                guard offset + 28 + count * ReportBlock.byteCount <= end else { return nil }
                if bytes.uint32(at: offset + 4) == ssrc {
                    senderTime = bytes.uint32(at: offset + 8) << 16 | bytes.uint32(at: offset + 12) >> 16
                }
                readBlocks(bytes, from: offset + 28, count: count, about: ours)
            case 201:
                guard offset + 8 + count * ReportBlock.byteCount <= end else { return nil }
                readBlocks(bytes, from: offset + 8, count: count, about: ours)
            case 203: isGoodbye = true
            default: break
            }
            offset = end
        }
    }

    private mutating func readBlocks(_ bytes: UnsafeRawBufferPointer, from start: Int, count: Int, about ours: UInt32) {
        for index in 0..<count {
            let offset = start + index * ReportBlock.byteCount
            if bytes.uint32(at: offset) == ours { block = ReportBlock(bytes, at: offset) }
        }
    }
}
