import Media
import Primitives
import SDP
import Testing

/// Whose packets are taken, and where ours go (RFC 4961).
@Suite struct StreamSourceTests {
    static let audio = [UInt8](repeating: 0xD5, count: 160)
    static let otherPort = Endpoint(caller.address, port: 7000)

    static func rig(signalling: IPAddress? = nil, nat: Bool = false, timeout: Duration? = nil) -> Rig {
        var rig = Rig(nil, options: .init(allowsNAT: nat, timeout: timeout))
        rig.stream.apply(agreement(), signalledFrom: signalling, now: rig.now)
        return rig
    }

    @Test func theSignalledSourceIsBelievedAtOnce() {
        var rig = Self.rig()
        rig.receive(rtp(Self.audio))
        #expect(rig.events == [.latched(caller)])
        #expect(rig.stream.destination == caller && rig.stream.latchedSource == caller)
    }

    @Test func anotherPortOfTheCallerIsBelievedAfterTwoPackets() {
        var rig = Self.rig()
        rig.receive(rtp(Self.audio), from: Self.otherPort)
        #expect(rig.events.isEmpty && rig.stream.destination == caller)
        rig.receive(rtp(Self.audio, sequence: 2), from: Self.otherPort)
        #expect(rig.events == [.latched(Self.otherPort)])
        #expect(rig.stream.destination == Self.otherPort)
        #expect(rig.stream.reportDestination == Endpoint(caller.address, port: 7001))
    }

    @Test func strangersAreRefusedAndCounted() {
        var rig = Self.rig()
        for index in 0..<5 { rig.receive(rtp(Self.audio, sequence: UInt16(index)), from: stranger) }
        rig.receive(rtp(eventPayload(1), type: 101), from: stranger)
        #expect(rig.events.isEmpty && rig.stream.destination == caller)
        #expect(rig.stream.counters.foreignSource == 6 && rig.stream.counters.packetsReceived == 0)
    }

    @Test func theSignallingAddressMaySendMediaToo() {
        var rig = Self.rig(signalling: stranger.address)
        for index in 0..<2 { rig.receive(rtp(Self.audio, sequence: UInt16(index)), from: stranger) }
        #expect(rig.events == [.latched(stranger)])
    }

    @Test func behindNATTheFirstSourceWinsAndKeepsTheStream() {
        var rig = Self.rig(nat: true)
        for index in 0..<2 { rig.receive(rtp(Self.audio, sequence: UInt16(index)), from: stranger) }
        #expect(rig.events == [.latched(stranger)])
        let third = Endpoint(.v4(0xC633_6401), port: 6000)
        rig.now = rig.now + .seconds(10)
        for index in 0..<5 { rig.receive(rtp(Self.audio, sequence: UInt16(index)), from: third) }
        #expect(rig.stream.destination == stranger && rig.stream.counters.foreignSource == 6)
    }

    @Test func aLatchMovesOnlyAfterASilence() {
        var rig = Self.rig()
        rig.receive(rtp(Self.audio))
        rig.events = []
        for index in 0..<5 { rig.receive(rtp(Self.audio, sequence: UInt16(index)), from: Self.otherPort) }
        #expect(rig.events.isEmpty && rig.stream.counters.foreignSource == 5)
        rig.now = rig.now + .seconds(1)
        for index in 0..<3 { rig.receive(rtp(Self.audio, sequence: UInt16(index)), from: Self.otherPort) }
        #expect(rig.events == [.latched(Self.otherPort)])
    }

    /// A phone behind the caller's address that still sends to whom these ports belonged before.
    @Test func aStrayOfTheSameAddressKeepsNobodyOut() {
        var rig = Self.rig()
        // Its key is nobody's.
        rig.receive(rtp(eventPayload(1), type: 101), from: Self.otherPort)
        #expect(rig.digits.isEmpty)
        rig.receive(rtp(Self.audio), from: Self.otherPort)
        #expect(rig.stream.latchedSource == Self.otherPort)
        for index in 0..<3 {
            rig.receive(rtp(Self.audio, sequence: UInt16(index)), from: Self.otherPort)
            #expect(rig.stream.latchedSource == Self.otherPort)
            rig.receive(rtp(Self.audio, sequence: UInt16(index), ssrc: 9), from: caller)
        }
        #expect(rig.stream.latchedSource == caller && rig.stream.destination == caller)
        rig.receive(rtp(eventPayload(2), type: 101), from: Self.otherPort)
        #expect(rig.digits.isEmpty && rig.stream.latchedSource == caller)
    }

    @Test func aChangedAddressOpensTheLatch() {
        var rig = Self.rig()
        rig.receive(rtp(Self.audio), from: caller)
        rig.stream.apply(agreement(), now: rig.now)
        #expect(rig.stream.latchedSource == caller)
        rig.stream.apply(agreement(remote: stranger), now: rig.now)
        #expect(rig.stream.latchedSource == nil && rig.stream.destination == stranger)
        rig.receive(rtp(Self.audio, sequence: 5), from: stranger)
        #expect(rig.stream.latchedSource == stranger)
    }

