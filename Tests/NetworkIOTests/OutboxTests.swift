import Primitives
import Testing

@testable import NetworkIO

struct OutboxTests {
    let peer = Endpoint(.v4(0x7F00_0001), port: 5060)

    @Test func datagramsOverTheLimitAreCounted() {
        var outbox = Outbox(listeners: 1)
        for _ in 0..<(Outbox.limit + 3) { outbox.send([], to: peer, listener: 0) }
        #expect(outbox.queues[0].count == Outbox.limit)
        #expect(outbox.refused == 3)
    }

    @Test func discardingKeepsOpenAndCloseButNothingThatSends() {
        var outbox = Outbox(listeners: 1)
        outbox.send([1], to: peer, listener: 0)
        outbox.openSocket(1, connectedTo: peer)
        outbox.send([2], onSocket: 1)
        outbox.closeSocket(1)
        outbox.discardAll()
        #expect(outbox.queues[0].isEmpty)
        #expect(outbox.commands.count == 2)
    }
}
