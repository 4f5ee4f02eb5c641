import NetworkIO
import Primitives
import Synchronization

/// Why no port pair could be had.
public enum PortRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// Every pair of the range is in use by a call.
    case exhausted(pairs: Int)
    /// The free ones that were tried are taken by other processes.
    case taken(tried: Int)
    /// The system refused a socket: no descriptors left, no such address …
    case system(SocketError)

    public var description: String {
        switch self {
        case .exhausted(let pairs): "all \(pairs) RTP port pairs are in use"
        case .taken(let tried): "\(tried) RTP port pairs that should be free are in use by other processes"
        case .system(let error): "RTP socket \(error)"
        }
    }
}

/// The RTP and RTCP sockets of one stream: an even port and the next one (RFC 3550 §11). The ports go back to their
/// pool when the last reference goes.
public final class PortPair: Sendable {
    public let rtp: DatagramSocket
    public let rtcp: DatagramSocket
    private let port: UInt16
    private let pool: PortPool

    fileprivate init(rtp: DatagramSocket, rtcp: DatagramSocket, port: UInt16, pool: PortPool) {
        self.rtp = rtp
        self.rtcp = rtcp
        self.port = port
        self.pool = pool
    }

    deinit { pool.release(port) }
}

/// The port pairs of one range at one address. Pairs are given in turn, so that a pair rests as long as the range
/// allows before another call gets it: packets of the call before have stopped by then.
public final class PortPool: Sendable {
    /// Pairs of other processes that are passed over for one stream.
    public static let attempts = 64

    public let address: IPAddress
    /// How many pairs the range holds.
    public let capacity: Int
    private let options: DatagramSocket.Options
    private let free: Mutex<Queue>

    /// A ring of even ports, as long as the range.
    private struct Queue: Sendable {
        var ports: [UInt16]
        var start = 0
        var count: Int

        mutating func take() -> UInt16? {
            guard count > 0 else { return nil }
            defer {
                start = (start + 1) % ports.count
                count -= 1
            }
            return ports[start]
        }

        mutating func put(_ port: UInt16) {
            ports[(start + count) % ports.count] = port
            count += 1
        }
    }

    /// - Parameters:
    ///   - first, last: both included; an odd first and an even last port are left out.
    ///   - trafficClass: DSCP and ECN byte of what is sent (0xB8: expedited forwarding, RFC 3246).
    ///   - startingAt: which pair is given first; a random one keeps a restarted node off the ports of its former calls.
    public init(
        address: IPAddress, first: UInt16, last: UInt16, trafficClass: UInt8 = 0xB8, startingAt offset: UInt64 = 0
    ) {
        self.address = address
        let even = Int(first) + Int(first) % 2
        var ports = Array(stride(from: even, to: max(even, Int(last)), by: 2)).map { UInt16($0) }
        if !ports.isEmpty {
            let turn = Int(offset % UInt64(ports.count))
            ports = Array(ports[turn...] + ports[..<turn])
        }
        capacity = ports.count
        var options = DatagramSocket.Options()
        options.trafficClass = trafficClass
        self.options = options
        free = Mutex(Queue(ports: ports, count: ports.count))
    }

    /// Pairs that no stream holds.
    public var available: Int { free.withLock { $0.count } }

    /// Binds the next pair.
    public func take() throws(PortRefusal) -> PortPair {
        for attempt in 0..<Self.attempts {
            guard let port = free.withLock({ $0.take() }) else {
                if attempt == 0 { throw .exhausted(pairs: capacity) }
                throw .taken(tried: attempt)
            }
            do throws(SocketError) {
                let rtp = try DatagramSocket(Endpoint(address, port: port), options: options)
                let rtcp = try DatagramSocket(Endpoint(address, port: port + 1), options: options)
                return PortPair(rtp: rtp, rtcp: rtcp, port: port, pool: self)
            } catch {
                release(port)
                guard error.isAddressInUse else { throw .system(error) }
            }
        }
        throw .taken(tried: Self.attempts)
    }

    fileprivate func release(_ port: UInt16) { free.withLock { $0.put(port) } }
}
