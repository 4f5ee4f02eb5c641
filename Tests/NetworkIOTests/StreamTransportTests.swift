import Glibc
import NetworkIO
import Primitives
import SIP
import Testing

/// RFC 3261 §18.3: over a stream the Content-Length says where a message ends.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct StreamTransportTests {
    static let text =
        "OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\nContent-Length: 5\r\n\r\nhello"
    let message = Array(Self.text.utf8)

    @Test func messageSentByteByByteArrivesWhole() async throws {
        let node = RecordingTransport()
        let peer = try StreamPeer(connectingTo: try await node.listen())
        for byte in message { peer.write([byte]) }
        let (bytes, flow) = try #require(await node.nextMessage())
        #expect(bytes == message)
        #expect(flow.transport == .tcp)
        #expect(flow.remote == peer.local)
        #expect(flow.listener == 3)
        #expect(flow.connection != 0)
    }

    @Test func messageSplitAtAnyByteArrivesWhole() async throws {
        let node = RecordingTransport()
        let peer = try StreamPeer(connectingTo: try await node.listen())
        for split in 1..<message.count {
            peer.write(message[..<split])
            // What was sent so far is read on its own when the machine is quick enough; either way nothing may be lost.
            await Task.yield()
            peer.write(message[split...])
            #expect(await node.nextMessage()?.0 == message)
        }
    }

    @Test func messagesOfOneSegmentArriveOneByOne() async throws {
        let node = RecordingTransport()
        let peer = try StreamPeer(connectingTo: try await node.listen())
        peer.write(message + message + message)
        for _ in 0..<3 { #expect(await node.nextMessage()?.0 == message) }
    }

    /// RFC 5626 §3.5.1: a double CRLF is answered with a single one.
    @Test func keepAliveIsAnswered() async throws {
        let node = RecordingTransport()
        let peer = try StreamPeer(connectingTo: try await node.listen())
        peer.write("\r\n\r\n")
        #expect(peer.read(2) == [13, 10])
    }

    /// RFC 3261 §18.2.2: a response goes back on the connection that the request came on.
    @Test func answerGoesBackOnItsConnection() async throws {
        let node = RecordingTransport()
        let endpoint = try await node.listen()
        let peers = [try StreamPeer(connectingTo: endpoint), try StreamPeer(connectingTo: endpoint)]
        for (index, peer) in peers.enumerated() {
            peer.write(message)
            let (_, flow) = try #require(await node.nextMessage())
            node.transport.send([UInt8(index)], to: flow)
            #expect(peer.read(1) == [UInt8(index)])
        }
    }

    @Test func requestOpensAConnectionAndTheNextUsesItAgain() async throws {
        let node = RecordingTransport()
        let other = RecordingTransport()
        let remote = try await other.listen()
        for _ in 0..<3 { node.transport.send(message, to: Flow(transport: .tcp, remote: remote)) }
        var connections: Set<UInt64> = []
        for _ in 0..<3 {
            let (bytes, flow) = try #require(await other.nextMessage())
            #expect(bytes == message)
            connections.insert(flow.connection)
        }
        #expect(connections.count == 1)
        #expect(node.transport.openConnections == 1)
        // And the other way round, on the connection that was accepted.
        let connection = try #require(connections.first)
        other.transport.send(message, to: Flow(transport: .tcp, remote: remote, connection: connection))
        #expect(await node.nextMessage()?.1.remote == remote)
    }

    @Test func acceptedConnectionCarriesRequestsToItsPeer() async throws {
        let node = RecordingTransport()
        let peer = try StreamPeer(connectingTo: try await node.listen())
        peer.write(message)
        #expect(await node.nextMessage() != nil)
        node.transport.send([1, 2, 3], to: Flow(transport: .tcp, remote: peer.local))
        #expect(peer.read(3) == [1, 2, 3])
        #expect(node.transport.openConnections == 1)
    }

    @Test func refusedConnectionIsReportedWithItsFlow() async throws {
        let node = RecordingTransport()
        let other = RecordingTransport()
        let dead = try await other.listen()
        await other.transport.stop()
        let flow = Flow(transport: .tcp, remote: dead, listener: 2)
        node.transport.send(message, to: flow)
        guard case .connectFailed(let failed, let error)? = await node.next() else {
            Issue.record("no report")
            return
        }
        #expect(failed == flow)
        #expect(error.code == ECONNREFUSED)
        #expect(node.transport.openConnections == 0)
    }

    /// `[::]` beside `0.0.0.0` at one port, as for datagrams; an IPv4 peer is one by its address, too.
    @Test func bothFamiliesListenAtOnePort() async throws {
        let node = RecordingTransport()
        let six = try await node.transport.listen(Endpoint(.v6(0, 0), port: 0), index: 0)
        let four = try await node.transport.listen(Endpoint(.v4(0), port: six.port), index: 1)
        let peer = try StreamPeer(connectingTo: Endpoint(.v4(0x7F00_0001), port: four.port))
        peer.write(message)
        let (_, flow) = try #require(await node.nextMessage())
        #expect(flow.remote == peer.local)
        #expect(flow.listener == 1)
    }

    @Test func peerThatDoesNotReadIsClosedAtTheLimit() async throws {
        let node = RecordingTransport { $0.unwrittenBytes = 100_000 }
        let peer = try StreamPeer(connectingTo: try await node.listen(), receiveBuffer: 4096)
        peer.write(message)
        let (_, flow) = try #require(await node.nextMessage())
        let block = [UInt8](repeating: 0, count: 50_000)
        // The kernel's own buffers take some megabytes; without a limit this would go on to 500 MB.
        for _ in 0..<10_000 where node.transport.openConnections > 0 { node.transport.send(block, to: flow) }
        #expect(await node.nextClosing()?.1 == .peerDoesNotRead)
    }

    @Test func connectionOverTheLimitIsClosedAtOnce() async throws {
        let node = RecordingTransport { $0.connections = 1 }
        let endpoint = try await node.listen()
        let first = try StreamPeer(connectingTo: endpoint)
        first.write(message)
        #expect(await node.nextMessage() != nil)
        let second = try StreamPeer(connectingTo: endpoint)
        #expect(second.readsEnd())
        #expect(node.transport.refusedConnections == 1)
        first.write(message)
        #expect(await node.nextMessage() != nil)
    }

    @Test func oneAddressDoesNotTakeAllConnections() async throws {
        let node = RecordingTransport { $0.connectionsPerAddress = 2 }
        let endpoint = try await node.listen()
        let peers = [try StreamPeer(connectingTo: endpoint), try StreamPeer(connectingTo: endpoint)]
        for peer in peers {
            peer.write(message)
            #expect(await node.nextMessage() != nil)
        }
        #expect(try StreamPeer(connectingTo: endpoint).readsEnd())
        peers[0].finish()
        #expect(await node.nextClosing()?.1 == .peer)
        let next = try StreamPeer(connectingTo: endpoint)
        next.write(message)
        #expect(await node.nextMessage() != nil)
    }

    @Test func silentConnectionIsClosed() async throws {
        let node = RecordingTransport { $0.idleTime = .milliseconds(20) }
        let peer = try StreamPeer(connectingTo: try await node.listen())
        #expect(await node.nextClosing()?.1 == .idle)
        #expect(peer.readsEnd())
    }

    @Test func messageThatNeverEndsIsClosed() async throws {
        let node = RecordingTransport { $0.messageTime = .milliseconds(20) }
        let peer = try StreamPeer(connectingTo: try await node.listen())
        peer.write(message.dropLast())
        #expect(await node.nextClosing()?.1 == .incompleteMessage)
    }

    @Test func whatCannotBeFramedIsAnsweredThenClosed() async throws {
        let node = RecordingTransport { $0.lastAnswerTime = .milliseconds(50) }
        let peer = try StreamPeer(connectingTo: try await node.listen())
        peer.write("OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nCall-ID: 1\r\n\r\n")
        guard case .unframeable(let head, let failure, let flow)? = await node.next() else {
            Issue.record("not reported")
            return
        }
        #expect(failure == .missingContentLength)
        #expect(head.starts(with: Array("OPTIONS".utf8)))
        node.transport.send([52], to: flow)
        #expect(peer.read(1) == [52])
        #expect(await node.nextClosing()?.1 == .unframeable)
        #expect(peer.readsEnd())
    }

    @Test func sendingOnAnEndedConnectionSaysThatItIsGone() async throws {
        let node = RecordingTransport()
        var peer: StreamPeer? = try StreamPeer(connectingTo: try await node.listen())
        peer?.write(message)
        let (_, flow) = try #require(await node.nextMessage())
        peer = nil
        #expect(await node.nextClosing()?.0 == flow)
        node.transport.send([1], to: flow)
        #expect(await node.nextClosing()?.1 == .gone)
    }

    @Test func messageWithoutRoomInTheMailboxClosesItsConnection() async throws {
        let node = RecordingTransport()
        let peer = try StreamPeer(connectingTo: try await node.listen())
        node.hasRoom.value = false
        peer.write(message)
        #expect(await node.nextClosing()?.1 == .overloaded)
        #expect(peer.readsEnd())
    }

    @Test func closingTellsThePeer() async throws {
        let node = RecordingTransport()
        let peer = try StreamPeer(connectingTo: try await node.listen())
        peer.write(message)
        let (_, flow) = try #require(await node.nextMessage())
        node.transport.send([7], to: flow)
        node.transport.close(flow.connection)
        #expect(peer.read(2) == [7])
        #expect(await node.nextClosing()?.1 == .asked)
    }

    @Test func portInUseIsSaidPlainly() async throws {
        let node = RecordingTransport()
        let endpoint = try await node.listen()
        let error = await #expect(throws: SocketError.self) {
            _ = try await RecordingTransport().transport.listen(endpoint, index: 0)
        }
        #expect(error?.description == "\(endpoint)/tcp: is in use by another process")
    }

    @Test func addressesOfBothFamiliesPass() async throws {
        let node = RecordingTransport()
        let endpoint = try await node.transport.listen(.loopback6, index: 0)
        let other = RecordingTransport()
        other.transport.send(message, to: Flow(transport: .tcp, remote: endpoint))
        #expect(await node.nextMessage()?.1.remote.address == .v6(0, 1))
    }
}
