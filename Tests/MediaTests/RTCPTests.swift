import Media
import Primitives
import Testing

@Suite struct RTCPTests {
    static func bytes(_ report: OutgoingReport) -> [UInt8] {
        var buffer = [UInt8](repeating: 0xAA, count: OutgoingReport.maximumByteCount)
        let length = buffer.withUnsafeMutableBytes { report.write(into: $0) }
        return Array(buffer[..<length])
    }

    static let block = ReportBlock(
        ssrc: 0x1234_5678, fractionLost: 64, lost: -2, extendedHighest: 0x1_0005, jitter: 17, lastReport: 9, delay: 8)

    /// RFC 3550 §6.4.1, §6.5, §6.6.
    @Test func senderReportReadsAsInTheFigure() {
        let report = OutgoingReport(
            ssrc: 0xA1A2_A3A4,
            sender: .init(time: NTPTime(bits: 0x0102_0304_0506_0708), timestamp: 1, packets: 2, octets: 320),
            block: Self.block, canonicalName: 0x0123_4567_89AB_CDEF, isGoodbye: true)
        let bytes = Self.bytes(report)
        #expect(bytes.count == OutgoingReport.maximumByteCount)
        #expect(bytes[..<8] == [0x81, 200, 0, 12, 0xA1, 0xA2, 0xA3, 0xA4])
        #expect(bytes[8..<28] == [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 1, 0x40])
        #expect(bytes[28..<36] == [0x12, 0x34, 0x56, 0x78, 64, 0xFF, 0xFF, 0xFE])
        #expect(bytes[52..<62] == [0x81, 202, 0, 6, 0xA1, 0xA2, 0xA3, 0xA4, 1, 16])
        #expect(String(decoding: bytes[62..<78], as: UTF8.self) == "0123456789abcdef")
        #expect(bytes[78...] == [0, 0, 0x81, 203, 0, 1, 0xA1, 0xA2, 0xA3, 0xA4])
    }

    @Test func reportsReadBack() throws {
        var report = OutgoingReport(ssrc: 5, sender: nil, block: Self.block, canonicalName: 1)
        func read(_ bytes: [UInt8]) -> IncomingReport? {
            bytes.withUnsafeBytes { IncomingReport($0, about: 0x1234_5678) }
        }
        let receiver = try #require(read(Self.bytes(report)))
        #expect(receiver.block == Self.block)
        #expect(receiver.senderTime == nil && !receiver.isGoodbye && receiver.ssrc == 5)
        report.sender = .init(time: NTPTime(bits: 0x0102_0304_0506_0708), timestamp: 1, packets: 2, octets: 3)
        report.isGoodbye = true
        let sender = try #require(read(Self.bytes(report)))
        #expect(sender.senderTime == 0x0304_0506)
        #expect(sender.isGoodbye && sender.block == Self.block)
    }

