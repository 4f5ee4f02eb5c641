/// Bytes of the network → validated messages. Plain messages are checked in Swift and their values made when they are
/// asked for. For all others libosip2 parses the values in memory of the parser's own that is reset after each message;
/// lines, limits and everything that libosip2 lets pass are checked in Swift.
///
/// Use one parser per thread (or event loop); it may move between threads but not work on two at once.
public final class MessageParser {
    /// Largest message, head and body, in bytes; larger ones are answered with 513.
    public static let sizeLimit = 65_536
    /// Most values of one header.
    public static let fieldLimit = 64
    /// Most header fields of all kinds.
    public static let totalFieldLimit = HeadIndex.fieldLimit

    private let arena: Arena

    /// - Parameter arenaCapacity: in bytes. A usual message needs about 4 KiB; what does not fit comes from malloc.
    public init(arenaCapacity: Int = 128 * 1024) {
        arena = Arena(capacity: arenaCapacity)
    }

    /// Parses one datagram, or one message that a `StreamFramer` cut from a stream.
    ///
    /// - Parameter transport: what it came over. Datagrams may be longer than Content-Length says (RFC 3261 §18.3) and
    ///   may leave it out; messages from a stream may not.
    public func parse(_ bytes: UnsafeRawBufferPointer, transport: Transport) throws(SIPParseError) -> Message {
        // The message is needed as an array in the end, so it is copied first and parsed where it will stay.
        try parse([UInt8](bytes), transport: transport)
    }

    /// The same without a copy of the bytes.
    public func parse(_ bytes: [UInt8], transport: Transport) throws(SIPParseError) -> Message {
        if bytes.first == 13 || bytes.first == 0 { return try parseAfterPadding(bytes, transport: transport) }
        // A closure with typed throws would lose its type in withUnsafeBytes; a result keeps it.
        let result = bytes.withUnsafeBytes { buffer -> Result<Message, SIPParseError> in
            do throws(SIPParseError.Problem) {
                guard buffer.count <= MessageParser.sizeLimit else { throw .tooLarge }
                let head = try HeadIndex.checked(buffer)
                if let plain = PlainMessage(head, of: buffer, transport: transport) {
                    return .success(
                        Message(
                            bytes: bytes, lines: head.lines, method: plain.method, places: plain.places, eager: nil))
                }
                arena.enter()
                defer { arena.leave() }
                let parsed = try ParsedMessage(head, of: buffer, in: arena)
                return .success(try parsed.message(holding: bytes, transport: transport))
            } catch {
                let problem = error
                return .failure(SIPParseError(problem, request: RejectedRequest(salvaging: buffer)))
            }
        }
        return try result.get()
    }

    /// Why a stream's bytes are no message (`StreamFramer.Event.broken`), with what its head holds for an answer.
    public func refusal(of head: [UInt8], _ failure: StreamFramer.Failure) -> SIPParseError {
        func refused(_ problem: SIPParseError.Problem) -> SIPParseError {
            SIPParseError(problem, request: head.withUnsafeBytes { RejectedRequest(salvaging: $0) })
        }
        let problem: SIPParseError.Problem
        switch failure {
        case .headTooLong, .messageTooLong: return refused(.tooLarge)
        case .missingContentLength: problem = .missing(.contentLength)
        case .badContentLength: problem = .malformed(.contentLength)
        }
        do throws(SIPParseError) {
            _ = try parse(head, transport: .tcp)
            return refused(problem)
        } catch {
            // Something else may be wrong besides, such as its version.
            return error
        }
    }

    /// RFC 3261 §7.5: line ends before the start line are ignored. Alone they, and NULs, only keep a path open.
    private func parseAfterPadding(_ bytes: [UInt8], transport: Transport) throws(SIPParseError) -> Message {
        guard let start = bytes.firstIndex(where: { $0 != 13 && $0 != 10 && $0 != 0 }) else {
            throw SIPParseError(.keepAlive, request: nil)
        }
        guard bytes[..<start].allSatisfy({ $0 != 0 }) else { throw SIPParseError(.notSIP, request: nil) }
        return try parse(Array(bytes[start...]), transport: transport)
    }
}

extension SIPParseError.Problem: Error {}
