import CDatagram
import Glibc
import Media
import NetworkIO
import Primitives

/// What serving a tick needs besides the streams: buffers that all of them share, and the sums for the counters.
struct StreamWorker {
    /// Datagrams read from a stream's socket in one go: more than 160 ms of audio at the shortest ptime. What a flood
    /// brings beyond that stays in the kernel and is dropped there.
    static let drainLimit = 8
    /// Longer than any packet of 60 ms with extensions.
    static let datagramLimit = 1024

    let batch = ReceiveBatch(capacity: StreamWorker.drainLimit, datagramLimit: StreamWorker.datagramLimit)
    let buffer: UnsafeMutableRawBufferPointer
    var events: [MediaEvent] = []
    var random: SeededRandom

    var packetsSent: UInt64 = 0
    var packetsReceived: UInt64 = 0
    var reportsSent: UInt64 = 0
    var reportsReceived: UInt64 = 0
    var unsent: UInt64 = 0
    var socketErrors: UInt64 = 0
    var late: UInt64 = 0
    var oversized: UInt64 = 0
    var eventsOutOfRange: UInt64 = 0
    var eventsLate: UInt64 = 0

    /// When this thread was seen to run last.
    var lastAlive = MonotonicTime.zero
    /// It stood still since, in the middle of its work: nothing more leaves until that is lifted.
    var isSilent = false
    private let silentAfter: Duration?
    private let clock: @Sendable () -> MonotonicTime

    /// The buffer is freed by `release()`, when the loop ends.
    /// - Parameter silentAfter: a standstill of so long, even between two packets, ends all sending.
    init(
        random: SeededRandom, silentAfter: Duration? = nil,
        clock: @escaping @Sendable () -> MonotonicTime = NodeClock.now
    ) {
        self.random = random
        self.silentAfter = silentAfter
        self.clock = clock
        buffer = .allocate(byteCount: MediaStream.maximumPacketBytes, alignment: 16)
        events.reserveCapacity(16)
    }

    func release() { buffer.deallocate() }

    mutating func send(_ length: Int, to destination: Endpoint, on descriptor: Int32) -> Bool {
        guard mayStillSend() else { return false }
        var address = cdg_address(destination)
        if cdg_send(descriptor, &address, buffer.baseAddress, UInt32(truncatingIfNeeded: length), nil, 0) == 0 {
            return true
        }
        unsent &+= 1
        return false
    }

    /// A process can be stopped anywhere, also between two packets of one tick: so the clock is read before each.
    private mutating func mayStillSend() -> Bool {
        guard let silentAfter else { return true }
        guard !isSilent else { return false }
        let now = clock()
        isSilent = now - lastAlive >= silentAfter
        lastAlive = now
        return !isSilent
    }

    /// Reads what waits at a socket into the batch; 0 after an error, which is counted. The error of a datagram that
    /// went astray hides what waits behind it, so it is asked once more.
    mutating func drain(_ descriptor: Int32) -> Int {
        for _ in 0..<2 {
            let count = batch.receive(from: descriptor, limit: Self.drainLimit)
            if count >= 0 { return count }
            socketErrors &+= 1
        }
        return 0
    }
}

/// One stream with its sockets and its place in time.
struct StreamSlot {
    static let reportIntervalMs: Int64 = 5000
    static let reportDrainMs: Int64 = 1000
    /// Frames sent at once at most when the loop was late; older ones are skipped.
    static let burstLimit = 3

    let id: StreamID
    var stream: MediaStream
    private let ports: PortPair
    // Copied out of the pair, so that a tick touches no reference count.
    private let rtp: Int32
    private let rtcp: Int32
    /// Ticks of 10 ms from one service to the next: 2, or 1 where the frame length needs it. What arrives is read at
    /// each service, so nothing waits longer than 20 ms.
    private(set) var step = 2
    /// Services from one packet to the next, and how many are left to it.
    private var servicesPerPacket = 1
    private var countdown = 1
    private var nextReport: MonotonicTime
    private var nextReportDrain: MonotonicTime

    init(id: StreamID, stream: MediaStream, ports: PortPair, now: MonotonicTime, worker: inout StreamWorker) {
        self.id = id
        self.stream = stream
        self.ports = ports
        rtp = ports.rtp.descriptor
        rtcp = ports.rtcp.descriptor
        nextReport = now
        nextReportDrain = now + .milliseconds(Self.reportDrainMs)
        scheduleReport(now, &worker)
    }

    /// Takes over a frame length that an agreement changed.
    mutating func pace() {
        let ticks = stream.ptimeMs / 10
        let newStep = ticks % 2 == 0 ? 2 : 1
        guard newStep != step || ticks / newStep != servicesPerPacket else { return }
        step = newStep
        servicesPerPacket = ticks / newStep
        countdown = 1
    }

