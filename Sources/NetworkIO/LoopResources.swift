import CDatagram
import Glibc
import Primitives

/// epoll with an owner.
final class Poller: Sendable {
    private let descriptor: Int32

    init() throws(SocketError) {
        descriptor = cdg_epoll_create()
        guard descriptor >= 0 else { throw SocketError(nil, code: -descriptor, transport: "epoll") }
    }

    deinit { cdg_close(descriptor) }

    func watch(_ watched: Int32, tag: EventTag) throws(SocketError) {
        let result = cdg_epoll_add(descriptor, watched, tag.rawValue)
        guard result == 0 else { throw SocketError(nil, code: -result, transport: "epoll") }
    }

    func forget(_ watched: Int32) { _ = cdg_epoll_remove(descriptor, watched) }

    /// Waits at most so long; how many events were written to the front of `events`.
    func wait(nanoseconds: Int64, into events: inout [cdg_event]) -> Int {
        Int(max(0, cdg_epoll_wait(descriptor, &events, UInt32(events.count), nanoseconds)))
    }
}

/// Which descriptor an event is about.
struct EventTag: RawRepresentable {
    var rawValue: UInt64

    init(rawValue: UInt64) { self.rawValue = rawValue }
    private init(kind: UInt64, number: UInt32) { rawValue = kind << 32 | UInt64(number) }

    static var mailbox: EventTag { EventTag(kind: 0, number: 0) }
    static func listener(_ index: Int) -> EventTag { EventTag(kind: 1, number: UInt32(truncatingIfNeeded: index)) }
    static func socket(_ id: UInt32) -> EventTag { EventTag(kind: 2, number: id) }

    enum Meaning { case mailbox, listener(Int), socket(UInt32) }
    var meaning: Meaning {
        let number = UInt32(truncatingIfNeeded: rawValue)
        return switch rawValue >> 32 {
        case 1: .listener(Int(number))
        case 2: .socket(number)
        default: .mailbox
        }
    }
}

/// Room for one batch of datagrams, reused.
public final class ReceiveBatch {
    private let batch: UnsafeMutablePointer<cdg_receive_batch>
    public let capacity: Int

    public init(capacity: Int, datagramLimit: Int) {
        guard let batch = cdg_receive_batch_create(UInt32(clamping: capacity), UInt32(clamping: datagramLimit)) else {
            preconditionFailure("no memory for \(capacity) datagrams of \(datagramLimit) bytes")
        }
        self.batch = batch
        self.capacity = capacity
    }

    deinit { cdg_receive_batch_destroy(batch) }

    /// Takes what waits at a socket, at most `limit` datagrams and a batch: their number, or -errno.
    /// They are valid until the next call.
    public func receive(from descriptor: Int32, limit: Int = .max) -> Int {
        Int(cdg_receive(descriptor, batch, UInt32(clamping: min(limit, capacity))))
    }

    /// The same from a socket that stamps arrivals, with `arrival` filled. One batch is used with one of the two only.
    public func receiveStamped(from descriptor: Int32, limit: Int = .max) -> Int {
        Int(cdg_receive_stamped(descriptor, batch, UInt32(clamping: min(limit, capacity))))
    }

    /// When the kernel took a datagram of the last stamped call, by the clock of civil time in nanoseconds since 1970;
    /// nil when it did not say.
    public func arrival(_ index: Int) -> Int64? {
        precondition(index < capacity)
        let nanoseconds = batch.pointee.arrivals[index]
        return nanoseconds == 0 ? nil : nanoseconds
    }

    /// A datagram of the last call; nil when it was longer than the limit.
    public func bytes(_ index: Int) -> UnsafeRawBufferPointer? {
        precondition(index < capacity)
        guard !batch.pointee.truncated[index] else { return nil }
        let start = batch.pointee.bytes + index * Int(batch.pointee.datagram_size)
        return UnsafeRawBufferPointer(start: start, count: Int(batch.pointee.lengths[index]))
    }

    public func source(_ index: Int) -> Endpoint? {
        precondition(index < capacity)
        return Endpoint(batch.pointee.sources[index])
    }
}

/// Hands queued datagrams to the kernel, many a call.
final class DatagramSender {
    struct Failure {
        var destination: Endpoint
        var error: Int32
        var listener: UInt16
    }

    static let chunk = 64
    private let batch: UnsafeMutablePointer<cdg_send_batch>
    /// Datagrams that could not be sent for a reason of their own, not yet told to the handler.
    var failures: [Failure] = []
    var sent: UInt64 = 0
    var unsent: UInt64 = 0

    init() {
        guard let batch = cdg_send_batch_create(UInt32(Self.chunk)) else {
            preconditionFailure("no memory for a batch of \(Self.chunk) datagrams")
        }
        self.batch = batch
    }

    deinit { cdg_send_batch_destroy(batch) }

    /// Sends the first datagrams of a queue, a chunk at most, and says how many are done with.
    func sendChunk(of queue: [Outbox.Datagram], on descriptor: Int32, listener: Int) -> Int {
        let end = min(queue.count, Self.chunk)
        var index = 0
        var isRetry = false
        while index < end {
            let result = describeAndSend(queue, from: index, next: index, to: end, descriptor)
            if result > 0 {
                index += Int(result)
                sent += UInt64(result)
                isRetry = false
            } else if result == -EAGAIN || result == -ENOBUFS {
                // The kernel has no room: what is left is lost like on any full network, and counted.
                unsent += UInt64(queue.count - index)
                return queue.count
            } else if !isRetry {
                // The socket also reports here, once, the ICMP error of an earlier datagram to somebody else.
                isRetry = true
            } else {
                let failed = queue[index].destination
                failures.append(Failure(destination: failed, error: -result, listener: UInt16(clamping: listener)))
                unsent += 1
                index += 1
                isRetry = false
            }
        }
        return end
    }

    /// Lends the bytes of each datagram to the kernel's list, one level of recursion each, so that all pointers are
    /// valid together when the call is made.
    private func describeAndSend(
        _ queue: [Outbox.Datagram], from first: Int, next: Int, to end: Int, _ descriptor: Int32
    ) -> Int32 {
        guard next < end else { return cdg_send_batch_flush(descriptor, batch, 0, UInt32(end - first)) }
        return queue[next].bytes.withUnsafeBytes { bytes in
            var destination = cdg_address(queue[next].destination)
            cdg_send_batch_set(
                batch, UInt32(next - first), &destination, bytes.baseAddress, UInt32(bytes.count), nil, 0)
            return describeAndSend(queue, from: first, next: next + 1, to: end, descriptor)
        }
    }

    /// Sends one datagram on a connected socket: 0 or -errno.
    func send(_ bytes: [UInt8], onConnected descriptor: Int32) -> Int32 {
        let result = bytes.withUnsafeBytes {
            cdg_send(descriptor, nil, $0.baseAddress, UInt32($0.count), nil, 0)
        }
        if result == 0 { sent += 1 } else { unsent += 1 }
        return result
    }
}
