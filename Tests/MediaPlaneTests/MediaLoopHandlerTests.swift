import Media
import Primitives
import SDP
import Synchronization
import Testing

@testable import MediaPlane
@testable import NetworkIO

/// What the loop told, from whichever thread.
final class Told: Sendable {
    private let events = Mutex<[MediaEvent]>([])
    private let gaps = Mutex<[Duration]>([])
    func add(_ event: MediaEvent) { events.withLock { $0.append(event) } }
    func add(_ gap: Duration) { gaps.withLock { $0.append(gap) } }
    var all: [MediaEvent] { events.withLock { $0 } }
    var standstills: [Duration] { gaps.withLock { $0 } }
    var digits: [Digit] { all.compactMap { if case .digit(let digit) = $0 { digit } else { nil } } }
}

/// A clock that a test sets, or that jumps after so many readings.
final class HandClock: Sendable {
    private let state = Mutex((now: MonotonicTime(nanoseconds: 1_000_000_000), readingsToJump: Int.max))
    func set(_ time: MonotonicTime) { state.withLock { $0.now = time } }
    func jump(after readings: Int) { state.withLock { $0.readingsToJump = readings } }
    func read() -> MonotonicTime {
        state.withLock { state in
            state.readingsToJump -= 1
            if state.readingsToJump == 0 { state.now = state.now + .seconds(6) }
            return state.now
        }
    }
}

/// The inside of the loop under a clock of the test's own; sockets are real, on loopback.
final class Bench {
    static let library = ClipLibrary([(ClipName("clip"), (0..<2000).map { Int16($0 * 4 + 50) })])
    static let clip = PlaylistItem.clip(ClipID(rawValue: 0))
    static let playback = PlaybackID(rawValue: 5)

    let told = Told()
    let counters = MediaLoopCounters()
    let pool: PortPool
    var handler: MediaLoopHandler
    var outbox = Outbox(listeners: 0)
    var now = MonotonicTime(nanoseconds: 1_000_000_000) { didSet { clock.set(now) } }
    /// What the handler reads between packets.
    let clock = HandClock()
    let pulse = SignallingPulse()
    var streams: UInt64 = 0

    init(ports: UInt16, mutesAfter: Duration? = nil) {
        pool = PortPool(address: loopback, first: ports, last: ports + 19)
        var configuration = MediaLoopConfiguration()
        configuration.mutesAfterStandstill = mutesAfter
        let told = told
        handler = MediaLoopHandler(
            configuration: configuration, library: Self.library, seed: 1, counters: counters,
            pulse: pulse, clock: { [clock] in clock.read() }, report: { _, event in told.add(event) },
            standstill: { gap, _ in told.add(gap) })
    }

    func open() throws -> (id: StreamID, rtp: Endpoint) {
        let pair = try pool.take()
        streams += 1
        let id = StreamID(rawValue: streams)
        handler.receive(.open(id, pair), now: now, into: &outbox)
        return (id, pair.rtp.local)
    }

    func command(_ command: StreamCommand, _ id: StreamID) {
        handler.receive(.command(id, command), now: now, into: &outbox)
    }

    /// Lets time pass, a tick at a time, and calls `each` after every one.
    func run(milliseconds: Int) { run(milliseconds: milliseconds) { _ in } }

    func run(milliseconds: Int, each: (Int) throws -> Void) rethrows {
        for tick in 0..<milliseconds / 10 {
            now = now + .milliseconds(10)
            handler.fire(now: now, into: &outbox)
            try each(tick)
        }
    }

    /// The loop is held up, then goes on.
    func jump(_ span: Duration) {
        now = now + span
        if span >= .milliseconds(100) { handler.ranLate(by: span, now: now, into: &outbox) }
        handler.fire(now: now, into: &outbox)
    }

    deinit { handler.stopping(now: now, into: &outbox) }
}

@Suite struct MediaLoopHandlerTests {
    @Test(arguments: [10, 20, 30, 40, 50, 60]) func everyFrameLengthIsPaced(ptime: Int) throws {
        let bench = Bench(ports: 26_000 + UInt16(ptime) * 2)
        let phone = try Phone()
        let stream = try bench.open()
        bench.command(.apply(phone.agreement(ptime: ptime)), stream.id)
        var arrivals: [Int] = []
        bench.run(milliseconds: 1200) { tick in
            for packet in phone.heard() {
                arrivals.append(tick * 10)
                #expect(packet.payload.count == ptime * 8)
            }
        }
        // The first one waits for the slice of its stream, a tick at most.
        #expect((1200 / ptime - 1...1200 / ptime).contains(arrivals.count))
        #expect(zip(arrivals, arrivals.dropFirst()).allSatisfy { $1 - $0 == ptime })
    }

