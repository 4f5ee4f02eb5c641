import CDatagram
import Glibc
import Primitives

/// The inside of a datagram loop; lives on its thread. Not generic itself: generic code of another module is not
/// specialised for a handler, and looking up its types at run time cost a third of the loop's own time.
struct LoopRunner: ~Copyable {
    private struct SocketFailure {
        var id: UInt32
        var error: Int32
    }

    /// What waits at the listeners since before a standstill.
    private enum Backlog {
        case none
        /// The sockets were not asked since the standstill.
        case unknown
        /// Over when a round takes all that waits.
        case waits
    }

    /// The longest sleep: bounds how much of a standstill can hide in an idle wait.
    private static var longestWait: Duration { .milliseconds(50) }
    private static var cpuReportInterval: Duration { .seconds(1) }

    private let work: LoopWork
    private var outbox: Outbox
    private let configuration: LoopConfiguration
    private let listeners: [DatagramSocket]
    private let counters: LoopCounters
    private let stop: StopFlag
    private let poller: Poller
    private var events = [cdg_event](repeating: cdg_event(), count: 256)
    private let batch: ReceiveBatch
    private let sender = DatagramSender()
    private var sockets: [UInt32: DatagramSocket] = [:]
    private var socketFailures: [SocketFailure] = []
    private var deadline: MonotonicTime?
    private var backlog = Backlog.none
    /// No listener had more waiting in this round than was taken.
    private var isDrained = true
    private var lastAlive: MonotonicTime
    private var lastCPUReport: MonotonicTime
    private var received: UInt64 = 0
    private var outboxRefusedBefore: UInt64 = 0

    init(_ stage: LoopStage, work: LoopWork) {
        poller = stage.poller
        configuration = stage.configuration
        listeners = stage.listeners.all
        counters = stage.counters
        stop = stage.stop
        self.work = work
        outbox = Outbox(listeners: listeners.count)
        batch = ReceiveBatch(capacity: configuration.batchSize, datagramLimit: configuration.datagramLimit)
        lastAlive = NodeClock.now()
        lastCPUReport = lastAlive
    }

    mutating func run() {
        deadline = work.nextDeadline()
        while true {
            if backlog == .unknown { backlog = .waits }
            let ready = waitForWork()
            let now = NodeClock.now()
            noteTime(now)
            deliverFailures(now)
            isDrained = true
            for index in 0..<ready { handle(events[index], now) }
            if backlog == .waits, isDrained {
                backlog = .none
                work.caughtUp(now: now, into: &outbox)
            }
            work.deliverMessages(now: now, into: &outbox)
            if let deadline, deadline <= now { work.fire(now: now, into: &outbox) }
            let ends = stop.isRaised || outbox.wantsStop
            if ends { work.stopping(now: now, into: &outbox) }
            flush()
            report(now)
            if ends { return }
            deadline = work.nextDeadline()
        }
    }

    /// Sleeps until there is something to do; how many events there are.
    private mutating func waitForWork() -> Int {
        var wait = Self.longestWait
        if let deadline { wait = min(wait, deadline - NodeClock.now()) }
        if !socketFailures.isEmpty || !sender.failures.isEmpty || wait < .zero { wait = .zero }
        if !work.prepareToSleep() { wait = .zero }
        let ready = poller.wait(nanoseconds: wait.wholeNanoseconds, into: &events)
        work.wokeUp()
        return ready
    }

    /// Tells the handler when the loop was away for longer than a loop should be.
    private mutating func noteTime(_ now: MonotonicTime) {
        let gap = now - lastAlive
        lastAlive = now
        guard gap >= configuration.reportedGap else { return }
        counters.lateRuns.add(1)
        backlog = .unknown
        work.ranLate(by: gap, now: now, into: &outbox)
    }

    private mutating func handle(_ event: cdg_event, _ now: MonotonicTime) {
        switch EventTag(rawValue: event.tag).meaning {
        case .mailbox:
            work.clearWakeUp()
        case .listener(let index):
            guard index < listeners.count else { return }
            let descriptor = listeners[index].descriptor
            let listener = UInt16(clamping: index)
            if event.state & UInt32(CDG_FAILED) != 0 { deliverRefusals(descriptor, listener, now) }
            if event.state & UInt32(CDG_READABLE) != 0 { deliverDatagrams(descriptor, listener, now) }
        case .socket(let id):
            deliverDatagrams(fromSocket: id, now)
        }
    }

    private mutating func deliverDatagrams(_ descriptor: Int32, _ listener: UInt16, _ now: MonotonicTime) {
        let count = batch.receive(from: descriptor)
        if count >= batch.capacity { isDrained = false }
        guard count > 0 else { return }
        received += UInt64(count)
        for index in 0..<count {
            guard let bytes = batch.bytes(index), let source = batch.source(index) else {
                counters.truncated.add(1)
                continue
            }
            work.receive(bytes, from: source, listener: listener, now: now, into: &outbox)
        }
    }

