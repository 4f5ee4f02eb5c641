import HTTPTypes
import Hummingbird
import NIOCore

extension WebAnswer {
    static let keepAliveInterval: Duration = .seconds(15)

    func response() -> Response {
        var fields = HTTPFields()
        fields[.cacheControl] = "no-store"
        for header in headers {
            if let name = HTTPField.Name(header.name) { fields[name] = header.value }
        }
        let status = HTTPResponse.Status(code: self.status)
        switch body {
        case .bytes(let bytes, let type):
            if !type.isEmpty { fields[.contentType] = type }
            return Response(status: status, headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
        case .events(let make):
            fields[.contentType] = "text/event-stream"
            return Response(
                status: status, headers: fields,
                body: ResponseBody { writer in
                    try await Self.write(make(), to: &writer)
                    try await writer.finish(nil)
                })
        }
    }

    /// Writes events as they come and a comment in every pause, so that a client that left is noticed. The next event is
    /// taken when the one before is written: what waits for a slow client waits where its limit is known.
    private static func write(_ events: AsyncStream<ServerSentEvent>, to writer: inout any ResponseBodyWriter)
        async throws
    {
        enum Line: Sendable { case event(String), pulse }
        let (lines, continuation) = AsyncStream<Line>.makeStream()
        let (written, wrote) = AsyncStream<Void>.makeStream()
        let pump = Task {
            var turns = written.makeAsyncIterator()
            for await event in events {
                continuation.yield(.event(event.wire))
                if await turns.next() == nil { break }
            }
            continuation.finish()
        }
        let pulse = Task {
            while (try? await Task.sleep(for: keepAliveInterval)) != nil { continuation.yield(.pulse) }
        }
        defer {
            pump.cancel()
            pulse.cancel()
        }
        try await writer.write(ByteBuffer(string: ":\n\n"))
        for await line in lines {
            switch line {
            case .event(let text):
                try await writer.write(ByteBuffer(string: text))
                wrote.yield()
            case .pulse: try await writer.write(ByteBuffer(string: ":\n\n"))
            }
        }
    }
}
