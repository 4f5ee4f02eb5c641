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

    /// Writes events as they come and a comment in every pause, so that a client that left is noticed.
    private static func write(_ events: AsyncStream<ServerSentEvent>, to writer: inout any ResponseBodyWriter)
        async throws
    {
        let (lines, continuation) = AsyncStream<String>.makeStream(bufferingPolicy: .bufferingOldest(256))
        let pump = Task {
            for await event in events {
                // A client that reads too slowly is cut off rather than served with gaps.
                if case .dropped = continuation.yield(event.wire) { break }
            }
            continuation.finish()
        }
        let pulse = Task {
            while (try? await Task.sleep(for: keepAliveInterval)) != nil { continuation.yield(":\n\n") }
        }
        defer {
            pump.cancel()
            pulse.cancel()
        }
        try await writer.write(ByteBuffer(string: ":\n\n"))
        for await line in lines { try await writer.write(ByteBuffer(string: line)) }
    }
}