    @Test func streamsShareTwoSlicesEvenly() throws {
        let bench = Bench(ports: 26_200)
        let phones = try (0..<6).map { _ in try Phone() }
        for phone in phones { bench.command(.apply(phone.agreement()), try bench.open().id) }
        bench.run(milliseconds: 40)
        for phone in phones { _ = phone.heard() }
        var perTick: [Int] = []
        bench.run(milliseconds: 40) { _ in perTick.append(phones.reduce(0) { $0 + $1.heard().count }) }
        #expect(perTick == [3, 3, 3, 3])
    }

    @Test func playsTellsAndFallsSilent() throws {
        let bench = Bench(ports: 26_240)
        let phone = try Phone()
        let stream = try bench.open()
        bench.command(.apply(phone.agreement()), stream.id)
        bench.command(.play([Bench.clip], id: Bench.playback), stream.id)
        bench.run(milliseconds: 300)
        #expect(bench.told.all == [.finishedPlaying(Bench.playback)])
        let payload = phone.heard().flatMap(\.payload)
        #expect(payload.prefix(2000) == Array(Bench.library.audio.bytes(ClipID(rawValue: 0), as: .pcma))[...])
        #expect(payload.count == 15 * 160 && payload.suffix(320).allSatisfy { $0 == 0xD5 })
        bench.command(.play(Array(repeating: Bench.clip, count: 5000), id: Bench.playback), stream.id)
        #expect(bench.told.all.count == 2, "a list that is not taken must not keep its call waiting")
    }

    @Test func echoComesBackWithinFortyMilliseconds() throws {
        for frame in [20, 60] {
            let bench = Bench(ports: frame == 20 ? 26_260 : 26_280)
            let phone = try Phone()
            let stream = try bench.open()
            bench.command(.apply(phone.agreement(ptime: frame)), stream.id)
            bench.command(.echo, stream.id)
            bench.run(milliseconds: 60)
            _ = phone.heard()
            var came: Int?
            try phone.say([UInt8](repeating: 0x11, count: frame * 8), to: stream.rtp)
            bench.run(milliseconds: 100) { tick in
                if phone.heard().contains(where: { $0.payload[0] == 0x11 }), came == nil { came = (tick + 1) * 10 }
            }
            #expect(try #require(came) <= max(40, frame + 20))
        }
    }

    @Test func digitsAreReadWithinTwentyMillisecondsAtEveryFrameLength() throws {
        for (index, frame) in [20, 60].enumerated() {
            let bench = Bench(ports: 26_300 + UInt16(index) * 20)
            let phone = try Phone()
            let stream = try bench.open()
            bench.command(.apply(phone.agreement(ptime: frame)), stream.id)
            bench.run(milliseconds: 50)
            try phone.say([7, 10, 0, 160], type: 101, to: stream.rtp)
            bench.run(milliseconds: 20)
            #expect(bench.told.digits == [Digit("7")])
            #expect(bench.told.all.first == .latched(phone.rtp.local))
        }
    }

    @Test func eventsThatAreNoKeysAndLateOnesAreCounted() throws {
        let bench = Bench(ports: 26_400)
        let phone = try Phone()
        let stream = try bench.open()
        bench.command(.apply(phone.agreement()), stream.id)
        bench.run(milliseconds: 40)
        // RFC 4733 §3.2, table 7: 16 is a hook flash.
        for event in [16, 16, 200] as [UInt8] { try phone.say([event, 10, 0, 160], type: 101, to: stream.rtp) }
        try phone.say([7, 10, 0, 160], type: 101, timestamp: 4000, to: stream.rtp)
        try phone.say([8, 10, 0, 160], type: 101, timestamp: 3000, to: stream.rtp)
        bench.run(milliseconds: 40)
        #expect(bench.told.digits == [Digit("7")])
        #expect(bench.counters.eventsOutOfRange.value == 3)
        #expect(bench.counters.eventsLate.value == 1)
    }

