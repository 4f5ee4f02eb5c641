import NetworkIO
import Primitives

/// The RTP ports of the phones: one socket a call, its arrivals stamped by the kernel. RTCP is left out, so that 2,000
/// calls fit between the ports of a system on the same machine and the ports that the system gives to connections.
struct CallerPorts {
    /// Further loopback addresses that are used when the range at the first one is full.
    private static let loopbackSpares: UInt32 = 15

    private let addresses: [IPAddress]
    private let first: Int
    private let count: Int
    private var next = 0
    private var options = DatagramSocket.Options()

    init(address: IPAddress, first: UInt16, last: UInt16) {
        // All of 127.0.0.0/8 is this machine (RFC 1122 §3.2.1.3): another address is another 65,536 ports.
        var addresses = [address]
        if case .v4(let bits) = address, bits >> 24 == 127 {
            addresses += (1...Self.loopbackSpares).map { .v4(bits &+ $0) }.filter {
                CIDR("127.0.0.0/8")?.contains($0) == true
            }
        }
        self.addresses = addresses
        self.first = Int(first)
        count = Int(max(first, last)) - Int(first) + 1
        options.stampsArrivals = true
        options.trafficClass = 0xB8
        // 13 s of audio, with the kernel's overhead, wait here for a process that is starved.
        options.receiveBuffer = 512 << 10
    }

    /// Binds the next port in turn, so that one rests as long as possible before the next call gets it. A port in use
    /// is passed over; all of the range at one address is tried before the next address.
    mutating func take() throws(SocketError) -> DatagramSocket {
        var last = SocketError(nil, code: 0)
        for address in addresses {
            for _ in 0..<count {
                let port = UInt16(first + next % count)
                next = (next + 1) % count
                do throws(SocketError) {
                    return try DatagramSocket(Endpoint(address, port: port), options: options)
                } catch {
                    guard error.isAddressInUse else { throw error }
                    last = error
                }
            }
        }
        throw last
    }
}
