public import Primitives

/// What a proxy changes in a request that it forwards (RFC 3261 §16.6), made by editing a copy of the received bytes:
/// everything that is not named here stays byte for byte as it came. One allocation of the final size.
///
/// Values given as text are written on one line whatever they hold (`MessageWriter`).
public struct ForwardingEdit: Sendable {
    /// Headers that only count inside the trust domain; removed from what comes from outside it.
    public static let untrusted: HeaderNameSet = [
        .tandemSession, .tandemLoad, .tandemNode, .tandemPeers, .tandemTakeover, .tandemHandover, .pAssertedIdentity,
        .userToUser,
    ]

    /// Becomes the topmost Via.
    public var via: Via?
    /// Where the request came from: sets received and rport in what was the topmost Via (RFC 3581 §4).
    public var source: Endpoint?
    /// Nil leaves the Request-URI as it came.
    public var requestURI: URI?
    /// The first Route value, which is this proxy's own (§16.4).
    public var removesFirstRoute: Bool
    /// Values to stand before all Record-Routes that came, `<sip:192.0.2.1;lr>`; two where the transport or family
    /// changes (RFC 5658).
    public var recordRoutes: [String]
    /// One less, never below 0; 70 where there is none (§16.6 step 3). The caller has answered 483 to 0.
    public var decrementsMaxForwards: Bool
    /// Lines of these names are left out.
    public var removed: HeaderNameSet
    /// Each replaces all lines of its name.
    public var headers: [(HeaderName, String)]

    public init(
        via: Via?, source: Endpoint? = nil, requestURI: URI? = nil, removesFirstRoute: Bool = false,
        recordRoutes: [String] = [], decrementsMaxForwards: Bool = true, removed: HeaderNameSet = [],
        headers: [(HeaderName, String)] = []
    ) {
        self.via = via
        self.source = source
        self.requestURI = requestURI
        self.removesFirstRoute = removesFirstRoute
        self.recordRoutes = recordRoutes
        self.decrementsMaxForwards = decrementsMaxForwards
        self.removed = removed
        self.headers = headers
    }

    /// The bytes to send on. Bytes beyond Content-Length are left behind.
    public func apply(to request: Message) -> [UInt8] {
        request.bytes.withUnsafeBytes { bytes in
            RequestEdit(
                edit: self, message: request, lines: request.lines, bytes: bytes,
                topVia: source.map { source in
                    ViaStamp(
                        value: request.lines.first { $0.kind == .via }?.value ?? 0..<0, in: bytes,
                        sentBy: request.sentBy, isBare: request.topViaIsBare, source: source)
                }
            ).wireBytes()
        }
    }

    /// A response on its way back (§16.7 step 3 and 9): the topmost Via value, which is this proxy's own, is taken off.
    /// Nil when it is the only one, so the response ends here.
    public static func response(
        _ response: Message, removed: HeaderNameSet = [], headers: [(HeaderName, String)] = []
    ) -> [UInt8]? {
        guard response.viaCount > 1 else { return nil }
        return response.bytes.withUnsafeBytes { bytes in
            ResponseEdit(
                message: response, lines: response.lines, bytes: bytes,
                left: removed.union(headers), headers: headers
            ).wireBytes()
        }
    }
}

extension HeaderNameSet {
    fileprivate func union(_ headers: [(HeaderName, String)]) -> HeaderNameSet {
        var result = self
        for (name, _) in headers { result.insert(name) }
        return result
    }
}

/// Copies stretches of bytes that stay, as long as they can be.
private struct Stretch {
    let bytes: UnsafeRawBufferPointer
    /// Everything before this has been copied or left out.
    private var start: Int

    init(of bytes: UnsafeRawBufferPointer, from start: Int) {
        self.bytes = bytes
        self.start = start
    }

    /// Copies up to `end`; what follows up to `next` is left out.
    mutating func copy(to end: Int, skippingTo next: Int, into sink: inout some ByteSink) {
        if end > start { sink.put(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) }
        start = next
    }

