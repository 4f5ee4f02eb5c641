import Media
import Primitives
import SDP
import Testing

/// RFC 4733 §2.5.2: an event is known by its timestamp.
@Suite struct TelephoneEventTests {
    struct Packet: Sendable {
        var timestamp: UInt32
        var event: UInt8
        var end = false
        var marker = false
        var ssrc: UInt32 = 7
        var duration: UInt16 = 160
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var packets: [Packet]
        var digits: String
        var testDescription: String { name }
    }

    /// A press as phones send it: a marked first packet, updates, three ends.
    static func press(_ event: UInt8, at timestamp: UInt32, ssrc: UInt32 = 7) -> [Packet] {
        [Packet(timestamp: timestamp, event: event, marker: true, ssrc: ssrc)]
            + (2...5).map { Packet(timestamp: timestamp, event: event, ssrc: ssrc, duration: 160 * $0) }
            + (0..<3).map { _ in Packet(timestamp: timestamp, event: event, end: true, ssrc: ssrc, duration: 960) }
    }

    static let cases = [
        Case(name: "one press", packets: press(5, at: 1000), digits: "5"),
        Case(
            name: "every key", packets: (0...15).flatMap { press($0, at: 4000 * UInt32($0)) },
            digits: "0123456789*#ABCD"),
        Case(name: "one key twice", packets: press(1, at: 1000) + press(1, at: 2600), digits: "11"),
        Case(
            name: "markers lost",
            packets: (press(1, at: 1000) + press(1, at: 2600)).map {
                var packet = $0
                packet.marker = false
                return packet
            }, digits: "11"),
        Case(name: "first packets lost", packets: Array(press(7, at: 1000).dropFirst(4)), digits: "7"),
        Case(name: "only one end packet came", packets: Array(press(7, at: 1000).suffix(1)), digits: "7"),
        Case(
            name: "all end packets lost", packets: Array(press(7, at: 1000).prefix(4)) + press(7, at: 3000),
            digits: "77"),
        Case(
            name: "nothing but ends, of two keys", packets: press(1, at: 0).suffix(2) + press(2, at: 1600).suffix(3),
            digits: "12"),
        Case(
            name: "late packets of the key before",
            packets: press(1, at: 1000) + press(2, at: 2600).prefix(2) + press(1, at: 1000).suffix(1)
                + press(2, at: 2600).suffix(3), digits: "12"),
        Case(
            name: "long press in segments (§2.5.1.3)",
            packets: [
                Packet(timestamp: 500, event: 3, marker: true),
                Packet(timestamp: 500, event: 3, duration: 0xFFFF),
                Packet(timestamp: 500 + 0xFFFF, event: 3), Packet(timestamp: 500 + 2 * 0xFFFF, event: 3),
                Packet(timestamp: 500 + 2 * 0xFFFF, event: 3, end: true),
            ], digits: "3"),
        Case(
            name: "the same key pressed anew at a segment's distance",
            packets: press(3, at: 500) + press(3, at: 500 + 0xFFFF), digits: "33"),
        Case(
            name: "flash and tones are no keys",
            packets: press(16, at: 0) + press(32, at: 5000) + press(255, at: 9000) + press(4, at: 20_000), digits: "4"),
        Case(name: "over the timestamp's wrap", packets: press(1, at: .max - 100) + press(2, at: 1500), digits: "12"),
        Case(name: "a sender that started anew", packets: press(1, at: 900_000) + press(2, at: 100), digits: "12"),
        Case(
            name: "another source with the same timestamp", packets: press(1, at: 0) + press(1, at: 0, ssrc: 8),
            digits: "11"),
        Case(
            name: "two keys at one timestamp count once",
            packets: [Packet(timestamp: 5, event: 1), Packet(timestamp: 5, event: 2)], digits: "1"),
    ]