    @Test func aHoldByUnspecifiedAddressKeepsTheLatch() throws {
        var rig = Self.rig()
        rig.receive(rtp(Self.audio), from: Self.otherPort)
        rig.receive(rtp(Self.audio, sequence: 2), from: Self.otherPort)
        rig.stream.apply(agreement(remote: try #require(Endpoint("0.0.0.0:6000"))), now: rig.now)
        rig.stream.apply(agreement(), now: rig.now)
        #expect(rig.ticks(1).count == 1 && rig.stream.destination == Self.otherPort)
    }

    @Test func aTakeoverSendsToTheFormerSourceUntilItShowsItself() {
        var rig = Rig(nil)
        rig.stream.apply(agreement(), former: stranger, now: rig.now)
        #expect(rig.stream.destination == stranger && rig.stream.latchedSource == nil)
        rig.receive(rtp(Self.audio), from: stranger)
        #expect(rig.events == [.latched(stranger)])
    }

    /// RFC 3550 §8.2: a source that started anew is taken, a stray packet of another is not.
    @Test func oneSynchronisationSourceIsHeardAtATime() {
        var rig = Self.rig()
        rig.stream.echo()
        func audio(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 160) }
        rig.receive(rtp(audio(1), sequence: 1, ssrc: 7))
        rig.receive(rtp(audio(2), sequence: 900, ssrc: 8))
        rig.receive(rtp(audio(3), sequence: 2, ssrc: 7))
        #expect(rig.ticks(2).map { $0.payload[0] } == [1, 3])
        #expect(rig.stream.counters.foreignStream == 1)
        rig.receive(rtp(audio(4), sequence: 50, ssrc: 9))
        rig.receive(rtp(audio(5), sequence: 51, ssrc: 9))
        rig.receive(rtp(audio(6), sequence: 3, ssrc: 7))
        #expect(rig.ticks(1).map { $0.payload[0] } == [5])
        #expect(rig.stream.reception.received == 1)
    }

    @Test func digitsOfARecordingWithItsOwnSourceAreHeard() {
        var rig = Self.rig()
        for index in 0..<6 {
            rig.receive(rtp(Self.audio, sequence: UInt16(index), timestamp: UInt32(index * 160), ssrc: 7))
            rig.receive(rtp(eventPayload(6), type: 101, sequence: UInt16(100 + index), timestamp: 5000, ssrc: 8))
        }
        #expect(rig.digits == "6")
    }

    @Test func ourOwnPacketsComeBackUnheard() {
        var rig = Self.rig()
        rig.receive(rtp(Self.audio, ssrc: rig.stream.ssrc))
        #expect(rig.events.isEmpty && rig.stream.counters.foreignStream == 1)
    }

    @Test func unknownPayloadsAreCountedAndLatchNothing() {
        var rig = Self.rig()
        rig.receive(rtp(Self.audio, type: 18))
        rig.receive(rtp([0], type: 13))
        #expect(rig.stream.counters.unknownPayload == 1 && rig.stream.counters.packetsReceived == 1)
    }

    // MARK: Echo

    @Test(arguments: Codec.allCases) func echoGivesBackTheSameBytesAtTheNextTick(codec: Codec) {
        var rig = Rig(agreement(codec))
        rig.stream.echo()
        var heard: [UInt8] = []
        var spoken: [UInt8] = []
        for index in 0..<20 {
            let frame = (0..<160).map { UInt8(truncatingIfNeeded: index * 7 + $0) }
            spoken += frame
            rig.receive(
                rtp(frame, type: codec.staticPayloadType, sequence: UInt16(index), timestamp: UInt32(index * 160)))
            heard += rig.ticks(1).flatMap(\.payload)
        }
        #expect(heard == spoken)
    }

    @Test func echoIsNeverOlderThanFortyMilliseconds() {
        var rig = Self.rig()
        rig.stream.echo()
        for index in 0..<6 {
            rig.receive(rtp([UInt8](repeating: UInt8(index), count: 160), sequence: UInt16(index)))
        }
        // What came in one burst is two frames at most, the newest.
        let sent = rig.ticks(3)
        #expect(sent.map { $0.payload[0] } == [4, 5, 0xD5])
        #expect(sent.map(\.header.marker) == [true, false, false])
    }

    @Test func echoTurnsTheOtherCodingIntoTheAgreedOne() {
        var rig = Rig(agreement(.pcmu))
        rig.stream.echo()
        rig.receive(rtp([UInt8](repeating: G711.alaw(8000), count: 160), type: 8))
        #expect(
            rig.ticks(1).first?.payload
                == [UInt8](repeating: G711.mulaw(G711.linear(alaw: G711.alaw(8000))), count: 160))
    }

    @Test func longFramesAreEchoedWhole() {
        var rig = Rig(agreement(ptime: 60))
        rig.stream.echo()
        let frame = (0..<480).map { UInt8(truncatingIfNeeded: $0 * 3) }
        rig.receive(rtp(frame))
        #expect(rig.ticks(1).first?.payload == frame)
    }
}