    /// Reads what came, then sends what is due.
    /// - Parameter services: how many services this one stands for; more than one when the loop was late.
    mutating func serve(_ services: Int, worker: inout StreamWorker, now: MonotonicTime) {
        receive(&worker, now)
        var due = 0
        if services >= countdown { due = 1 + (services - countdown) / servicesPerPacket }
        countdown = due == 0 ? countdown - services : servicesPerPacket - (services - countdown) % servicesPerPacket
        if due > 1 {
            worker.late &+= UInt64(due - 1)
            if due > Self.burstLimit { stream.skipTicks(due - Self.burstLimit) }
            due = min(due, Self.burstLimit)
        }
        for _ in 0..<due {
            let length = stream.nextPacket(into: worker.buffer, now: now, events: &worker.events)
            if length > 0, let destination = stream.destination, worker.send(length, to: destination, on: rtp) {
                worker.packetsSent &+= 1
            }
        }
        if now >= nextReportDrain { receiveReports(&worker, now) }
        if now >= nextReport { sendReport(&worker, now, isGoodbye: false) }
    }

    /// The last words of a stream.
    mutating func finish(worker: inout StreamWorker, now: MonotonicTime) {
        sendReport(&worker, now, isGoodbye: true)
    }

    private mutating func receive(_ worker: inout StreamWorker, _ now: MonotonicTime) {
        let count = worker.drain(rtp)
        guard count > 0 else { return }
        worker.packetsReceived &+= UInt64(count)
        let (outOfRange, late) = (stream.counters.eventsOutOfRange, stream.counters.eventsLate)
        for index in 0..<count {
            guard let bytes = worker.batch.bytes(index), let source = worker.batch.source(index) else {
                worker.oversized &+= 1
                continue
            }
            stream.received(bytes, from: source, now: now, events: &worker.events)
        }
        worker.eventsOutOfRange &+= UInt64(stream.counters.eventsOutOfRange &- outOfRange)
        worker.eventsLate &+= UInt64(stream.counters.eventsLate &- late)
    }

    private mutating func receiveReports(_ worker: inout StreamWorker, _ now: MonotonicTime) {
        nextReportDrain = now + .milliseconds(Self.reportDrainMs)
        let count = worker.drain(rtcp)
        guard count > 0 else { return }
        let wallClock = NTPTime.now()
        worker.reportsReceived &+= UInt64(count)
        for index in 0..<count {
            guard let bytes = worker.batch.bytes(index), let source = worker.batch.source(index) else {
                worker.oversized &+= 1
                continue
            }
            stream.receivedReport(bytes, from: source, now: now, wallClock: wallClock)
        }
    }

    private mutating func sendReport(_ worker: inout StreamWorker, _ now: MonotonicTime, isGoodbye: Bool) {
        scheduleReport(now, &worker)
        guard let destination = stream.reportDestination else { return }
        let length = stream.nextReport(
            into: worker.buffer, now: now, wallClock: NTPTime.now(), isGoodbye: isGoodbye)
        if length > 0, worker.send(length, to: destination, on: rtcp) { worker.reportsSent &+= 1 }
    }

    /// RFC 3550 §6.2: spread around the interval, so that streams that started together do not report together.
    private mutating func scheduleReport(_ now: MonotonicTime, _ worker: inout StreamWorker) {
        let spread = Int64(worker.random.next() % UInt64(Self.reportIntervalMs / 2))
        nextReport = now + .milliseconds(Self.reportIntervalMs * 3 / 4 + spread)
    }
}

extension NTPTime {
    /// The machine's wall clock.
    static func now() -> NTPTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return NTPTime(unixSeconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }
}

/// Room for the streams of a loop, in one piece of memory that never moves. An array would do, but changing an element
/// of one in place is only what the optimiser chooses to do: here, it copied a kilobyte and counted references for each
/// packet. Which places are filled is the loop's to know. Freed by `release()`, when all are empty.
struct SlotTable {
    private let base: UnsafeMutablePointer<StreamSlot>
    private let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        // Pages that no stream ever reached are not resident.
        base = .allocate(capacity: max(capacity, 1))
    }

    /// A filled place, to be read and changed where it lies.
    subscript(place: Int) -> UnsafeMutablePointer<StreamSlot> { base + place }

    func put(_ slot: consuming StreamSlot, at place: Int) {
        precondition((0..<capacity).contains(place), "place \(place) of \(capacity) streams")
        (base + place).initialize(to: slot)
    }

    func remove(at place: Int) { (base + place).deinitialize(count: 1) }
    func release() { base.deallocate() }
}
