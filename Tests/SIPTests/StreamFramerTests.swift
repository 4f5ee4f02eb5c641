import SIP
import Testing

struct StreamFramerTests {
    private func message(_ body: String, extra: String = "") -> [UInt8] {
        wire("INFO sip:a@b SIP/2.0\nl : \(body.utf8.count)\n\(extra)\n\(body)")
    }

    private func drain(_ framer: inout StreamFramer) -> [StreamFramer.Event] {
        var events: [StreamFramer.Event] = []
        while let event = framer.next() { events.append(event) }
        return events
    }

    /// RFC 3261 §18.3: Content-Length alone says where a message ends, however the bytes are cut.
    @Test func anyCutOfTheStreamGivesTheSameMessages() {
        let messages = [
            message("hello"), message(""), message("a\r\n\r\nb", extra: "X: \(String(repeating: "y", count: 3000))\n"),
        ]
        let stream = messages.flatMap { $0 }
        for size in [1, 2, 3, 7, 64, stream.count] {
            var framer = StreamFramer(side: .accepted)
            var events: [StreamFramer.Event] = []
            for start in stride(from: 0, to: stream.count, by: size) {
                framer.feed(stream[start..<min(start + size, stream.count)])
                events += drain(&framer)
            }
            #expect(events == messages.map { .message($0) }, "cut by \(size)")
            #expect(framer.pendingCount == 0)
        }
    }

    /// RFC 5626 §3.5.1: "the client sends a double-CRLF (the 'ping') then waits to receive a single CRLF (the 'pong')".
    @Test func pingsComeBetweenMessages() {
        var framer = StreamFramer(side: .accepted)
        framer.feed([13, 10])
        #expect(drain(&framer).isEmpty)
        framer.feed([13, 10])
        #expect(drain(&framer) == [.ping])
        framer.feed(message("x") + [13, 10, 13, 10] + message("y"))
        #expect(drain(&framer) == [.message(message("x")), .ping, .message(message("y"))])
    }

    @Test func aLoneLineEndBeforeAMessageIsIgnored() {
        var framer = StreamFramer(side: .accepted)
        framer.feed([13, 10] + message("x"))
        #expect(drain(&framer) == [.message(message("x"))])
    }

    @Test func theOpenerSeesPongs() {
        var framer = StreamFramer(side: .opened)
        framer.feed([13, 10])
        #expect(drain(&framer) == [.pong])
        framer.feed(message("x"))
        #expect(drain(&framer) == [.message(message("x"))])
    }

    @Test(arguments: [
        ("INFO sip:a@b SIP/2.0\nX: y\n\n", StreamFramer.Failure.missingContentLength),
        ("INFO sip:a@b SIP/2.0\nContent-Length: x\n\n", .badContentLength),
        ("INFO sip:a@b SIP/2.0\nContent-Length: -1\n\n", .badContentLength),
        ("INFO sip:a@b SIP/2.0\nl: 1\nContent-Length: 1\n\nx", .badContentLength),
        ("INFO sip:a@b SIP/2.0\nl: 99999999999999999999999\n\n", .badContentLength),
        ("INFO sip:a@b SIP/2.0\nl: 65536\n\n", .messageTooLong),
    ])
    func lostFramingEndsTheStream(text: String, failure: StreamFramer.Failure) {
        var framer = StreamFramer(side: .accepted)
        framer.feed(wire(text))
        guard case .broken(let head, failure)? = framer.next() else {
            Issue.record("not broken by \(failure)")
            return
        }
        #expect(head.starts(with: wire("INFO sip:a@b SIP/2.0\n")))
        framer.feed(message("x"))
        #expect(framer.next() == nil)
        #expect(framer.pendingCount == 0)
    }

    @Test func anEndlessHeadIsCutOff() {
        var framer = StreamFramer(side: .accepted)
        var events: [StreamFramer.Event] = []
        for _ in 0..<100 {
            framer.feed([UInt8](repeating: 65, count: 1000))
            events += drain(&framer)
            #expect(framer.pendingCount <= StreamFramer.headLimit + 1000)
        }
        guard case .broken(_, .headTooLong)? = events.first else {
            Issue.record("\(events.count) events")
            return
        }
        #expect(events.count == 1)
    }

    /// What cannot be framed is answered, as far as its head came (§18.3): 513 where the peer sent too much.
    @Test(arguments: [
        ("Content-Length: 70000", 513, "Message Too Large"),
        ("X-Long: \(String(repeating: "x", count: 40_000))", 513, nil),
        ("X: y", 400, "Missing Content-Length"), ("Content-Length: x", 400, "Malformed Content-Length"),
    ])
    func lostFramingIsAnswered(_ line: String, _ status: Int, _ phrase: String?) throws {
        let head = """
            OPTIONS sip:a@192.0.2.1 SIP/2.0
            Via: SIP/2.0/TCP 192.0.2.2;branch=z9hG4bK1
            From: <sip:b@192.0.2.2>;tag=b
            To: <sip:a@192.0.2.1>
            Call-ID: c
            CSeq: 1 OPTIONS
            Max-Forwards: 70

            """
        var framer = StreamFramer(side: .accepted)
        framer.feed(wire(head + line + "\n\n"))
        guard case .broken(let bytes, let failure)? = framer.next() else {
            Issue.record("framed")
            return
        }
        let error = MessageParser().refusal(of: bytes, failure)
        #expect(error.status == status)
        let answer = try #require(MessageWriter.response(to: error, toTag: "t", source: nil))
        let text = String(decoding: answer, as: UTF8.self)
        #expect(text.hasPrefix("SIP/2.0 \(status) \(phrase ?? "")"), "\(text)")
        #expect(text.contains("CSeq: 1 OPTIONS\r\n"))
    }

    @Test func noiseOnAStreamIsNotAnswered() {
        let parser = MessageParser()
        for failure in [StreamFramer.Failure.headTooLong, .messageTooLong, .missingContentLength, .badContentLength] {
            for bytes in [[], [0, 0, 0, 0], wire("SIP/2.0 200 OK\n\n"), wire("ACK sip:a@b SIP/2.0\n\n")] {
                #expect(parser.refusal(of: bytes, failure).request == nil)
            }
        }
    }
}
