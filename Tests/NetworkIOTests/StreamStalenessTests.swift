import Primitives
import SIP
import Synchronization
import Testing

@testable import NetworkIO

/// A thread that was stopped before it wrote what was handed in hands it back instead (TAKEOVER.md, The old owner).
@Suite struct StreamStalenessTests {
    private final class HandedBack: Sendable {
        private let messages = Mutex<[[UInt8]]>([])
        private let arrivals = AsyncStream<Void>.makeStream()

        func add(_ bytes: [UInt8]) {
            messages.withLock { $0.append(bytes) }
            arrivals.continuation.yield()
        }

        var all: [[UInt8]] { messages.withLock { $0 } }

        /// Until there is one.
        func first() async {
            var iterator = arrivals.stream.makeAsyncIterator()
            await iterator.next()
        }
    }

    private func send(_ message: [UInt8], limit: Duration, to peer: RecordingTransport) async throws -> HandedBack {
        let handedBack = HandedBack()
        let transport = StreamTransport(
            staleness: StreamStaleness(limit: limit) { bytes, _, _ in handedBack.add(bytes) }
        ) { _ in true }
        let remote = try await peer.listen()
        transport.send(message, to: Flow(transport: .tcp, remote: remote))
        if limit == .zero { await handedBack.first() }
        return handedBack
    }

    private let message = Array("OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n".utf8)

    @Test func staleMessageIsHandedBackInsteadOfWritten() async throws {
        let peer = RecordingTransport()
        // Whatever takes any time is too old.
        let handedBack = try await send(message, limit: .zero, to: peer)
        #expect(handedBack.all == [message])
    }

    @Test func messageInTimeIsWritten() async throws {
        let peer = RecordingTransport()
        let handedBack = try await send(message, limit: .seconds(600), to: peer)
        #expect(await peer.nextMessage()?.0 == message)
        #expect(handedBack.all.isEmpty)
    }
}
