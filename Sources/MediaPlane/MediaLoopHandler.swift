import Media
import NetworkIO
import Primitives

/// What other threads say to a media loop.
enum MediaLoopMessage: Sendable {
    case open(StreamID, PortPair)
    case command(StreamID, StreamCommand)
    /// Everything goes on, but nothing leaves. Unmuting counts if it is no older than the last standstill.
    case mute(Bool, asOf: MonotonicTime?)
    /// Streams play from it from now on.
    case library(ClipLibrary)
}

/// The inside of a media loop: all its streams, served in two slices of 20 ms. It uses the datagram loop for its
/// thread, mailbox and deadlines; the streams' sockets are never waited for, only read when their stream is served.
struct MediaLoopHandler: DatagramHandler {
    static let tick = Duration.milliseconds(10)
    private static let tickNanoseconds: Int64 = 10_000_000
    private static let never = Int64.max
    private static let repetition = Duration.seconds(1)

    private let configuration: MediaLoopConfiguration
    private let report: @Sendable (StreamID, MediaEvent) -> Void
    private let standstill: @Sendable (Duration, MonotonicTime) -> Void
    private let pulse: SignallingPulse
    private let counters: MediaLoopCounters
    /// Held for the streams, which point into it.
    private var library: ClipLibrary

    private var worker: StreamWorker
    private let slots: SlotTable
    /// How many places of the table were ever used.
    private var used = 0
    /// The tick at which each slot is served next, apart from the slots so that a tick looks through few cache lines.
    private var due: [Int64] = []
    private var freeSlots: [Int] = []
    private var places: [StreamID: Int] = [:]
    /// Streams in either slice.
    private var load = [0, 0]
    private var currentTick: Int64 = 0
    private var nextTickTime: MonotonicTime?
    private var isMuted = false
    /// The last standstill that muted: how long it was, when it ended, and when it was told last. Until it is lifted.
    private var doubt: (gap: Duration, end: MonotonicTime, told: MonotonicTime)?
    /// Unmuting as of a time before this is void.
    private var mutedAsOf: MonotonicTime?

    init(
        configuration: MediaLoopConfiguration, library: ClipLibrary, seed: UInt64, counters: MediaLoopCounters,
        pulse: SignallingPulse = SignallingPulse(), clock: @escaping @Sendable () -> MonotonicTime = NodeClock.now,
        report: @escaping @Sendable (StreamID, MediaEvent) -> Void,
        standstill: @escaping @Sendable (Duration, MonotonicTime) -> Void
    ) {
        self.configuration = configuration
        self.library = library
        self.counters = counters
        self.report = report
        self.standstill = standstill
        self.pulse = pulse
        worker = StreamWorker(
            random: SeededRandom(seed: seed), silentAfter: configuration.mutesAfterStandstill, clock: clock)
        slots = SlotTable(capacity: configuration.streamLimit)
    }

    // MARK: Messages

    mutating func receive(_ message: MediaLoopMessage, now: MonotonicTime, into outbox: inout Outbox) {
        worker.lastAlive = now
        switch message {
        case .open(let id, let ports): open(id, ports, now)
        case .command(let id, .close): close(id, now)
        case .command(let id, let command): perform(command, on: id, now)
        case .mute(true, _): mute(true)
        case .mute(false, let asOf): unmute(asOf: asOf)
        case .library(let library): use(library)
        }
    }

    private mutating func open(_ id: StreamID, _ ports: PortPair, _ now: MonotonicTime) {
        var stream = MediaStream(
            options: configuration.stream, audio: library.audio, random: &worker.random, now: now)
        stream.isMuted = isMuted
        let slot = StreamSlot(id: id, stream: stream, ports: ports, now: now, worker: &worker)
        let place: Int
        if let free = freeSlots.popLast() {
            place = free
        } else {
            place = used
            used += 1
            due.append(Self.never)
        }
        slots.put(slot, at: place)
        places[id] = place
        if places.count == 1 { nextTickTime = now + Self.tick }
        // Into the emptier slice: its next tick is at most two away.
        let slice = load[0] <= load[1] ? 0 : 1
        load[slice] += 1
        due[place] = currentTick + (Int((currentTick + 1) & 1) == slice ? 1 : 2)
    }

    private mutating func perform(_ command: StreamCommand, on id: StreamID, _ now: MonotonicTime) {
        // Of a stream that was closed meanwhile.
        guard let place = places[id] else { return }
        switch command {
        case .apply(let agreement, let signalledFrom, let former):
            slots[place].pointee.stream.apply(agreement, signalledFrom: signalledFrom, former: former, now: now)
            slots[place].pointee.pace()
        case .play(let items, let playback, let stopsOnDigit, let loops):
            let taken = slots[place].pointee.stream.play(items, id: playback, stopsOnDigit: stopsOnDigit, loops: loops)
            // Too long a list is as good as spoken: the call must not wait for its end.
            if !taken { report(id, .finishedPlaying(playback)) }
        case .echo: slots[place].pointee.stream.echo()
        case .stop: slots[place].pointee.stream.stop()
        case .press(let digits, let pressMs, let pauseMs):
            _ = slots[place].pointee.stream.send(digits, pressMs: pressMs, pauseMs: pauseMs)
        case .close: break
        }
    }

