import SDP

/// ITU-T G.711 companding between 16-bit linear samples and bytes. Arithmetic rather than tables: a few operations a
/// sample, nothing shared between threads, nothing to miss in the cache.
public enum G711 {
    /// A sample to A-law, with the even bits inverted as on the line (G.711 table 1).
    @inlinable public static func alaw(_ sample: Int16) -> UInt8 {
        let sign: UInt8 = sample < 0 ? 0 : 0x80
        // Twelve bits of magnitude; the complement keeps −32768 in range and makes the negative half a mirror.
        var magnitude = Int(sample < 0 ? ~sample : sample) >> 4
        var segment: UInt8 = 0
        if magnitude > 15 {
            segment = 1
            while magnitude > 31 {
                magnitude >>= 1
                segment += 1
            }
        }
        return (sign | segment << 4 | UInt8(magnitude & 15)) ^ 0x55
    }

    @inlinable public static func linear(alaw byte: UInt8) -> Int16 {
        let code = byte ^ 0x55
        let segment = Int16(code >> 4 & 7)
        var magnitude = Int16(code & 15) << 4 + 8
        if segment > 0 { magnitude = (magnitude + 256) << (segment - 1) }
        return code & 0x80 != 0 ? magnitude : -magnitude
    }

    /// A sample to µ-law, inverted as on the line (G.711 table 2).
    @inlinable public static func mulaw(_ sample: Int16) -> UInt8 {
        let sign: UInt8 = sample < 0 ? 0x80 : 0
        let magnitude = min((Int(sample < 0 ? ~sample : sample) >> 2) + 33, 0x1FFF)
        // The segment is where the highest set bit stands above bit 5.
        let segment = UInt8(58 - UInt64(magnitude).leadingZeroBitCount)
        return ~(sign | segment << 4 | UInt8(magnitude >> (Int(segment) + 1) & 15))
    }

    @inlinable public static func linear(mulaw byte: UInt8) -> Int16 {
        let code = ~byte
        let segment = Int16(code >> 4 & 7)
        let magnitude = (Int16(code & 15) << 3 + 132) << segment - 132
        return code & 0x80 != 0 ? -magnitude : magnitude
    }

    @inlinable public static func encode(_ sample: Int16, as codec: Codec) -> UInt8 {
        codec == .pcma ? alaw(sample) : mulaw(sample)
    }

    @inlinable public static func decode(_ byte: UInt8, as codec: Codec) -> Int16 {
        codec == .pcma ? linear(alaw: byte) : linear(mulaw: byte)
    }

    /// The byte of digital silence.
    @inlinable public static func silence(_ codec: Codec) -> UInt8 { codec == .pcma ? 0xD5 : 0xFF }
}
