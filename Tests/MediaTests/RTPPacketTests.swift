import Media
import Primitives
import Testing

@Suite struct RTPPacketTests {
    static func parse(_ bytes: [UInt8]) -> RTPPacket? { bytes.withUnsafeBytes { RTPPacket($0) } }

    @Test func headerIsWrittenAsInSection51AndReadBack() {
        let bytes = rtp(
            [1, 2, 3], type: 101, sequence: 0x0203, timestamp: 0x0405_0607, ssrc: 0x0809_0A0B, marker: true)
        #expect(bytes == [0x80, 0xE5, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2, 3])
        let packet = Self.parse(bytes)
        #expect(packet?.payload == 12..<15)
        #expect(
            packet?.header
                == RTPHeader(
                    marker: true, payloadType: 101, sequence: 0x0203, timestamp: 0x0405_0607, ssrc: 0x0809_0A0B))
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var bytes: [UInt8]
        var payload: Range<Int>?
        var testDescription: String { name }
    }

    static func header(_ first: UInt8, _ second: UInt8 = 8) -> [UInt8] {
        [first, second] + [UInt8](repeating: 0, count: 10)
    }

    @Test(arguments: [
        Case(name: "empty", bytes: []),
        Case(name: "eleven bytes", bytes: Array(header(0x80).dropLast())),
        Case(name: "no payload", bytes: header(0x80), payload: 12..<12),
        Case(name: "version 1", bytes: header(0x40) + [1]),
        Case(name: "STUN", bytes: header(0x00, 0x01) + [1]),
        Case(name: "RTCP", bytes: header(0x80, 200) + [1]),
        Case(name: "two CSRCs", bytes: header(0x82) + [UInt8](repeating: 0, count: 8) + [9], payload: 20..<21),
        Case(name: "CSRCs beyond the end", bytes: header(0x8F) + [1, 2]),
        Case(name: "extension", bytes: header(0x90) + [0, 0, 0, 1, 1, 2, 3, 4, 9], payload: 20..<21),
        Case(name: "extension beyond the end", bytes: header(0x90) + [0, 0, 255, 255, 1]),
        Case(name: "half an extension header", bytes: header(0x90) + [0, 0]),
        Case(name: "padding", bytes: header(0xA0) + [9, 0, 0, 3], payload: 12..<13),
        Case(name: "padding of nothing", bytes: header(0xA0) + [9, 0, 0, 0]),
        Case(name: "padding over the header", bytes: header(0xA0) + [9, 0, 0, 5]),
        Case(name: "padding over everything", bytes: header(0xA0) + [200]),
    ])
    func boundsAreChecked(item: Case) { #expect(Self.parse(item.bytes)?.payload == item.payload) }

    @Test func randomBytesNeverTrap() {
        var random = SeededRandom(seed: 9)
        var rig = Rig()
        var read = 0
        for _ in 0..<20_000 {
            var bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            if !bytes.isEmpty { bytes[0] = bytes[0] & 0x3F | 0x80 }
            if Self.parse(bytes) != nil { read += 1 }
            rig.receive(bytes)
            bytes.withUnsafeBytes {
                rig.stream.receivedReport($0, from: caller, now: rig.now, wallClock: NTPTime(bits: 0))
            }
        }
        #expect(read > 1000)
        #expect(rig.stream.counters.malformed > 1000 && rig.stream.counters.malformedReports > 1000)
    }
}