    private mutating func deliverDatagrams(fromSocket id: UInt32, _ now: MonotonicTime) {
        guard let socket = sockets[id] else { return }
        let count = batch.receive(from: socket.descriptor)
        if count < 0 {
            counters.refused.add(1)
            work.socketFailed(id, error: Int32(clamping: -count), now: now, into: &outbox)
            return
        }
        received += UInt64(count)
        for index in 0..<count {
            guard let bytes = batch.bytes(index) else {
                counters.truncated.add(1)
                continue
            }
            work.receive(bytes, onSocket: id, now: now, into: &outbox)
        }
    }

    /// Empties a listener's error queue, a batch at a time.
    private mutating func deliverRefusals(_ descriptor: Int32, _ listener: UInt16, _ now: MonotonicTime) {
        var report = cdg_error()
        for _ in 0..<configuration.batchSize {
            guard cdg_read_error(descriptor, &report) > 0 else { return }
            guard let destination = Endpoint(report.destination), Self.meansUnreachable(report.error) else { continue }
            counters.refused.add(1)
            work.refused(by: destination, error: report.error, listener: listener, now: now, into: &outbox)
        }
    }

    /// EMSGSIZE, for one, only says that a datagram was too long for the path.
    private static func meansUnreachable(_ error: Int32) -> Bool {
        switch error {
        case ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENOPROTOOPT, EACCES: true
        default: false
        }
    }

    /// What the last flush found out.
    private mutating func deliverFailures(_ now: MonotonicTime) {
        while let failure = sender.failures.popLast() {
            guard Self.meansUnreachable(failure.error) else { continue }
            work.refused(
                by: failure.destination, error: failure.error, listener: failure.listener, now: now, into: &outbox)
        }
        while let failure = socketFailures.popLast() {
            work.socketFailed(failure.id, error: failure.error, now: now, into: &outbox)
        }
    }

    /// Sends what was collected. The clock is read before every system call that sends, so that a handler hears of a
    /// standstill before anything more leaves.
    private mutating func flush() {
        while outbox.hasWork {
            for index in outbox.queues.indices {
                while !outbox.queues[index].isEmpty {
                    noteTime(NodeClock.now())
                    guard !outbox.queues[index].isEmpty else { break }
                    let done = sender.sendChunk(
                        of: outbox.queues[index], on: listeners[index].descriptor, listener: index)
                    outbox.removeFirst(done, listener: index)
                }
            }
            guard !outbox.commands.isEmpty else { continue }
            noteTime(NodeClock.now())
            let commands = outbox.takeCommands()
            for command in commands { perform(command) }
        }
    }

    private mutating func perform(_ command: Outbox.SocketCommand) {
        switch command {
        case .open(let id, let remote, let local):
            close(id)
            do throws(SocketError) {
                guard sockets.count < configuration.socketLimit else { throw SocketError(remote, code: EMFILE) }
                let any: IPAddress = remote.address.isV6 ? .v6(0, 0) : .v4(0)
                let socket = try DatagramSocket(Endpoint(local ?? any, port: 0))
                try socket.connect(to: remote)
                try poller.watch(socket.descriptor, tag: .socket(id))
                sockets[id] = socket
            } catch {
                socketFailures.append(SocketFailure(id: id, error: error.code))
            }
        case .send(let id, let bytes):
            guard let socket = sockets[id] else { return }
            var result = sender.send(bytes, onConnected: socket.descriptor)
            if result == -ECONNREFUSED {
                // The answer to what was sent before; the socket is free again.
                socketFailures.append(SocketFailure(id: id, error: ECONNREFUSED))
                result = sender.send(bytes, onConnected: socket.descriptor)
            }
            if result < 0, result != -EAGAIN { socketFailures.append(SocketFailure(id: id, error: -result)) }
        case .close(let id):
            close(id)
        }
    }

    private mutating func close(_ id: UInt32) {
        guard let socket = sockets.removeValue(forKey: id) else { return }
        poller.forget(socket.descriptor)
        socketFailures.removeAll { $0.id == id }
    }

    private mutating func report(_ now: MonotonicTime) {
        counters.received.add(received)
        counters.sent.add(sender.sent)
        counters.unsent.add(sender.unsent + (outbox.refused - outboxRefusedBefore))
        outboxRefusedBefore = outbox.refused
        received = 0
        sender.sent = 0
        sender.unsent = 0
        if now - lastCPUReport >= Self.cpuReportInterval {
            lastCPUReport = now
            counters.cpuNanoseconds.store(cdg_thread_cpu_time(), ordering: .relaxed)
        }
    }
}
