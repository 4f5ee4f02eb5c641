import Media
import MediaPlane
import NetworkIO
import Primitives
import SDP
import Testing

let loopback = IPAddress.v4(0x7F00_0001)

/// A telephone's RTP and RTCP sockets on the loopback interface, where what is sent is there at once.
final class Phone {
    let rtp: DatagramSocket
    let rtcp: DatagramSocket
    private let batch = ReceiveBatch(capacity: 8, datagramLimit: 2048)
    private var sequence: UInt16 = 0

    init() throws {
        rtp = try DatagramSocket(Endpoint(loopback, port: 0))
        rtcp = try DatagramSocket(Endpoint(loopback, port: 0))
    }

    func agreement(ptime: Int = 20, direction: MediaDirection = .sendrecv) -> MediaAgreement {
        MediaAgreement(
            remoteRTP: rtp.local, remoteRTCP: rtcp.local, codec: .pcma, telephoneEventPayloadType: 101,
            ptimeMs: ptime, direction: direction)
    }

    private func take(_ socket: DatagramSocket) -> [[UInt8]] {
        var all: [[UInt8]] = []
        while true {
            let count = batch.receive(from: socket.descriptor)
            guard count > 0 else { return all }
            for index in 0..<count { if let bytes = batch.bytes(index) { all.append(Array(bytes)) } }
        }
    }

    /// The RTP packets that came since the last call.
    func heard() -> [(header: RTPHeader, payload: [UInt8])] {
        take(rtp).compactMap { bytes in
            bytes.withUnsafeBytes { RTPPacket($0) }.map { ($0.header, Array(bytes[$0.payload])) }
        }
    }

    func reports() -> [[UInt8]] { take(rtcp) }

    func say(_ payload: [UInt8], type: UInt8 = 8, timestamp: UInt32 = 0, to destination: Endpoint) throws {
        sequence &+= 1
        var bytes = [UInt8](repeating: 0, count: RTPHeader.byteCount) + payload
        let header = RTPHeader(payloadType: type, sequence: sequence, timestamp: timestamp, ssrc: 9)
        bytes.withUnsafeMutableBytes { header.write(into: $0) }
        try send(bytes, from: rtp, to: destination)
    }

    func send(_ bytes: [UInt8], from socket: DatagramSocket, to destination: Endpoint) throws {
        try #require(Datagrams.send(bytes, from: socket, to: destination))
    }
}
