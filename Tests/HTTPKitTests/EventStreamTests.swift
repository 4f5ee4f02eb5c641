import Synchronization
import Testing
import Primitives
import NetworkIO

@testable import HTTPKit

@Suite(.timeLimit(.minutes(10)))
struct EventStreamTests {
    @Test func eventsArriveAsTheyAreMade() async throws {
        let (stream, source) = AsyncStream<ServerSentEvent>.makeStream()
        let server = try await WebServerFixture { $0.get("/events") { _ in .events { stream } } }
        var events = server.client.events(from: server.service.endpoint, path: "/events").makeAsyncIterator()
        let sent = [
            ServerSentEvent("one"), ServerSentEvent("two\nlines", name: "call", id: "7"), ServerSentEvent("十"),
        ]
        for event in sent {
            source.yield(event)
            let received = try await events.next()
            #expect(received?.data == event.data)
            #expect(received?.name == event.name)
        }
        source.finish()
        #expect(try await events.next() == nil)
        await server.service.stop()
    }

    /// A list that is longer than any buffer on the way reaches the client whole, and is not taken before its turn.
    @Test func aLongBeginningArrivesWhole() async throws {
        final class Numbers: Sendable {
            private let last = Mutex(0)
            func next() -> Int {
                last.withLock { last in
                    last += 1
                    return last
                }
            }
        }
        let count = 10_000
        let numbers = Numbers()
        let server = try await WebServerFixture { routes in
            routes.get("/events") { _ in
                .events {
                    AsyncStream {
                        let next = numbers.next()
                        return next <= count ? ServerSentEvent("\(next)") : nil
                    }
                }
            }
        }
        var expected = 1
        for try await event in server.client.events(from: server.service.endpoint, path: "/events") {
            #expect(event.data == "\(expected)")
            expected += 1
        }
        #expect(expected == count + 1)
        await server.service.stop()
    }

    @Test func refusedStreamThrows() async throws {
        let server = try await WebServerFixture { _ in }
        var events = server.client.events(from: server.service.endpoint, path: "/events").makeAsyncIterator()
        await #expect(throws: HTTPClientError.refused(status: 404, code: "", message: "")) {
            _ = try await events.next()
        }
        await server.service.stop()
    }

    @Test func silentStreamIsGivenUp() async throws {
        let (stream, source) = AsyncStream<ServerSentEvent>.makeStream()
        let server = try await WebServerFixture { $0.get("/events") { _ in .events { stream } } }
        var events = server.client.events(
            from: server.service.endpoint, path: "/events", silence: .milliseconds(100)
        ).makeAsyncIterator()
        await #expect(throws: HTTPClientError.timedOut) { _ = try await events.next() }
        source.finish()
        await server.service.stop()
    }

    /// WHATWG HTML §9.2.6: any of CR LF, LF and CR ends a line; one space after the colon is not part of the value.
    @Test func parserTakesAnySplitAndAnyLineEnd() {
        let text = ": comment\r\nevent: a\rdata:x\ndata:  y\r\nid: 3\r\n\r\ndata\n\nevent: lost\n\ndata: z\n\n"
        let expected = [
            ServerSentEvent("x\n y", name: "a", id: "3"), ServerSentEvent("", id: "3"), ServerSentEvent("z", id: "3"),
        ]
        for size in 1...text.utf8.count {
            var parser = ServerSentEventParser()
            var events: [ServerSentEvent] = []
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                events += parser.feed(rest.prefix(size))
                rest = rest.dropFirst(size)
            }
            #expect(events == expected, "in pieces of \(size)")
        }
    }

    @Test func eventCannotForgeAnother() {
        let wire = ServerSentEvent("a\r\n\r\nevent: b\rc", name: "x\nid: 4").wire
        var parser = ServerSentEventParser()
        #expect(parser.feed(wire.utf8) == [ServerSentEvent("a\n\nevent: b\nc", name: "xid: 4")])
    }

    @Test func endlessLineEndsTheParsing() {
        var parser = ServerSentEventParser()
        let block = [UInt8](repeating: 97, count: 1 << 20)
        for _ in 0..<9 { #expect(parser.feed(block).isEmpty) }
        #expect(parser.isOverLimit)
    }
}

@Suite(.timeLimit(.minutes(10)))
struct PublishedTests {
    @Test func knownVersionWaitsForTheNext() async {
        let published = Published("a")
        let first = await published.next(after: nil, within: .seconds(30))
        #expect(first?.value == "a")
        async let second = published.next(after: first?.number, within: .seconds(30))
        while published.waiterCount == 0 { await Task.yield() }
        published.publish("b")
        #expect(await second?.value == "b")
        #expect(published.waiterCount == 0)
    }

    @Test func nothingNewEndsWithTheTime() async {
        let published = Published("a")
        let version = await published.next(after: published.current.number, within: .milliseconds(1))
        #expect(version == nil)
        #expect(published.waiterCount == 0)
    }

    @Test func cancelledClientDoesNotWait() async {
        let published = Published("a")
        let client = Task { await published.next(after: published.current.number, within: .seconds(600)) }
        while published.waiterCount == 0 { await Task.yield() }
        client.cancel()
        #expect(await client.value == nil)
        #expect(published.waiterCount == 0)
    }
}
