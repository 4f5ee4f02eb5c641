import Glibc
import NetworkIO
import Primitives
import Testing

@Suite(.timeLimit(.minutes(10)))
struct DatagramLoopTests {
    @Test func datagramArrivesWithItsSourceAndTheListenerItCameTo() async throws {
        let receiver = try RecordingLoop(listeners: [.loopback, .loopback6])
        let four = try RecordingLoop()
        let six = try RecordingLoop(listeners: [.loopback6])
        four.send([1, 2, 3], to: receiver.loop.endpoints[0])
        #expect(await receiver.next() == .datagram([1, 2, 3], from: four.endpoint, listener: 0))
        six.send([4], to: receiver.loop.endpoints[1])
        #expect(await receiver.next() == .datagram([4], from: six.endpoint, listener: 1))
    }

    @Test func emptyDatagramIsDelivered() async throws {
        let receiver = try RecordingLoop()
        let sender = try RecordingLoop()
        sender.send([], to: receiver.endpoint)
        #expect(await receiver.next() == .datagram([], from: sender.endpoint, listener: 0))
    }

    @Test func answerLeavesFromTheListenerThatWasAsked() async throws {
        let echo = try RecordingLoop(listeners: [.loopback, .loopback], echoes: true)
        let asker = try RecordingLoop()
        for index in 0..<2 {
            asker.send([UInt8(index)], to: echo.loop.endpoints[index])
            #expect(await asker.next() == .datagram([UInt8(index)], from: echo.loop.endpoints[index], listener: 0))
        }
    }

    @Test func allDatagramsOfABatchLeaveInOrder() async throws {
        let receiver = try RecordingLoop()
        let sender = try RecordingLoop()
        let datagrams = (0..<200).map { number in (bytes: [UInt8(number)], to: receiver.endpoint) }
        sender.post(.send(datagrams, listener: 0))
        for number in 0..<200 {
            #expect(await receiver.next() == .datagram([UInt8(number)], from: sender.endpoint, listener: 0))
        }
    }

    @Test func largestDatagramPasses() async throws {
        let receiver = try RecordingLoop()
        let sender = try RecordingLoop()
        let bytes = [UInt8](repeating: 7, count: 65_507)
        sender.send(bytes, to: receiver.endpoint)
        #expect(await receiver.next() == .datagram(bytes, from: sender.endpoint, listener: 0))
    }

    @Test func datagramOverTheLimitIsThrownAwayAndCounted() async throws {
        let receiver = try RecordingLoop { $0.datagramLimit = 100 }
        let sender = try RecordingLoop()
        sender.send([UInt8](repeating: 1, count: 101), to: receiver.endpoint)
        sender.send([UInt8](repeating: 2, count: 100), to: receiver.endpoint)
        let whole = [UInt8](repeating: 2, count: 100)
        #expect(await receiver.next() == .datagram(whole, from: sender.endpoint, listener: 0))
        #expect(receiver.loop.counters.truncated.value == 1)
    }

    @Test func icmpRefusalNamesTheDestinationThatRefused() async throws {
        let sender = try RecordingLoop(listeners: [.loopback, .loopback])
        let dead = try closedPort()
        sender.send([1], to: dead, listener: 1)
        #expect(await sender.next() == .refused(dead, error: ECONNREFUSED, listener: 1))
        #expect(sender.loop.counters.refused.value == 1)
    }

    @Test func icmp6RefusalNamesTheDestinationThatRefused() async throws {
        let sender = try RecordingLoop(listeners: [.loopback6])
        let dead = try DatagramSocket(.loopback6).local
        sender.send([1], to: dead)
        #expect(await sender.next() == .refused(dead, error: ECONNREFUSED, listener: 0))
    }

    @Test func refusalByOneDoesNotStopWhatGoesToOthers() async throws {
        let sender = try RecordingLoop()
        let receiver = try RecordingLoop()
        let dead = try closedPort()
        let datagrams = (0..<100).map { number in
            (bytes: [UInt8(number)], to: number.isMultiple(of: 2) ? receiver.endpoint : dead)
        }
        sender.post(.send(datagrams, listener: 0))
        for number in stride(from: 0, to: 100, by: 2) {
            #expect(await receiver.next() == .datagram([UInt8(number)], from: sender.endpoint, listener: 0))
        }
        #expect(await sender.next() == .refused(dead, error: ECONNREFUSED, listener: 0))
    }