    /// Leaves out the first element of a list: its line when it is alone there, else it and its comma.
    mutating func leaveOutFirst(of field: HeaderLine, into sink: inout some ByteSink) {
        let comma = HeaderSyntax.find(HeaderSyntax.comma, in: field.value, of: bytes)
        if comma == field.value.upperBound {
            copy(to: field.line.lowerBound, skippingTo: field.line.upperBound, into: &sink)
        } else {
            let rest = HeaderSyntax.trim(comma + 1..<field.value.upperBound, in: bytes)
            copy(to: field.value.lowerBound, skippingTo: rest.lowerBound, into: &sink)
        }
    }
}

private struct RequestEdit: WireWritable {
    let edit: ForwardingEdit
    let message: Message
    let lines: [HeaderLine]
    let bytes: UnsafeRawBufferPointer
    let topVia: ViaStamp?
    let left: HeaderNameSet

    init(
        edit: ForwardingEdit, message: Message, lines: [HeaderLine], bytes: UnsafeRawBufferPointer,
        topVia: ViaStamp?
    ) {
        self.edit = edit
        self.message = message
        self.lines = lines
        self.bytes = bytes
        self.topVia = topVia
        left = edit.removed.union(edit.headers)
    }

    func write(to sink: inout some ByteSink) {
        let headStart = lines.first?.line.lowerBound ?? message.body.lowerBound
        var stretch = Stretch(of: bytes, from: 0)
        if let uri = edit.requestURI {
            message.method.write(to: &sink)
            sink.put(byte: 32)
            uri.write(to: &sink)
            sink.put(" SIP/2.0\r\n")
            stretch.copy(to: 0, skippingTo: headStart, into: &sink)
        } else {
            stretch.copy(to: headStart, skippingTo: headStart, into: &sink)
        }
        if let via = edit.via { sink.putHeader(.via, via) }
        for value in edit.recordRoutes { sink.putHeader(.recordRoute, text: value) }
        for (name, value) in edit.headers { sink.putHeader(name, text: value) }
        if edit.decrementsMaxForwards, message.maxForwards == nil { sink.put("Max-Forwards: 70\r\n") }
        var isTopVia = true
        var isFirstRoute = true
        for field in lines {
            if left.contains(field, in: bytes) {
                stretch.copy(to: field.line.lowerBound, skippingTo: field.line.upperBound, into: &sink)
                continue
            }
            switch field.kind {
            case .via where isTopVia:
                isTopVia = false
                guard let topVia else { continue }
                stretch.copy(to: topVia.value.lowerBound, skippingTo: topVia.value.upperBound, into: &sink)
                topVia.writeValue(to: &sink)
            case .maxForwards where edit.decrementsMaxForwards:
                stretch.copy(to: field.value.lowerBound, skippingTo: field.value.upperBound, into: &sink)
                sink.put(decimal: max(0, (message.maxForwards ?? 0) - 1))
            case .route where isFirstRoute && edit.removesFirstRoute:
                isFirstRoute = false
                stretch.leaveOutFirst(of: field, into: &sink)
            default: break
            }
        }
        stretch.copy(to: message.body.upperBound, skippingTo: bytes.count, into: &sink)
    }
}

private struct ResponseEdit: WireWritable {
    let message: Message
    let lines: [HeaderLine]
    let bytes: UnsafeRawBufferPointer
    let left: HeaderNameSet
    let headers: [(HeaderName, String)]

    func write(to sink: inout some ByteSink) {
        let headStart = lines.first?.line.lowerBound ?? message.body.lowerBound
        var stretch = Stretch(of: bytes, from: 0)
        stretch.copy(to: headStart, skippingTo: headStart, into: &sink)
        for (name, value) in headers { sink.putHeader(name, text: value) }
        var isTopVia = true
        for field in lines {
            if left.contains(field, in: bytes) {
                stretch.copy(to: field.line.lowerBound, skippingTo: field.line.upperBound, into: &sink)
            } else if isTopVia, field.kind == .via {
                isTopVia = false
                stretch.leaveOutFirst(of: field, into: &sink)
            }
        }
        stretch.copy(to: message.body.upperBound, skippingTo: bytes.count, into: &sink)
    }
}
