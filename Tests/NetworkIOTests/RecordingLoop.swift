import Glibc
import NetworkIO
import Primitives
import Synchronization

/// What a recording handler saw, in order.
enum Seen: Equatable, Sendable {
    case datagram([UInt8], from: Endpoint, listener: UInt16)
    case message(Int)
    case fired
    case late(Duration, pending: Int)
    case refused(Endpoint, error: Int32, listener: UInt16)
    case socketDatagram(UInt32, [UInt8])
    case socketFailed(UInt32, error: Int32)
    case stopping
}

/// Does what its messages say and tells all it sees.
struct RecordingHandler: DatagramHandler {
    enum Message: Sendable {
        case note(Int)
        case send([(bytes: [UInt8], to: Endpoint)], listener: UInt16)
        case deadline(MonotonicTime)
        case open(UInt32, Endpoint)
        case sendOnSocket(UInt32, [UInt8])
        case close(UInt32)
        /// Keeps the loop's thread until the gate opens.
        case hold(Gate)
        /// Keeps the loop's thread for so long after queueing a datagram.
        case stall(Duration, sending: [UInt8], to: Endpoint)
        case lastWords([UInt8], to: Endpoint)
    }

    var see: @Sendable (Seen) -> Void
    var echoes = false
    var discardsWhenLate = false
    var deadline: MonotonicTime?
    var lastWords: (bytes: [UInt8], to: Endpoint)?

    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, from source: Endpoint, listener: UInt16, now: MonotonicTime,
        into outbox: inout Outbox
    ) {
        see(.datagram(Array(bytes), from: source, listener: listener))
        if echoes { outbox.send(Array(bytes), to: source, listener: listener) }
    }

    mutating func receive(_ message: Message, now: MonotonicTime, into outbox: inout Outbox) {
        switch message {
        case .note(let number): see(.message(number))
        case .send(let datagrams, let listener):
            for datagram in datagrams { outbox.send(datagram.bytes, to: datagram.to, listener: listener) }
        case .deadline(let time): deadline = time
        case .open(let id, let remote): outbox.openSocket(id, connectedTo: remote)
        case .sendOnSocket(let id, let bytes): outbox.send(bytes, onSocket: id)
        case .close(let id): outbox.closeSocket(id)
        case .hold(let gate): gate.pass()
        case .stall(let span, let bytes, let destination):
            outbox.send(bytes, to: destination, listener: 0)
            let end = NodeClock.now() + span
            while NodeClock.now() < end {}
        case .lastWords(let bytes, let destination): lastWords = (bytes, destination)
        }
    }

    mutating func nextDeadline() -> MonotonicTime? { deadline }

    mutating func fire(now: MonotonicTime, into outbox: inout Outbox) {
        guard let due = deadline, due <= now else { return }
        deadline = nil
        see(.fired)
    }

    mutating func ranLate(by gap: Duration, now: MonotonicTime, into outbox: inout Outbox) {
        see(.late(gap, pending: outbox.pending(listener: 0).count))
        if discardsWhenLate { outbox.discardAll() }
    }

    mutating func refused(
        by destination: Endpoint, error: Int32, listener: UInt16, now: MonotonicTime, into outbox: inout Outbox
    ) {
        see(.refused(destination, error: error, listener: listener))
    }

    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, onSocket id: UInt32, now: MonotonicTime, into outbox: inout Outbox
    ) {
        see(.socketDatagram(id, Array(bytes)))
    }

    mutating func socketFailed(_ id: UInt32, error: Int32, now: MonotonicTime, into outbox: inout Outbox) {
        see(.socketFailed(id, error: error))
    }

    mutating func stopping(now: MonotonicTime, into outbox: inout Outbox) {
        if let lastWords { outbox.send(lastWords.bytes, to: lastWords.to, listener: 0) }
        see(.stopping)
    }
}

/// A loop with a recording handler, and what it saw as a sequence to await.
final class RecordingLoop: Sendable {
    let loop: DatagramLoop<RecordingHandler>
    private let stream: AsyncStream<Seen>

    init(
        listeners: [Endpoint] = [.loopback], echoes: Bool = false, discardsWhenLate: Bool = false,
        configure: (inout LoopConfiguration) -> Void = { _ in }
    ) throws {
        let (stream, continuation) = AsyncStream<Seen>.makeStream()
        var configuration = LoopConfiguration(name: "test", listeners: listeners)
        configure(&configuration)
        self.stream = stream
        loop = try DatagramLoop.start(configuration) {
            RecordingHandler(
                see: { continuation.yield($0) }, echoes: echoes, discardsWhenLate: discardsWhenLate)
        }
    }

    deinit { loop.stop() }

    var endpoint: Endpoint { loop.endpoints[0] }

    func post(_ message: RecordingHandler.Message) { loop.mailbox.post(message) }

    func send(_ bytes: [UInt8], to destination: Endpoint, listener: UInt16 = 0) {
        post(.send([(bytes, destination)], listener: listener))
    }

    /// The next thing seen that is of interest. A loaded machine may make any loop late: that is looked at only
    /// where a test asks for it.
    func next(includingLate: Bool = false) async -> Seen? {
        for await seen in stream {
            if case .late = seen, !includingLate { continue }
            return seen
        }
        return nil
    }
}

extension Endpoint {
    static let loopback = Endpoint(.v4(0x7F00_0001), port: 0)
    static let loopback6 = Endpoint(.v6(0, 1), port: 0)
}

/// A port where nobody listens, at an address of its own: no other test is given it meanwhile.
func closedPort() throws -> Endpoint { try DatagramSocket(Endpoint(.v4(0x7F00_4D02), port: 0)).local }

/// Holds a thread until it is opened.
final class Gate: Sendable {
    private let isOpen = Atomic<Bool>(false)
    func open() { isOpen.store(true, ordering: .releasing) }
    func pass() {
        while !isOpen.load(ordering: .acquiring) { sched_yield() }
    }
}
