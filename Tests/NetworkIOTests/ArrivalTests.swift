import CDatagram
import NetworkIO
import Primitives
import Testing

struct ArrivalTests {
    @Test func theKernelSaysWhenADatagramCame() throws {
        var options = DatagramSocket.Options()
        options.stampsArrivals = true
        let loopback = Endpoint(.v4(0x7F00_0001), port: 0)
        let socket = try DatagramSocket(loopback, options: options)
        let sender = try DatagramSocket(loopback)
        let batch = ReceiveBatch(capacity: 8, datagramLimit: 64)
        let before = NodeClock.now()
        var address = cdg_address(socket.local)
        for byte in UInt8(1)...3 {
            #expect(withUnsafeBytes(of: byte) { cdg_send(sender.descriptor, &address, $0.baseAddress, 1, nil, 0) } == 0)
        }
        let after = NodeClock.now()
        #expect(batch.receiveStamped(from: socket.descriptor) == 3)
        var last = before + .milliseconds(-1)
        for index in 0..<3 {
            #expect(batch.bytes(index)?.first == UInt8(index + 1))
            let arrival = try #require(batch.arrival(index))
            let time = MonotonicTime(nanoseconds: arrival - NodeClock.civilOffset())
            #expect(time + .milliseconds(1) >= last)
            #expect(time <= after + .milliseconds(1))
            last = time
        }
    }

    @Test func aSocketThatDoesNotStampSaysNothing() throws {
        let loopback = Endpoint(.v4(0x7F00_0001), port: 0)
        let socket = try DatagramSocket(loopback)
        let batch = ReceiveBatch(capacity: 8, datagramLimit: 64)
        var address = cdg_address(socket.local)
        #expect(withUnsafeBytes(of: UInt8(9)) { cdg_send(socket.descriptor, &address, $0.baseAddress, 1, nil, 0) } == 0)
        #expect(batch.receiveStamped(from: socket.descriptor) == 1)
        #expect(batch.arrival(0) == nil)
    }
}