    @Test(arguments: cases) func packetsMakeDigits(item: Case) {
        var rig = Rig(agreement(events: 96))
        for (index, packet) in item.packets.enumerated() {
            let payload = eventPayload(packet.event, end: packet.end, duration: packet.duration)
            rig.receive(
                rtp(
                    payload, type: 96, sequence: UInt16(index), timestamp: packet.timestamp, ssrc: packet.ssrc,
                    marker: packet.marker))
        }
        #expect(rig.digits == item.digits)
        let outside = item.packets.filter { $0.event > 15 }.count
        #expect(rig.stream.counters.eventsOutOfRange == UInt32(outside))
        #expect(rig.stream.counters.digits == UInt32(item.digits.count))
    }

    @Test func shortEventsAreCountedAsMalformed() {
        var rig = Rig()
        rig.receive(rtp([1, 10, 0], type: 101))
        #expect(rig.digits.isEmpty && rig.stream.counters.malformed == 1)
    }

    @Test func digitsArePrintedAsDots() throws {
        let digit = try #require(Digit("7"))
        #expect("\(digit)" == "•" && String(reflecting: MediaEvent.digit(digit)).contains("7") == false)
        var dumped = ""
        dump(digit, to: &dumped)
        #expect(!dumped.contains("7"))
        for event in UInt8(0)..<16 { #expect(Digit(event: event).flatMap { Digit(ascii: $0.ascii) }?.event == event) }
        #expect(Digit("x") == nil && Digit("é") == nil && Digit(event: 16) == nil)
    }

    /// RFC 4733 §2.5.1: one timestamp for a press, growing duration, three last packets.
    @Test(arguments: [10, 20, 30, 60]) func sentDigitsFollowTheRules(ptime: Int) throws {
        var rig = Rig(agreement(ptime: ptime))
        _ = rig.ticks(2)
        let digits = [try #require(Digit("4")), try #require(Digit("#"))]
        let taken = rig.stream.send(digits, pressMs: 100, pauseMs: 80)
        #expect(taken)
        var sent: [Rig.Sent] = []
        while rig.stream.isSendingDigits, sent.count < 200 { sent += rig.ticks(1) }
        let sequences = sent.map(\.header.sequence)
        #expect(zip(sequences, sequences.dropFirst()).allSatisfy { $1 == $0 &+ 1 })
        let events = sent.filter { $0.header.payloadType == 101 }
        for (event, digit) in [(UInt8(4), 0), (11, 1)] {
            let packets = events.filter { $0.payload[0] == event }
            #expect(Set(packets.map(\.header.timestamp)).count == 1)
            #expect(packets.map(\.header.marker) == [true] + Array(repeating: false, count: packets.count - 1))
            let durations = packets.map { UInt16($0.payload[2]) << 8 | UInt16($0.payload[3]) }
            #expect(durations == durations.sorted() && durations.suffix(3) == [800, 800, 800])
            #expect(packets.filter { $0.payload[1] & 0x80 != 0 }.count == 3, "digit \(digit)")
        }
        // The pause between the keys is audio of at least its length.
        let first = try #require(events.last { $0.payload[0] == 4 }?.header.sequence)
        let second = try #require(events.first { $0.payload[0] == 11 }?.header.sequence)
        #expect(Int(second - first - 1) * ptime >= 80)

        var receiver = Rig()
        for packet in events {
            receiver.receive(
                rtp(
                    packet.payload, type: 101, sequence: packet.header.sequence, timestamp: packet.header.timestamp,
                    marker: packet.header.marker))
        }
        #expect(receiver.digits == "4#")
    }

    @Test func digitsAreRefusedWhereTheOtherSideDoesNotTakeThem() throws {
        let star = try #require(Digit("*"))
        var without = Rig(agreement(events: nil))
        let noEvents = without.stream.send([star])
        var limited = agreement()
        limited.remoteEvents = TelephoneEvents(mask: 0x03FF)
        var numbersOnly = Rig(limited)
        let noStar = numbersOnly.stream.send([star])
        var full = Rig()
        let tooMany = full.stream.send(Array(repeating: star, count: TelephoneEventSender.queueLimit + 1))
        let asManyAsFit = full.stream.send(Array(repeating: star, count: TelephoneEventSender.queueLimit))
        #expect([noEvents, noStar, tooMany, asManyAsFit] == [false, false, false, true])
    }
}
