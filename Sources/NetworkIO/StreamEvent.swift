import Glibc
import NIOCore
import Primitives
import SIP

/// What a stream transport tells the loop it works for.
public enum StreamEvent: Sendable {
    /// One whole message. The flow names the connection, so that the answer goes back on it.
    case message([UInt8], Flow)
    /// The bytes of this connection cannot be cut into messages any more (RFC 3261 §18.3). The head as far as it came
    /// may be enough for an answer; the connection closes after `StreamLimits.lastAnswerTime`.
    case unframeable(head: [UInt8], StreamFramer.Failure, Flow)
    /// A connection ended, or was no longer there when something was to be sent on it.
    case closed(Flow, StreamCloseReason)
    /// No connection could be made for the flow (connection 0) that something was sent to.
    case connectFailed(Flow, SocketError)
}

public enum StreamCloseReason: Hashable, Sendable {
    /// The peer closed it.
    case peer
    /// Nothing came or went for `StreamLimits.idleTime`.
    case idle
    /// A message stayed incomplete for `StreamLimits.messageTime`.
    case incompleteMessage
    case unframeable
    /// What waits to be written reached `StreamLimits.unwrittenBytes`.
    case peerDoesNotRead
    /// Our own loop could not take a message; on a stream none may be lost in silence.
    case overloaded
    /// This node closed it.
    case asked
    /// The kernel reported this errno.
    case failed(Int32)
    /// It had ended before.
    case gone
}

public struct StreamLimits: Sendable {
    /// Connections at any time, both ways.
    public var connections = 4096
    /// Accepted connections from one address.
    public var connectionsPerAddress = 512
    /// Bytes that wait for a peer to read.
    public var unwrittenBytes = 1 << 20
    public var connectTime: Duration = .seconds(4)
    public var idleTime: Duration = .seconds(900)
    /// From the first byte of a message to its last.
    public var messageTime: Duration = .seconds(32)
    /// How long a connection that cannot be framed stays open for an answer.
    public var lastAnswerTime: Duration = .seconds(1)
    public init() {}
}

extension Endpoint {
    public init?(_ address: SocketAddress?) {
        switch address {
        case .v4(let four):
            let bits = UInt32(bigEndian: four.address.sin_addr.s_addr)
            self.init(.v4(bits), port: UInt16(bigEndian: four.address.sin_port))
        case .v6(let six):
            let halves = withUnsafeBytes(of: six.address.sin6_addr) {
                ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            }
            let address = IPAddress.v6(UInt64(bigEndian: halves.0), UInt64(bigEndian: halves.1))
            self.init(address, port: UInt16(bigEndian: six.address.sin6_port))
        case .unixDomainSocket, nil: return nil
        }
    }

    public func socketAddress() throws -> SocketAddress {
        try SocketAddress(ipAddress: address.description, port: Int(port))
    }
}

extension SocketError {
    /// The errno inside an error of NIO's, as far as there is one.
    public init(_ error: any Error, at endpoint: Endpoint) {
        let code: Int32
        switch error {
        case let error as IOError: code = error.errnoCode
        case let error as ChannelError: if case .connectTimeout = error { code = ETIMEDOUT } else { code = EIO }
        default: code = EIO
        }
        self.init(endpoint, code: code, transport: "tcp")
    }
}

extension Duration {
    var timeAmount: TimeAmount { .nanoseconds(wholeNanoseconds) }
}
