import Media
import NetworkIO
import Primitives
import SDP

/// What the signalling thread says to the audio thread.
enum CallerMediaMail: Sendable {
    case talk(Int, DatagramSocket, MediaAgreement, at: MonotonicTime)
    case press(Int, [Digit])
    case awaitPause(Int)
    case close(Int, at: MonotonicTime)
}

/// The audio of all callers on one thread: it sends at ticks of 10 ms, each call in one of two slices, and reads a
/// call's socket every 100 ms only. The kernel stamps arrivals when they happen, so gaps are exact however late they
/// are read.
struct CallerMediaHandler: DatagramHandler {
    typealias Report = @Sendable (CallersEvent) -> Void

    static let tickNanoseconds: Int64 = 10_000_000
    static let readIntervalTicks = 10
    /// Datagrams a system call; 640 ms of audio.
    private static let batchSize = 32
    /// System calls for one reading: more than the socket's buffer holds.
    private static let readLimit = 64
    private static let datagramLimit = 1024
    private static let never = Int64.max
    /// Packets of one call after a standstill, at once; older ones are left out.
    private static let burstLimit = 3
    /// Audio that came so long before the 200 was handled belongs to the call; older is early media of no interest.
    private static let earliness = Duration.milliseconds(-100)

    private let report: Report
    private let batch = ReceiveBatch(
        capacity: CallerMediaHandler.batchSize, datagramLimit: CallerMediaHandler.datagramLimit)
    private let packet = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 16)
    private let tones = Tones()
    private var random: SeededRandom
    private let lines: UnsafeMutablePointer<MediaLine>
    /// By place; the tick at which it sends next.
    private var due: [Int64]
    /// Places that were used since none was: where a tick looks.
    private var used = 0
    private var free: [Int] = []
    private var places: [Int: Int] = [:]
    private var currentTick: Int64 = 0
    private var nextTickTime: MonotonicTime?

    init(capacity: Int, seed: UInt64, report: @escaping Report) {
        self.report = report
        random = SeededRandom(seed: seed)
        lines = .allocate(capacity: capacity)
        due = Array(repeating: Self.never, count: capacity)
    }

    // MARK: Messages

    mutating func receive(_ mail: CallerMediaMail, now: MonotonicTime, into outbox: inout Outbox) {
        switch mail {
        case .talk(let number, let socket, let agreement, let time):
            talk(number, socket, agreement, at: time, now)
        case .press(let number, let digits):
            guard let place = places[number] else { return }
            // Keys that cannot be sent count as pressed: the report says that the other side takes none.
            if !lines[place].press(digits) { report(.pressed(number)) }
        case .awaitPause(let number):
            guard let place = places[number] else { return }
            lines[place].detector = PauseDetector(since: now)
        case .close(let number, let time): close(number, at: time)
        }
    }

    private mutating func talk(
        _ number: Int, _ socket: DatagramSocket, _ agreement: MediaAgreement, at time: MonotonicTime,
        _ now: MonotonicTime
    ) {
        if let place = places[number] {
            // What waits came under the former agreement, save for what a few milliseconds brought.
            read(place, until: .distantFuture)
            lines[place].apply(agreement, at: time)
            return
        }
        guard let place = free.popLast() ?? (used < due.count ? used : nil) else { return }
        used = max(used, place + 1)
        (lines + place).initialize(
            to: MediaLine(number: number, socket: socket, agreement: agreement, at: time, random: &random))
        places[number] = place
        if nextTickTime == nil { nextTickTime = now }
        due[place] = currentTick + 1 + Int64(number & 1)
        // Readings of many calls are spread over the interval.
        lines[place].readCountdown = number % Self.readIntervalTicks
    }

    private mutating func close(_ number: Int, at time: MonotonicTime) {
        guard let place = places.removeValue(forKey: number) else { return }
        read(place, until: time)
        lines[place].meter.end(at: time)
        let (meter, overrun) = (lines[place].meter, lines[place].socket.dropped)
        (lines + place).deinitialize(count: 1)
        due[place] = Self.never
        free.append(place)
        if places.isEmpty {
            nextTickTime = nil
            free = []
            used = 0
        }
        report(.heard(number, meter, overrun: overrun))
    }

    // MARK: Ticks

    mutating func nextDeadline() -> MonotonicTime? { nextTickTime }

    mutating func fire(now: MonotonicTime, into outbox: inout Outbox) {
        guard let time = nextTickTime, time <= now else { return }
        let ticks = (now - time).wholeNanoseconds / Self.tickNanoseconds + 1
        currentTick += ticks
        nextTickTime = time + .nanoseconds(ticks * Self.tickNanoseconds)
        for place in 0..<used where due[place] <= currentTick { serve(place) }
    }

    private mutating func serve(_ place: Int) {
        let step = Int64(lines[place].step)
        let packets = (currentTick - due[place]) / step + 1
        due[place] += packets * step
        for _ in 0..<min(packets, Int64(Self.burstLimit)) where lines[place].send(packet, tones: tones) {
            report(.pressed(lines[place].number))
        }
        lines[place].readCountdown -= Int(packets * step)
        if lines[place].readCountdown <= 0 {
            lines[place].readCountdown = Self.readIntervalTicks
            read(place, until: .distantFuture)
        }
    }

    // MARK: Reading

    /// Takes everything that waits at a call's socket and arrived before `end`.
    private mutating func read(_ place: Int, until end: MonotonicTime) {
        let descriptor = lines[place].descriptor
        // Between two readings civil time may have been set; each has its own difference of the clocks.
        let offset = NodeClock.civilOffset()
        let now = NodeClock.now()
        let earliest = lines[place].meter.begun + Self.earliness
        for _ in 0..<Self.readLimit {
            let count = batch.receiveStamped(from: descriptor)
            guard count > 0 else { return }
            for index in 0..<count {
                guard let bytes = batch.bytes(index) else { continue }
                let stamped = batch.arrival(index).map { MonotonicTime(nanoseconds: $0 &- offset) } ?? now
                let arrival = min(stamped, now)
                guard arrival >= earliest, arrival <= end else { continue }
                if lines[place].heard(bytes, at: arrival) { report(.paused(lines[place].number)) }
            }
            if count < Self.batchSize { return }
        }
    }

    mutating func stopping(now: MonotonicTime, into outbox: inout Outbox) {
        for place in places.values { (lines + place).deinitialize(count: 1) }
        places = [:]
        lines.deallocate()
        packet.deallocate()
        tones.release()
        nextTickTime = nil
        used = 0
    }

    // No datagrams come to a loop without listeners.
    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, from source: Endpoint, listener: UInt16, now: MonotonicTime,
        into outbox: inout Outbox
    ) {}
}
