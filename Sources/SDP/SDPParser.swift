extension SessionDescription {
    /// Reads a description. Tolerant of what telephones get wrong without harm: bare LF, no final line end, blank
    /// lines at the end, lines in another order, missing `s=` and `t=`, unknown lines, bytes that are not UTF-8.
    public init(parsing bytes: UnsafeRawBufferPointer) throws(SDPError) {
        guard bytes.count <= SDPLimits.bytes else { throw .tooLong }
        var parser = SDPParser()
        var start = 0
        while start < bytes.count {
            var end = start
            while end < bytes.count, bytes[end] != 10 { end += 1 }
            let next = end + 1
            if end > start, bytes[end - 1] == 13 { end -= 1 }
            try parser.take(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
            start = next
        }
        self = try parser.finish()
    }

    public init(parsing bytes: [UInt8]) throws(SDPError) {
        try self.init(parsing: bytes[...])
    }

    public init(parsing bytes: ArraySlice<UInt8>) throws(SDPError) {
        let result: Result<SessionDescription, SDPError> = bytes.withUnsafeBytes { buffer in
            do throws(SDPError) { return .success(try SessionDescription(parsing: buffer)) } catch {
                return .failure(error)
            }
        }
        self = try result.get()
    }
}

/// Takes the lines of a description one by one.
private struct SDPParser {
    private var line = 0
    private var sawBlank = false
    private var origin: Origin?
    private var name = "-"
    private var connection: ConnectionData?
    private var timings: [String] = []
    private var attributes: [Attribute] = []
    private var media: [MediaSection] = []

    mutating func take(_ text: UnsafeRawBufferPointer) throws(SDPError) {
        line += 1
        guard line <= SDPLimits.lines else { throw .tooMany(.lines, line: line) }
        if text.isEmpty {
            sawBlank = true
            return
        }
        // Blank lines are forgiven at the end only.
        guard !sawBlank, text.count >= 2, text[1] == UInt8(ascii: "=") else {
            throw line == 1 ? .version : .malformed(line: line)
        }
        let value = String(decoding: text.dropFirst(2), as: UTF8.self)
        if line == 1 {
            guard text[0] == UInt8(ascii: "v"), value == "0" else { throw .version }
            return
        }
        switch text[0] {
        case UInt8(ascii: "o"): if origin == nil { origin = try parseOrigin(value) }
        case UInt8(ascii: "s"): if media.isEmpty { name = value }
        case UInt8(ascii: "c"): try takeConnection(value)
        case UInt8(ascii: "t"): try takeTiming(value)
        case UInt8(ascii: "a"): try takeAttribute(value)
        case UInt8(ascii: "m"): try takeMedia(value)
        case UInt8(ascii: "v"): throw .malformed(line: line)
        case UInt8(ascii: "a")...UInt8(ascii: "z"): break
        default: throw .malformed(line: line)
        }
    }

    func finish() throws(SDPError) -> SessionDescription {
        guard line > 0 else { throw .empty }
        guard let origin else { throw .noOrigin }
        return SessionDescription(
            origin: origin, name: name, connection: connection, timings: timings.isEmpty ? ["0 0"] : timings,
            attributes: attributes, media: media)
    }

    private func parseOrigin(_ value: String) throws(SDPError) -> Origin {
        guard let origin = Origin(value) else { throw .malformed(line: line) }
        return origin
    }

    private mutating func takeConnection(_ value: String) throws(SDPError) {
        let fields = value.split(separator: " ")
        guard fields.count >= 3 else { throw .malformed(line: line) }
        let data = ConnectionData(
            networkType: String(fields[0]), addressType: String(fields[1]), host: String(fields[2]))
        // A medium may have several for layered streams; the first is the base layer.
        if media.isEmpty {
            connection = connection ?? data
        } else if media[media.count - 1].connection == nil {
            media[media.count - 1].connection = data
        }
    }

    private mutating func takeTiming(_ value: String) throws(SDPError) {
        guard timings.count < SDPLimits.timings else { throw .tooMany(.timings, line: line) }
        // Answers repeat it, so nothing but two numbers passes.
        let fields = value.split(separator: " ")
        guard fields.count == 2, fields.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }) else {
            throw .malformed(line: line)
        }
        timings.append(value)
    }

    private mutating func takeAttribute(_ value: String) throws(SDPError) {
        let attribute: Attribute
        if let colon = value.utf8.firstIndex(of: UInt8(ascii: ":")) {
            attribute = Attribute(String(value[..<colon]), String(value[value.utf8.index(after: colon)...]))
        } else {
            attribute = Attribute(value)
        }
        let count = media.last?.attributes.count ?? attributes.count
        guard count < SDPLimits.attributes else { throw .tooMany(.attributes, line: line) }
        if media.isEmpty {
            attributes.append(attribute)
        } else {
            media[media.count - 1].attributes.append(attribute)
        }
    }

    /// `m=audio 49170/2 RTP/AVP 0 8 101`
    private mutating func takeMedia(_ value: String) throws(SDPError) {
        guard media.count < SDPLimits.media else { throw .tooMany(.media, line: line) }
        // Refused media are repeated in the answer, so only what a token or a protocol name may hold passes.
        guard value.utf8.allSatisfy({ (32...126).contains($0) }) else { throw .malformed(line: line) }
        let fields = value.split(separator: " ")
        guard fields.count >= 4 else { throw .malformed(line: line) }
        guard fields.count - 3 <= SDPLimits.formats else { throw .tooMany(.formats, line: line) }
        let ports = fields[1].split(separator: "/", omittingEmptySubsequences: false)
        guard ports.count <= 2, let port = UInt16(ports[0]) else { throw .malformed(line: line) }
        var portCount: UInt16?
        if ports.count == 2 {
            guard let count = UInt16(ports[1]), count > 0 else { throw .malformed(line: line) }
            portCount = count
        }
        media.append(
            MediaSection(
                media: String(fields[0]), port: port, portCount: portCount, transport: String(fields[2]),
                formats: fields[3...].map(String.init)))
    }
}

extension Origin {
    /// Reads the value of an `o=` line; further fields are dropped.
    public init?(_ value: String) {
        let fields = value.split(separator: " ")
        guard fields.count >= 6 else { return nil }
        self.init(
            username: String(fields[0]), sessionID: String(fields[1]), version: UInt64(fields[2]) ?? 0,
            networkType: String(fields[3]), addressType: String(fields[4]), address: String(fields[5]))
    }
}
