/// ACK for a non-2xx final response and CANCEL: requests that a client makes from the bytes of its own INVITE
/// (RFC 3261 §17.1.1.3, §9.1). Request-URI, Call-ID, From, CSeq number and Route are the INVITE's; there is one Via, its
/// topmost, so that both reach the same transaction at the next hop.
struct DerivedRequest: WireWritable {
    enum Kind {
        case cancel
        /// To is the response's, with its tag.
        case acknowledge(final: Message)
    }

    let kind: Kind
    let bytes: UnsafeRawBufferPointer
    let lines: [HeaderLine]
    let uri: Range<Int>

    /// Nil when `bytes` are no INVITE.
    init?(_ kind: Kind, of bytes: UnsafeRawBufferPointer, lines: [HeaderLine]) {
        guard let first = lines.first else { return nil }
        let line = 0..<first.line.lowerBound
        let afterMethod = HeaderSyntax.find(32, in: line, of: bytes)
        guard HeaderSyntax.equals(bytes, 0..<afterMethod, "invite"), afterMethod < line.upperBound else { return nil }
        uri = afterMethod + 1..<HeaderSyntax.find(32, in: afterMethod + 1..<line.upperBound, of: bytes)
        self.kind = kind
        self.bytes = bytes
        self.lines = lines
    }

    func write(to sink: inout some ByteSink) {
        let method: StaticString = if case .cancel = kind { "CANCEL" } else { "ACK" }
        sink.put(method)
        sink.put(byte: 32)
        sink.put(UnsafeRawBufferPointer(rebasing: bytes[uri]))
        sink.put(" SIP/2.0\r\n")
        var isTopVia = true
        for field in lines {
            switch field.kind {
            case .via where isTopVia:
                sink.put("Via: ")
                let top = HeaderSyntax.firstElement(of: field.value, in: bytes)
                sink.put(UnsafeRawBufferPointer(rebasing: bytes[top]))
                sink.put("\r\nMax-Forwards: 70\r\n")
                isTopVia = false
            case .route, .from, .callID:
                sink.put(UnsafeRawBufferPointer(rebasing: bytes[field.line]))
            case .to:
                switch kind {
                case .cancel: sink.put(UnsafeRawBufferPointer(rebasing: bytes[field.line]))
                case .acknowledge(let final):
                    guard let line = final.lines.first(where: { $0.kind == .to })?.line else { break }
                    final.bytes.withUnsafeBytes { sink.put(UnsafeRawBufferPointer(rebasing: $0[line])) }
                }
            case .cseq:
                let number = field.value.lowerBound..<HeaderSyntax.numberEnd(in: field.value, of: bytes)
                sink.put("CSeq: ")
                sink.put(UnsafeRawBufferPointer(rebasing: bytes[number]))
                sink.put(byte: 32)
                sink.put(method)
                sink.putLineEnd()
            default: break
            }
        }
        sink.put("Content-Length: 0\r\n\r\n")
    }
}

extension MessageWriter {
    /// The ACK for a final response of 300–699 to that INVITE (RFC 3261 §17.1.1.3). Nil when `invite` is no INVITE.
    public static func acknowledge(invite: Message, final: Message) -> [UInt8]? {
        invite.bytes.withUnsafeBytes {
            DerivedRequest(.acknowledge(final: final), of: $0, lines: invite.lines)?.wireBytes()
        }
    }

    /// The same from the bytes of an INVITE that was sent. Nil when they are none.
    public static func acknowledge(invite: [UInt8], final: Message) -> [UInt8]? {
        derived(.acknowledge(final: final), of: invite)
    }

    /// The CANCEL of that INVITE (RFC 3261 §9.1). Nil when `invite` is no INVITE.
    public static func cancel(invite: Message) -> [UInt8]? {
        invite.bytes.withUnsafeBytes { DerivedRequest(.cancel, of: $0, lines: invite.lines)?.wireBytes() }
    }

    /// The same from the bytes of an INVITE that was sent. Nil when they are none.
    public static func cancel(invite: [UInt8]) -> [UInt8]? { derived(.cancel, of: invite) }

    private static func derived(_ kind: DerivedRequest.Kind, of invite: [UInt8]) -> [UInt8]? {
        invite.withUnsafeBytes { bytes in
            guard let head = try? HeadIndex(of: bytes) else { return nil }
            return DerivedRequest(kind, of: bytes, lines: head.lines)?.wireBytes()
        }
    }
}
