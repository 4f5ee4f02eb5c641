import Foundation
import Synchronization

/// A TCP relay on the loopback that hands everything on a while later: a server on another machine, as far as the time
/// that its answers take is concerned.
final class DelayingProxy: Sendable {
    let port: UInt16
    private let listener: Int32
    private let upstream: (host: String, port: UInt16)
    private let delay: Duration

    struct Failure: Error {}

    /// - Parameter delay: for each way.
    init(to host: String, port: UInt16, delay: Duration) throws {
        upstream = (host, port)
        self.delay = delay
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.address("127.0.0.1", 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { [listener] pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 16) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isListening else { throw Failure() }
        self.port = UInt16(bigEndian: address.sin_port)
        Thread { [self] in accept() }.start()
    }

    private static func address(_ host: String, _ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host, &address.sin_addr)
        return address
    }

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            guard client >= 0 else { return }
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = Self.address(upstream.host, upstream.port)
            let isConnected = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            guard isConnected else {
                close(client)
                close(server)
                continue
            }
            for (from, to) in [(client, server), (server, client)] {
                var noDelay: Int32 = 1
                setsockopt(from, Int32(IPPROTO_TCP), TCP_NODELAY, &noDelay, socklen_t(MemoryLayout<Int32>.size))
                pump(from, to)
            }
        }
    }

    /// What was read and is not due yet; an empty piece is the end.
    private final class Waiting: Sendable {
        let pieces = Mutex<[(due: ContinuousClock.Instant, bytes: [UInt8])]>([])
        let count = DispatchSemaphore(value: 0)
    }

    private func pump(_ from: Int32, _ to: Int32) {
        let waiting = Waiting()
        Thread { [delay] in
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = read(from, &buffer, buffer.count)
                let bytes = Array(buffer.prefix(max(0, count)))
                waiting.pieces.withLock { $0.append((.now + delay, bytes)) }
                waiting.count.signal()
                if bytes.isEmpty { return }
            }
        }.start()
        Thread {
            while true {
                waiting.count.wait()
                let (due, bytes) = waiting.pieces.withLock { $0.removeFirst() }
                let left = due - .now
                if left > .zero { usleep(UInt32(left.components.attoseconds / 1_000_000_000_000)) }
                guard !bytes.isEmpty else {
                    shutdown(to, Int32(SHUT_WR))
                    return
                }
                var sent = 0
                while sent < bytes.count {
                    let count = bytes.withUnsafeBytes {
                        send(to, $0.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
                    }
                    guard count > 0 else { return }
                    sent += count
                }
            }
        }.start()
    }
}
