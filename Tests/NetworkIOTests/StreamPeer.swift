import Glibc
import NetworkIO
import Primitives
import SIP
import Synchronization

/// A blocking TCP client on 127.0.0.1, as plain as a peer can be.
final class StreamPeer: Sendable {
    private let descriptor: Int32
    let local: Endpoint

    init(connectingTo remote: Endpoint, receiveBuffer: Int32 = 0) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if receiveBuffer > 0 {
            var size = receiveBuffer
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = remote.port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let connected = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { kernel in
                let result = connect(descriptor, kernel, length)
                if result == 0 { getsockname(descriptor, kernel, &length) }
                return result
            }
        }
        guard connected == 0 else {
            close(descriptor)
            throw SocketError(remote, code: errno, transport: "tcp")
        }
        self.descriptor = descriptor
        local = Endpoint(.v4(0x7F00_0001), port: UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }

    func write(_ bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    func write(_ text: String) { write(Array(text.utf8)) }

    /// Exactly so many bytes, fewer when the connection ends.
    func read(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = recv(descriptor, &bytes, count, Int32(MSG_WAITALL))
        return Array(bytes.prefix(max(0, got)))
    }

    /// Whether the other side has closed: waits for its end.
    func readsEnd() -> Bool { read(1).isEmpty }

    func finish() { shutdown(descriptor, Int32(SHUT_WR)) }
}

/// A transport whose events are a sequence to await.
final class RecordingTransport: Sendable {
    let transport: StreamTransport
    private let stream: AsyncStream<StreamEvent>
    let hasRoom: RoomFlag

    init(_ configure: (inout StreamLimits) -> Void = { _ in }) {
        var limits = StreamLimits()
        configure(&limits)
        let (stream, continuation) = AsyncStream<StreamEvent>.makeStream()
        self.stream = stream
        let room = RoomFlag()
        hasRoom = room
        transport = StreamTransport(limits: limits) { event in
            if case .message = event, !room.value { return false }
            continuation.yield(event)
            return true
        }
    }

    func listen() async throws -> Endpoint { try await transport.listen(.loopback, index: 3) }

    func next() async -> StreamEvent? {
        for await event in stream { return event }
        return nil
    }

    func nextMessage() async -> ([UInt8], Flow)? {
        if case .message(let bytes, let flow)? = await next() { (bytes, flow) } else { nil }
    }

    func nextClosing() async -> (Flow, StreamCloseReason)? {
        while let event = await next() {
            if case .closed(let flow, let reason) = event { return (flow, reason) }
        }
        return nil
    }
}

/// Whether a pretended mailbox has room.
final class RoomFlag: Sendable {
    private let flag = Atomic<Bool>(true)
    var value: Bool {
        get { flag.load(ordering: .acquiring) }
        set { flag.store(newValue, ordering: .releasing) }
    }
}