    @Test func callsInProgressPlayFromALibraryThatCameLater() throws {
        let bench = Bench(ports: 26_420)
        let phone = try Phone()
        let stream = try bench.open()
        bench.command(.apply(phone.agreement()), stream.id)
        let next = ClipLibrary([(ClipName("new"), [Int16](repeating: 9000, count: 320))], succeeding: Bench.library)
        let id = try #require(next.id(ClipName("new")))
        bench.handler.receive(.library(next), now: bench.now, into: &bench.outbox)
        bench.command(.play([.clip(id)], id: Bench.playback), stream.id)
        bench.run(milliseconds: 60)
        #expect(phone.heard().flatMap(\.payload).filter { $0 == G711.alaw(9000) }.count == 320)
    }

    @Test func aLateTickSendsThreePacketsAtMostAndCountsTheRest() throws {
        let bench = Bench(ports: 26_340)
        let phone = try Phone()
        bench.command(.apply(phone.agreement()), try bench.open().id)
        bench.run(milliseconds: 40)
        let before = try #require(phone.heard().last)
        bench.jump(.milliseconds(45))
        let short = phone.heard()
        #expect(short.count == 2 && bench.counters.late.value == 1)
        #expect(short.last?.header.timestamp == before.header.timestamp &+ 320)
        bench.jump(.seconds(2))
        let long = phone.heard()
        #expect(long.count == 3)
        // The clock of the stream went on; the sequence has no hole.
        let sinceFirst = try #require(long.last).header.timestamp &- before.header.timestamp
        #expect(abs(Int(sinceFirst) - 2045 * 8) <= 160)
        #expect(long.last?.header.sequence == before.header.sequence &+ 5)
        #expect(bench.told.standstills == [.seconds(2)])
        #expect(bench.counters.late.value >= 98)
        bench.run(milliseconds: 100)
        #expect(phone.heard().count == 5)
    }

    @Test func aStandstillMutesUntilTheNodeIsSureAgain() throws {
        let bench = Bench(ports: 26_360, mutesAfter: .milliseconds(400))
        let phone = try Phone()
        bench.command(.apply(phone.agreement()), try bench.open().id)
        bench.run(milliseconds: 40)
        _ = phone.heard()
        bench.jump(.milliseconds(500))
        bench.run(milliseconds: 200)
        #expect(phone.heard().isEmpty)
        bench.handler.receive(.mute(false, asOf: bench.now), now: bench.now, into: &bench.outbox)
        bench.run(milliseconds: 40)
        let heard = phone.heard()
        #expect(heard.count == 2 && heard.first?.header.marker == true)
    }

    /// It was said before anybody knew of the standstill, and waited in the mailbox.
    @Test func unmutingFromBeforeTheStandstillIsVoid() throws {
        let bench = Bench(ports: 26_620, mutesAfter: .milliseconds(400))
        let phone = try Phone()
        bench.command(.apply(phone.agreement()), try bench.open().id)
        bench.run(milliseconds: 40)
        _ = phone.heard()
        let before = bench.now
        bench.jump(.seconds(6))
        bench.handler.receive(.mute(false, asOf: before), now: bench.now, into: &bench.outbox)
        bench.run(milliseconds: 100)
        #expect(phone.heard().isEmpty)
        bench.handler.receive(.mute(false, asOf: bench.now), now: bench.now, into: &bench.outbox)
        bench.run(milliseconds: 40)
        #expect(!phone.heard().isEmpty)
    }

    /// A process can be stopped between two packets of one tick: the rest of them must not leave when it goes on.
    @Test func standstillInTheMiddleOfATickStopsTheRest() throws {
        let bench = Bench(ports: 26_640, mutesAfter: .milliseconds(400))
        let phones = try (0..<4).map { _ in try Phone() }
        for phone in phones { bench.command(.apply(phone.agreement()), try bench.open().id) }
        bench.run(milliseconds: 40)
        for phone in phones { _ = phone.heard() }
        bench.clock.jump(after: 2)
        bench.run(milliseconds: 10)
        // Two are served in a tick: the first one's packet left before.
        #expect(phones.map { $0.heard().count }.reduce(0, +) == 1)
        bench.run(milliseconds: 100)
        #expect(phones.allSatisfy { $0.heard().isEmpty })
    }

