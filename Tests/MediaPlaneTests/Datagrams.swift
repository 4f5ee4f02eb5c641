import CDatagram
import NetworkIO
import Primitives

enum Datagrams {
    static func send(_ bytes: [UInt8], from socket: DatagramSocket, to destination: Endpoint) -> Bool {
        var address = cdg_address(destination)
        return bytes.withUnsafeBytes {
            cdg_send(socket.descriptor, &address, $0.baseAddress, UInt32($0.count), nil, 0)
        } == 0
    }
}
