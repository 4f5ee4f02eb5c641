import CDatagram
import Glibc
import Primitives

extension Endpoint {
    /// Nil when the kernel gave no address.
    @inlinable public init?(_ address: cdg_address) {
        switch address.family {
        case 4: self.init(.v4(UInt32(truncatingIfNeeded: address.low)), port: address.port)
        case 6: self.init(.v6(address.high, address.low), port: address.port)
        default: return nil
        }
    }
}

extension cdg_address {
    @inlinable public init(_ endpoint: Endpoint) {
        switch endpoint.address {
        case .v4(let bits): self.init(high: 0, low: UInt64(bits), port: endpoint.port, family: 4)
        case .v6(let high, let low): self.init(high: high, low: low, port: endpoint.port, family: 6)
        }
    }
}

/// What the kernel refused, for which address, and why.
public struct SocketError: Error, Hashable, Sendable, CustomStringConvertible {
    public var endpoint: Endpoint?
    /// errno, positive.
    public var code: Int32
    public var transport: String

    public init(_ endpoint: Endpoint?, code: Int32, transport: String = "udp") {
        self.endpoint = endpoint
        self.code = code
        self.transport = transport
    }

    public var isAddressInUse: Bool { code == EADDRINUSE }

    public var description: String {
        let place = endpoint.map { "\($0)/\(transport)" } ?? transport
        let reason =
            switch code {
            case EADDRINUSE: "is in use by another process"
            case EADDRNOTAVAIL: "is not an address of this machine"
            case EACCES: "needs more privileges"
            default: String(cString: strerror(code))
            }
        return "\(place): \(reason)"
    }
}

/// A bound UDP socket that never blocks; closed when the last reference goes.
public final class DatagramSocket: Sendable {
    public struct Options: Sendable {
        /// Bytes the kernel keeps for us; 0 leaves the system's default.
        public var receiveBuffer = 0
        public var sendBuffer = 0
        /// Whether ICMP errors are queued together with the destination that caused them.
        public var reportsErrors = false
        /// Whether each datagram carries the time at which the kernel took it, for `ReceiveBatch.receiveStamped`.
        public var stampsArrivals = false
        /// Whether an IPv6 socket leaves IPv4 to another one.
        public var v6Only = true
        /// DSCP and ECN byte of what is sent; 0xB8 is expedited forwarding (RFC 3246).
        public var trafficClass: UInt8 = 0
        public init() {}
    }

    public let descriptor: Int32
    /// With the port that the kernel chose, if 0 was asked for.
    public let local: Endpoint

    public init(_ endpoint: Endpoint, options: Options = Options()) throws(SocketError) {
        var wanted = cdg_address(endpoint)
        var settings = cdg_options()
        settings.receive_buffer = Int32(clamping: options.receiveBuffer)
        settings.send_buffer = Int32(clamping: options.sendBuffer)
        settings.v6_only = options.v6Only
        settings.report_errors = options.reportsErrors
        settings.stamp_arrivals = options.stampsArrivals
        settings.traffic_class = options.trafficClass
        let result = cdg_open_udp(&wanted, &settings)
        guard result >= 0 else { throw SocketError(endpoint, code: -result) }
        var bound = cdg_address()
        let named = cdg_local_address(result, &bound)
        guard named == 0, let local = Endpoint(bound) else {
            cdg_close(result)
            throw SocketError(endpoint, code: -named)
        }
        descriptor = result
        self.local = local
    }

    deinit { cdg_close(descriptor) }

    /// From now on only this peer is heard, and its refusals come back as errors of the next call.
    public func connect(to remote: Endpoint) throws(SocketError) {
        var address = cdg_address(remote)
        let result = cdg_connect(descriptor, &address)
        guard result == 0 else { throw SocketError(remote, code: -result) }
    }

    /// Datagrams lost so far because this process did not read in time.
    public var dropped: Int { Int(max(0, cdg_dropped(descriptor))) }
}
