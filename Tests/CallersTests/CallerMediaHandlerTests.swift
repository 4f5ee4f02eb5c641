import CDatagram
import Media
import Primitives
import SDP
import Synchronization
import Testing

@testable import Callers
@testable import NetworkIO

/// The audio thread's inside on loopback sockets: ticks are the test's, arrival times the kernel's.
@Suite struct CallerMediaHandlerTests {
    final class Told: Sendable {
        private let events = Mutex<[CallersEvent]>([])
        func add(_ event: CallersEvent) { events.withLock { $0.append(event) } }
        var pressed: Int { events.withLock { $0.count { if case .pressed = $0 { true } else { false } } } }
        var meter: ReceptionMeter? {
            events.withLock { events in
                for case .heard(_, let meter, _) in events { return meter }
                return nil
            }
        }
    }

    final class Line {
        static let loopback = IPAddress.v4(0x7F00_0001)
        let told = Told()
        let peer: DatagramSocket
        let socket: DatagramSocket
        var handler: CallerMediaHandler
        var outbox = Outbox(listeners: 0)
        var now: MonotonicTime
        let answered: MonotonicTime
        private let batch = ReceiveBatch(capacity: 64, datagramLimit: 512)

        init(events: UInt8? = 101, ptime: Int = 20) throws {
            peer = try DatagramSocket(Endpoint(Self.loopback, port: 0))
            var ports = CallerPorts(address: Self.loopback, first: 30_900, last: 30_999)
            socket = try ports.take()
            let told = told
            handler = CallerMediaHandler(capacity: 1, seed: 3) { told.add($0) }
            answered = NodeClock.now()
            now = answered
            talk(direction: .sendrecv, events: events, ptime: ptime, at: answered)
        }

        deinit { handler.stopping(now: now, into: &outbox) }

        func talk(direction: MediaDirection, events: UInt8? = 101, ptime: Int = 20, at time: MonotonicTime) {
            let agreement = MediaAgreement(
                remoteRTP: peer.local, codec: .pcma, telephoneEventPayloadType: events, ptimeMs: ptime,
                direction: direction)
            handler.receive(.talk(1, socket, agreement, at: time), now: now, into: &outbox)
        }

        func ticks(_ count: Int) {
            for _ in 0..<count {
                handler.fire(now: now, into: &outbox)
                now = now + .milliseconds(10)
            }
        }

        func close() { handler.receive(.close(1, at: NodeClock.now()), now: now, into: &outbox) }

        /// What the callers sent.
        func taken() -> [(packet: RTPPacket, payload: [UInt8])] {
            let count = batch.receive(from: peer.descriptor)
            return (0..<max(0, count)).compactMap { index in
                guard let bytes = batch.bytes(index), let packet = RTPPacket(bytes) else { return nil }
                return (packet, Array(bytes[packet.payload]))
            }
        }

        /// A packet to the callers; between which two times it was sent.
        func send(type: UInt8 = 8) -> ClosedRange<MonotonicTime> {
            var bytes = [UInt8](repeating: 0xD5, count: 172)
            bytes.withUnsafeMutableBytes {
                RTPHeader(payloadType: type, sequence: 1, timestamp: 0, ssrc: 5).write(into: $0)
            }
            let before = NodeClock.now()
            var address = cdg_address(socket.local)
            _ = bytes.withUnsafeBytes { cdg_send(peer.descriptor, &address, $0.baseAddress, 172, nil, 0) }
            return before...NodeClock.now()
        }

        func spin(_ span: Duration) {
            let end = NodeClock.now() + span
            while NodeClock.now() < end {}
        }
    }

    @Test func a20MillisecondCallSends50PacketsASecond() throws {
        let line = try Line()
        line.ticks(40)
        let sent = line.taken()
        #expect(sent.count == 20)
        #expect(Set(sent.map(\.packet.header.ssrc)).count == 1)
        #expect(sent.allSatisfy { $0.payload.count == 160 && $0.packet.header.payloadType == 8 })
        #expect(sent.first?.packet.header.marker == true)
        for (one, next) in zip(sent, sent.dropFirst()) {
            #expect(next.packet.header.sequence == one.packet.header.sequence &+ 1)
            #expect(next.packet.header.timestamp == one.packet.header.timestamp &+ 160)
        }
    }

    @Test func theOtherSidesFrameLengthIsKept() throws {
        let line = try Line(ptime: 30)
        line.ticks(60)
        let sent = line.taken()
        #expect(sent.count == 20)
        #expect(sent.allSatisfy { $0.payload.count == 240 })
    }

    @Test func gapsAreTheKernelsHoweverLateTheyAreRead() throws {
        let line = try Line()
        let first = line.send()
        line.spin(.milliseconds(4))
        let second = line.send()
        line.spin(.milliseconds(6))
        line.ticks(20)
        line.close()
        let meter = try #require(line.told.meter)
        #expect(meter.packets == 2)
        let (start, end) = (try #require(meter.first), try #require(meter.last))
        // The two clocks are read one after the other; a preempted reading would be off by that time.
        let slack = Duration.milliseconds(1)
        #expect(end - start >= second.lowerBound - first.upperBound - slack)
        #expect(end - start <= second.upperBound - first.lowerBound + slack)
        #expect(start + .milliseconds(1) >= first.lowerBound)
    }

    @Test func onlyAudioOfTheAgreedKindIsHeard() throws {
        let line = try Line()
        _ = line.send(type: 8)
        _ = line.send(type: 101)
        _ = line.send(type: 0)
        // RTCP, which comes to this port where RTP's next port is another caller's.
        _ = line.send(type: 72)
        line.ticks(20)
        line.close()
        #expect(line.told.meter?.packets == 2)
    }

    @Test func keysGoOutAsTelephoneEvents() throws {
        let line = try Line()
        line.handler.receive(.press(1, [Digit("7"), Digit("#")].compactMap { $0 }), now: line.now, into: &line.outbox)
        line.ticks(60)
        let events = line.taken().filter { $0.packet.header.payloadType == 101 }
        #expect(Set(events.map { $0.payload[0] }) == [7, 11])
        // RFC 4733 §2.5.1.4: the last packet of an event three times.
        #expect(events.filter { $0.payload[0] == 7 && $0.payload[1] & 0x80 != 0 }.count == 3)
        #expect(line.told.pressed == 1)
    }

    @Test func keysThatTheOtherSideDoesNotTakeAreNotSent() throws {
        let line = try Line(events: nil)
        line.handler.receive(.press(1, [Digit("7")].compactMap { $0 }), now: line.now, into: &line.outbox)
        line.ticks(10)
        #expect(line.taken().allSatisfy { $0.packet.header.payloadType == 8 })
        #expect(line.told.pressed == 1)
    }

    @Test func aHeldCallSendsNothing() throws {
        let line = try Line()
        line.talk(direction: .inactive, at: line.answered)
        line.ticks(20)
        #expect(line.taken().isEmpty)
        line.talk(direction: .sendrecv, at: line.answered)
        line.ticks(20)
        #expect(line.taken().count == 10)
    }
}