    /// RFC 3550 §A.2: the first packet is a report, and the lengths add up.
    @Test func brokenCompoundsAreRefused() {
        let good = Self.bytes(OutgoingReport(ssrc: 5, sender: nil, block: Self.block, canonicalName: 1))
        func reads(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { IncomingReport($0, about: 1) } != nil }
        #expect(reads(good))
        for length in 0..<good.count where length != 32 { #expect(!reads(Array(good[..<length]))) }
        var other = good
        other[1] = 202
        #expect(!reads(other))
        other = good
        other[0] = 0x9F
        #expect(!reads(other))
        other = good
        other[32] = 0x41
        #expect(!reads(other))
    }

    @Test func wallClockIsCountedFrom1900() {
        #expect(NTPTime(unixSeconds: 0, nanoseconds: 500_000_000).bits == UInt64(0x83AA_7E80_8000_0000))
    }

    /// RFC 3550 §A.3.
    @Test func lossIsCountedOverIntervals() {
        var statistics = ReceptionStatistics()
        for sequence in 65_530...65_539 where sequence % 5 != 0 {
            statistics.update(sequence: UInt16(sequence & 0xFFFF), timestamp: 0, now: .zero)
        }
        // 65530 and 65535 are missing; the first was never expected.
        #expect(statistics.expected == 9 && statistics.lost == 1)
        #expect(statistics.extendedHighest == 65_539)
        let fractions = [statistics.takeFractionLost(), statistics.takeFractionLost()]
        #expect(fractions == [28, 0])
        statistics.update(sequence: 3, timestamp: 0, now: .zero)
        statistics.update(sequence: 2, timestamp: 0, now: .zero)
        #expect(statistics.lost == -1 && statistics.duplicatesOrLate == 2)
        statistics.update(sequence: 40_000, timestamp: 0, now: .zero)
        #expect(statistics.expected == 1)
    }

    /// RFC 3550 §A.8: J += (|D| − J) / 16.
    @Test func jitterFollowsTheFormula() {
        var statistics = ReceptionStatistics()
        var expected = 0.0
        let delays = [0, 5, 0, 12, 3, 0, 0, 20, 1]
        for (index, delay) in delays.enumerated() {
            statistics.update(
                sequence: UInt16(index), timestamp: UInt32(index * 160), now: .milliseconds(index * 20 + delay))
            if index > 0 { expected += (Double(abs(delay - delays[index - 1]) * 8) - expected) / 16 }
        }
        #expect(abs(Double(statistics.jitter) - expected) <= 1)
        #expect(expected > 20)
    }

    @Test func streamsReportWhatTheySentAndHeard() throws {
        var rig = Rig()
        _ = rig.ticks(3)
        let sent = rig.tick()
        let last = try #require(sent)
        rig.receive(rtp([UInt8](repeating: 0xD5, count: 160), sequence: 10, ssrc: 99))
        rig.receive(rtp([UInt8](repeating: 0xD5, count: 160), sequence: 12, timestamp: 320, ssrc: 99))
        var other = OutgoingReport(
            ssrc: 99, sender: .init(time: NTPTime(bits: 0xAABB_CCDD << 16), timestamp: 1, packets: 2, octets: 3),
            block: nil, canonicalName: 1)
        func receive(_ report: OutgoingReport, wallClock: NTPTime) {
            Self.bytes(report).withUnsafeBytes {
                rig.stream.receivedReport($0, from: caller, now: rig.now, wallClock: wallClock)
            }
        }
        receive(other, wallClock: NTPTime(bits: 0))
        rig.now = rig.now + .milliseconds(500)
        var buffer = [UInt8](repeating: 0, count: OutgoingReport.maximumByteCount)
        let length = buffer.withUnsafeMutableBytes {
            rig.stream.nextReport(into: $0, now: rig.now, wallClock: NTPTime(bits: 7 << 32))
        }
        let report = buffer[..<length]
        // Four packets of 160 bytes; the timestamp is half a second and a tick after the last packet's.
        #expect(report[1] == 200 && Array(report[20..<28]) == [0, 0, 0, 4, 0, 0, 2, 128])
        let stamp = report[16..<20].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        #expect(stamp == last.header.timestamp &+ 160 + 4000)
        let read = try #require(report.withUnsafeBytes { IncomingReport($0, about: 99) })
        #expect(read.block?.lost == 1 && read.block?.extendedHighest == 12)
        #expect(read.block?.lastReport == 0xAABB_CCDD)
        #expect(read.block?.delay == 32_768)

        // Nothing sent since: a receiver report (§6.4).
        let second = buffer.withUnsafeMutableBytes {
            rig.stream.nextReport(into: $0, now: rig.now, wallClock: NTPTime(bits: 0))
        }
        #expect(second > 0 && buffer[1] == 201)

        // The answer to a report of ours tells the round trip: 100 ms of delay in 350 ms.
        other.block = ReportBlock(
            ssrc: rig.stream.ssrc, fractionLost: 3, lost: 1, extendedHighest: 4, jitter: 0, lastReport: 1 << 16,
            delay: 6554)
        receive(other, wallClock: NTPTime(bits: (1 << 32) + (350 << 32) / 1000))
        let trip = try #require(rig.stream.roundTrip)
        #expect(abs(trip.wholeMilliseconds - 250) <= 1)
        #expect(rig.stream.remoteView?.fractionLost == 3)
    }
}
