import NIOCore
import NIOHTTP1

enum HTTPAnswerPart: Sendable {
    case head((status: Int, headers: [(name: String, value: String)]))
    case body([UInt8])
    case end
}

/// One request and its answer on a connection of their own. Lives on the connection's event loop.
final class HTTPExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let request: HTTPRequestHead
    private let body: [UInt8]?
    private let continuation: AsyncThrowingStream<HTTPAnswerPart, any Error>.Continuation
    private let limit: TimeAmount
    private let isStream: Bool
    private var silence: Scheduled<Void>?

    init(
        _ request: HTTPRequestHead, body: [UInt8]?,
        continuation: AsyncThrowingStream<HTTPAnswerPart, any Error>.Continuation, limit: TimeAmount, isStream: Bool
    ) {
        self.request = request
        self.body = body
        self.continuation = continuation
        self.limit = limit
        self.isStream = isStream
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(request)), promise: nil)
        if let body {
            context.write(
                wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(bytes: body)))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        heard(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        heard(context)
        let part: HTTPAnswerPart =
            switch unwrapInboundIn(data) {
            case .head(let head):
                .head((status: Int(head.status.code), headers: head.headers.map { (name: $0.name, value: $0.value) }))
            case .body(let buffer): .body(Array(buffer.readableBytesView))
            case .end: .end
            }
        let isEnd = if case .end = part { true } else { false }
        if case .dropped = continuation.yield(part) { finish(HTTPClientError.tooLong, context) }
        if isEnd { finish(nil, context) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The parser has a word of its own for an answer that ends too soon.
        let isGarbage = (error as? HTTPParserError).map { $0 != .invalidEOFState } ?? false
        finish(isGarbage ? HTTPClientError.malformed("the answer is not HTTP") : HTTPClientError.closed, context)
    }

    func channelInactive(context: ChannelHandlerContext) { finish(HTTPClientError.closed, context) }

    /// Starts the time anew after which a silent stream is given up.
    private func heard(_ context: ChannelHandlerContext) {
        guard isStream else { return }
        silence?.cancel()
        silence = context.eventLoop.scheduleTask(in: limit) { [continuation] in
            continuation.finish(throwing: HTTPClientError.timedOut)
        }
    }

    /// Only the first call counts for the reader.
    private func finish(_ error: HTTPClientError?, _ context: ChannelHandlerContext) {
        silence?.cancel()
        continuation.finish(throwing: error)
        context.close(promise: nil)
    }
}
