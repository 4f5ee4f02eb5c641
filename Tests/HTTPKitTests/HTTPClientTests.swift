import Glibc
import HTTPKit
import NIOCore
import NIOPosix
import NetworkIO
import Primitives
import Testing

@Suite(.timeLimit(.minutes(10)))
struct HTTPClientTests {
    /// A server that sends these bytes to whoever connects, and then closes or not.
    private func server(_ bytes: String, closes: Bool) async throws -> (any Channel, Endpoint) {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeSucceededVoidFuture().map {
                    channel.writeAndFlush(channel.allocator.buffer(string: bytes)).whenComplete { _ in
                        if closes { channel.close(promise: nil) }
                    }
                }
            }
            .bind(to: WebServerFixture.anyPort.socketAddress()).get()
        return (channel, try #require(Endpoint(channel.localAddress)))
    }

    @Test func nobodyListeningIsSaidAtOnce() async throws {
        let (channel, endpoint) = try await server("", closes: true)
        try await channel.close().get()
        let error = await #expect(throws: HTTPClientError.self) {
            _ = try await HTTPClient().send(to: endpoint, path: "/", within: .seconds(20))
        }
        #expect(error == .unreachable(SocketError(endpoint, code: ECONNREFUSED, transport: "tcp")))
    }

    @Test func serverThatNeverAnswersIsGivenUp() async throws {
        let (channel, endpoint) = try await server("", closes: false)
        await #expect(throws: HTTPClientError.timedOut) {
            _ = try await HTTPClient().send(to: endpoint, path: "/", within: .milliseconds(50))
        }
        try await channel.close().get()
    }

    @Test func answerCutShortIsNotTaken() async throws {
        let (channel, endpoint) = try await server("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", closes: true)
        await #expect(throws: HTTPClientError.closed) {
            _ = try await HTTPClient().send(to: endpoint, path: "/", within: .seconds(20))
        }
        try await channel.close().get()
    }

    @Test func whatIsNotHTTPIsSaidToBe() async throws {
        let (channel, endpoint) = try await server("SIP/2.0 200 OK\r\n\r\n", closes: false)
        await #expect(throws: HTTPClientError.malformed("the answer is not HTTP")) {
            _ = try await HTTPClient().send(to: endpoint, path: "/", within: .seconds(20))
        }
        try await channel.close().get()
    }

    @Test func cancelledRequestEnds() async throws {
        let (channel, endpoint) = try await server("", closes: false)
        let request = Task { try await HTTPClient().send(to: endpoint, path: "/", within: .seconds(600)) }
        request.cancel()
        await #expect(throws: HTTPClientError.cancelled) { _ = try await request.value }
        try await channel.close().get()
    }

    @Test func jsonIsDecodedOrRefused() async throws {
        let server = try await WebServerFixture { routes in
            routes.get("/list") { _ in try .json(["a", "b"]) }
        }
        let list = try await server.client.get(
            [String].self, from: server.service.endpoint, path: "/list", within: .seconds(20))
        #expect(list == ["a", "b"])
        await #expect(throws: HTTPClientError.malformed("the answer is not the JSON that is expected")) {
            _ = try await server.client.get(
                [Int].self, from: server.service.endpoint, path: "/list", within: .seconds(20))
        }
        await #expect(
            throws: HTTPClientError.refused(status: 404, code: "not-found", message: "there is no such resource")
        ) {
            _ = try await server.client.get([Int].self, from: server.service.endpoint, path: "/x", within: .seconds(20))
        }
        await server.service.stop()
    }
}
