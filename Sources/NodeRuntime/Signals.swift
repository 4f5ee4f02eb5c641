import Dispatch

#if canImport(Glibc)
    import Glibc
#endif

/// Signals as a stream of their numbers, instead of handlers that may do next to nothing.
public final class Signals: Sendable {
    public let received: AsyncStream<Int32>
    private let continuation: AsyncStream<Int32>.Continuation
    // Written once in `init`; dispatch sources may be cancelled from any thread.
    private nonisolated(unsafe) let sources: [any DispatchSourceSignal]

    public init(_ numbers: [Int32]) {
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
        received = stream
        self.continuation = continuation
        sources = numbers.map { number in
            // The default action would end the process before the source hears of it.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { continuation.yield(number) }
            source.resume()
            return source
        }
    }

    /// Ends the stream.
    public func finish() { continuation.finish() }

    deinit { for source in sources { source.cancel() } }
}