    private mutating func close(_ id: StreamID, _ now: MonotonicTime) {
        guard let place = places.removeValue(forKey: id) else { return }
        slots[place].pointee.finish(worker: &worker, now: now)
        slots.remove(at: place)
        load[Int(due[place] & 1)] -= 1
        due[place] = Self.never
        freeSlots.append(place)
        if places.isEmpty { nextTickTime = nil }
        counters.streams.wrappingSubtract(1, ordering: .relaxed)
    }

    private mutating func mute(_ isMuted: Bool) {
        self.isMuted = isMuted
        for place in places.values { slots[place].pointee.stream.isMuted = isMuted }
    }

    private mutating func unmute(asOf: MonotonicTime?) {
        if let asOf, let mutedAsOf, asOf < mutedAsOf { return }
        doubt = nil
        worker.isSilent = false
        mute(false)
    }

    /// Nothing leaves until it is lifted as of a later time.
    private mutating func fallSilent(after gap: Duration, asOf end: MonotonicTime, now: MonotonicTime) {
        mutedAsOf = max(mutedAsOf ?? end, end)
        doubt = (gap, end, now)
        mute(true)
    }

    /// The other thread's standstill is this one's too; and one's own is said again, should the word have been lost.
    private mutating func lookForStandstills(_ now: MonotonicTime) {
        guard let limit = configuration.mutesAfterStandstill else { return }
        if let beat = pulse.lastBeat, now - beat >= limit {
            // It tells of itself when it runs again, and lifts this as of then.
            mutedAsOf = max(mutedAsOf ?? beat, beat + .nanoseconds(1))
            if !isMuted { mute(true) }
        }
        if let doubt, now - doubt.told >= Self.repetition {
            self.doubt?.told = now
            standstill(doubt.gap, doubt.end)
        }
    }

    private mutating func use(_ next: ClipLibrary) {
        for place in places.values { slots[place].pointee.stream.use(next.audio) }
        // The former one is freed here: no stream points into it any more.
        library = next
    }

    // MARK: Ticks

    mutating func nextDeadline() -> MonotonicTime? { nextTickTime }

    mutating func fire(now: MonotonicTime, into outbox: inout Outbox) {
        guard let time = nextTickTime, time <= now else { return }
        worker.lastAlive = now
        lookForStandstills(now)
        let ticks = (now - time).wholeNanoseconds / Self.tickNanoseconds + 1
        currentTick += ticks
        nextTickTime = time + .nanoseconds(ticks * Self.tickNanoseconds)
        for place in due.indices where due[place] <= currentTick { serve(place, now) }
        publish()
    }

    private mutating func serve(_ place: Int, _ now: MonotonicTime) {
        let step = slots[place].pointee.step
        let services = Int((currentTick - due[place]) / Int64(step)) + 1
        slots[place].pointee.serve(services, worker: &worker, now: now)
        let before = due[place]
        due[place] = before + Int64(services * step)
        if step == 1, (due[place] ^ before) & 1 != 0 {
            load[Int(before & 1)] -= 1
            load[Int(due[place] & 1)] += 1
        }
        guard !worker.events.isEmpty else { return }
        let id = slots[place].pointee.id
        for event in worker.events { report(id, event) }
        worker.events.removeAll(keepingCapacity: true)
    }

    private mutating func publish() {
        counters.packetsSent.store(worker.packetsSent, ordering: .relaxed)
        counters.packetsReceived.store(worker.packetsReceived, ordering: .relaxed)
        counters.reportsSent.store(worker.reportsSent, ordering: .relaxed)
        counters.reportsReceived.store(worker.reportsReceived, ordering: .relaxed)
        counters.unsent.store(worker.unsent, ordering: .relaxed)
        counters.socketErrors.store(worker.socketErrors, ordering: .relaxed)
        counters.late.store(worker.late, ordering: .relaxed)
        counters.oversized.store(worker.oversized, ordering: .relaxed)
        counters.eventsOutOfRange.store(worker.eventsOutOfRange, ordering: .relaxed)
        counters.eventsLate.store(worker.eventsLate, ordering: .relaxed)
    }

    // MARK: The loop's own

    mutating func ranLate(by gap: Duration, now: MonotonicTime, into outbox: inout Outbox) {
        worker.lastAlive = now
        if let limit = configuration.mutesAfterStandstill, gap >= limit { fallSilent(after: gap, asOf: now, now: now) }
        standstill(gap, now)
    }

    mutating func stopping(now: MonotonicTime, into outbox: inout Outbox) {
        for id in Array(places.keys) { close(id, now) }
        publish()
        worker.release()
        slots.release()
    }

    /// The loop has no listeners.
    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, from source: Endpoint, listener: UInt16, now: MonotonicTime,
        into outbox: inout Outbox
    ) {}
}