    @Test func unknownListenerIsCountedAsUnsent() async throws {
        let sender = try RecordingLoop()
        sender.send([1], to: sender.endpoint, listener: 5)
        sender.send([2], to: sender.endpoint)
        #expect(await sender.next() == .datagram([2], from: sender.endpoint, listener: 0))
        #expect(sender.loop.counters.unsent.value == 1)
    }

    @Test func deadlineFires() async throws {
        let loop = try RecordingLoop()
        loop.post(.deadline(NodeClock.now() + .milliseconds(5)))
        #expect(await loop.next() == .fired)
    }

    @Test func answerThatArrivedInTimeIsNotOvertakenByItsTimeOut() async throws {
        let loop = try RecordingLoop()
        let sender = try RecordingLoop()
        let gates = [Gate(), Gate()]
        loop.post(.hold(gates[0]))
        while loop.loop.mailbox.depth > 0 { await Task.yield() }
        // Both in one round: the deadline is set and passes while the loop stands still, and an answer arrives.
        loop.post(.deadline(NodeClock.now()))
        loop.post(.hold(gates[1]))
        gates[0].open()
        while loop.loop.mailbox.depth > 0 { await Task.yield() }
        sender.send([9], to: loop.endpoint)
        sender.send([0], to: sender.endpoint)
        #expect(await sender.next() == .datagram([0], from: sender.endpoint, listener: 0))
        gates[1].open()
        #expect(await loop.next() == .datagram([9], from: sender.endpoint, listener: 0))
        #expect(await loop.next() == .fired)
    }

    @Test func standstillIsKnownBeforeAnythingCollectedLeaves() async throws {
        let receiver = try RecordingLoop()
        let loop = try RecordingLoop(discardsWhenLate: true) { $0.reportedGap = .milliseconds(60) }
        loop.post(.stall(.milliseconds(70), sending: [1], to: receiver.endpoint))
        var reports: [Seen] = []
        repeat {
            guard let seen = await loop.next(includingLate: true) else { break }
            reports.append(seen)
        } while reports.last.map { if case .late(_, let pending) = $0 { pending == 0 } else { true } } ?? true
        guard case .late(let gap, let pending)? = reports.last else {
            Issue.record("no report of the standstill")
            return
        }
        #expect(gap >= .milliseconds(60))
        #expect(pending == 1)
        #expect(loop.loop.counters.lateRuns.value >= 1)
        // The handler threw away what it had collected: only what came after arrives.
        loop.send([2], to: receiver.endpoint)
        #expect(await receiver.next() == .datagram([2], from: loop.endpoint, listener: 0))
    }

    @Test func messagesArriveInOrder() async throws {
        let loop = try RecordingLoop()
        for number in 0..<1000 { #expect(loop.loop.mailbox.post(.note(number))) }
        for number in 0..<1000 { #expect(await loop.next() == .message(number)) }
    }

    @Test func stoppedLoopHasSentItsLastWordsAndFreedItsPort() async throws {
        let receiver = try RecordingLoop()
        let ending = try RecordingLoop()
        ending.post(.lastWords([42], to: receiver.endpoint))
        ending.post(.note(1))
        #expect(await ending.next() == .message(1))
        ending.loop.stop()
        await ending.loop.waitUntilStopped()
        #expect(await ending.next() == .stopping)
        #expect(await receiver.next() == .datagram([42], from: ending.endpoint, listener: 0))
        #expect(!ending.loop.mailbox.post(.note(2)))
        _ = try DatagramSocket(ending.endpoint)
    }

    @Test func portInUseIsSaidPlainly() throws {
        let taken = try DatagramSocket(.loopback)
        let error = #expect(throws: SocketError.self) {
            _ = try RecordingLoop(listeners: [taken.local])
        }
        #expect(error?.isAddressInUse == true)
        #expect(error?.description == "\(taken.local)/udp: is in use by another process")
    }

    @Test func foreignAddressIsSaidPlainly() throws {
        let error = #expect(throws: SocketError.self) {
            _ = try DatagramSocket(Endpoint(.v4(0xC000_0201), port: 0))
        }
        #expect(error?.description == "192.0.2.1:0/udp: is not an address of this machine")
    }
}
