import Media
import SDP
import Testing

/// G.711 against its definition: quantising values of tables 1 and 2, scaled to 16 bits.
@Suite struct G711Tests {
    /// Table 1: segment 0 and 1 have steps of 2 (of 4096), each further one doubles; the value is the step's middle.
    static func alawLevel(_ byte: UInt8) -> Double {
        let code = byte ^ 0x55
        let segment = Int(code >> 4 & 7)
        let step = Double(code & 15)
        let magnitude = segment == 0 ? 2 * step + 1 : (2 * step + 33) * Double(1 << (segment - 1))
        return (code & 0x80 != 0 ? magnitude : -magnitude) * 8
    }

    /// Table 2: y = (2·q + 33)·2^s − 33, of 8159.
    static func mulawLevel(_ byte: UInt8) -> Double {
        let code = ~byte
        let magnitude = Double((2 * Int(code & 15) + 33) * (1 << Int(code >> 4 & 7)) - 33)
        return (code & 0x80 != 0 ? -magnitude : magnitude) * 4
    }

    @Test func everyByteDecodesToItsQuantisingValue() {
        for byte in UInt8.min...UInt8.max {
            #expect(Double(G711.linear(alaw: byte)) == Self.alawLevel(byte))
            #expect(Double(G711.linear(mulaw: byte)) == Self.mulawLevel(byte))
        }
    }

    /// The decision values around a byte's magnitude: tables 1 and 2, column 5, scaled to 16 bits.
    static func interval(_ byte: UInt8, _ codec: Codec) -> Range<Int> {
        let code = codec == .pcma ? byte ^ 0x55 : ~byte
        let (segment, step) = (Int(code >> 4 & 7), Int(code & 15))
        if codec == .pcma {
            if segment == 0 { return step * 16..<(step + 1) * 16 }
            return (step + 16) * 16 << (segment - 1)..<(step + 17) * 16 << (segment - 1)
        }
        let (low, high) = ((2 * step + 32) << segment - 33, (2 * step + 34) << segment - 33)
        // The last step of µ-law takes whatever is above it.
        return max(low, 0) * 4..<(code & 0x7F == 0x7F ? 32768 : high * 4)
    }

    @Test(arguments: Codec.allCases) func everySampleIsCodedBetweenItsDecisionValues(codec: Codec) {
        var wrong = 0
        for sample in Int16.min...Int16.max {
            let byte = G711.encode(sample, as: codec)
            let isPositive = byte & 0x80 != 0
            let magnitude = Int(sample < 0 ? ~sample : sample)
            if isPositive != (sample >= 0) || !Self.interval(byte, codec).contains(magnitude) { wrong += 1 }
        }
        #expect(wrong == 0)
    }

    @Test(arguments: Codec.allCases) func everyByteSurvivesARound(codec: Codec) {
        for byte in UInt8.min...UInt8.max {
            let again = G711.encode(G711.decode(byte, as: codec), as: codec)
            // µ-law has two zeros, which decode alike.
            #expect(again == byte || (codec == .pcmu && byte == 0x7F && again == 0xFF))
        }
    }

    /// The line's words for the smallest and largest values (tables 1a–2b, even bits of A-law inverted).
    @Test func knownWords() {
        #expect(G711.alaw(0) == 0xD5 && G711.alaw(-1) == 0x55)
        #expect(G711.alaw(.max) == 0xAA && G711.alaw(.min) == 0x2A)
        #expect(G711.mulaw(0) == 0xFF && G711.mulaw(.max) == 0x80 && G711.mulaw(.min) == 0x00)
        #expect(G711.silence(.pcma) == G711.alaw(0) && G711.silence(.pcmu) == G711.mulaw(0))
    }
}