    /// Who cannot answer the masters may have been fenced, however well the audio runs.
    @Test func signallingThatStandsStillMutesTheAudio() throws {
        let bench = Bench(ports: 26_660, mutesAfter: .milliseconds(400))
        let phone = try Phone()
        bench.command(.apply(phone.agreement()), try bench.open().id)
        bench.pulse.beat(at: bench.now)
        bench.run(milliseconds: 390)
        #expect(!phone.heard().isEmpty)
        bench.run(milliseconds: 20)
        _ = phone.heard()
        bench.run(milliseconds: 200)
        #expect(phone.heard().isEmpty)
        // It runs again, and was confirmed.
        bench.pulse.beat(at: bench.now)
        bench.handler.receive(.mute(false, asOf: bench.now), now: bench.now, into: &bench.outbox)
        bench.run(milliseconds: 40)
        #expect(phone.heard().count == 2)
    }

    /// The word might be lost with a full mailbox, and then nobody would lift the silence.
    @Test func standstillIsToldAgainWhileItLasts() throws {
        let bench = Bench(ports: 26_680, mutesAfter: .milliseconds(400))
        let phone = try Phone()
        bench.command(.apply(phone.agreement()), try bench.open().id)
        bench.jump(.milliseconds(500))
        bench.run(milliseconds: 2_500)
        #expect(bench.told.standstills == [.milliseconds(500), .milliseconds(500), .milliseconds(500)])
        bench.handler.receive(.mute(false, asOf: bench.now), now: bench.now, into: &bench.outbox)
        bench.run(milliseconds: 2_500)
        #expect(bench.told.standstills.count == 3)
    }

    @Test func reportsGoOutAboutEveryFiveSecondsAndGoodbyeAtTheEnd() throws {
        let bench = Bench(ports: 26_380)
        let phone = try Phone()
        let stream = try bench.open()
        bench.command(.apply(phone.agreement()), stream.id)
        bench.run(milliseconds: 31_000)
        let reports = phone.reports()
        #expect((5...8).contains(reports.count))
        #expect(reports.allSatisfy { $0[1] == 200 })
        #expect(bench.counters.reportsSent.value == UInt64(reports.count))
        let reader = Endpoint(stream.rtp.address, port: stream.rtp.port + 1)
        try phone.send([0x80, 201, 0, 1, 0, 0, 0, 9], from: phone.rtcp, to: reader)
        bench.run(milliseconds: 1100)
        #expect(bench.counters.reportsReceived.value == 1)
        bench.command(.close, stream.id)
        let goodbye = try #require(phone.reports().last)
        #expect(goodbye.suffix(8).prefix(2) == [0x81, 203])
    }

    @Test func closedStreamsGiveTheirPortsBackAndHearNothing() throws {
        let bench = Bench(ports: 26_400)
        let phone = try Phone()
        let first = try bench.open()
        let second = try bench.open()
        #expect(bench.pool.available == 8)
        bench.command(.apply(phone.agreement()), first.id)
        bench.command(.close, first.id)
        bench.command(.close, first.id)
        bench.command(.play([Bench.clip], id: Bench.playback), first.id)
        #expect(bench.pool.available == 9)
        _ = phone.heard()
        bench.run(milliseconds: 100)
        #expect(phone.heard().isEmpty && bench.told.all.isEmpty)
        bench.command(.close, second.id)
        #expect(bench.handler.nextDeadline() == nil, "a loop without streams sleeps")
        let third = try bench.open()
        bench.command(.apply(phone.agreement()), third.id)
        bench.run(milliseconds: 100)
        #expect(phone.heard().count == 5)
    }

    @Test func aFloodAtOnePortDoesNotHoldUpTheOthers() throws {
        let bench = Bench(ports: 26_420)
        let (phone, attacker) = (try Phone(), try Phone())
        let (first, second) = (try bench.open(), try bench.open())
        bench.command(.apply(attacker.agreement()), first.id)
        bench.command(.apply(phone.agreement()), second.id)
        for _ in 0..<100 { try attacker.send([UInt8](repeating: 0xFF, count: 1500), from: attacker.rtp, to: first.rtp) }
        bench.run(milliseconds: 40)
        #expect(bench.counters.oversized.value == 16)
        #expect(phone.heard().count == 2)
    }
}
