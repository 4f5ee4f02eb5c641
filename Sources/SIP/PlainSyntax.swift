/// Reads values of the plain form that nearly all have, straight from the bytes: `"Name" <sip:user@host:port;lr>;tag=x`
/// without escapes, folds, IPv6 or anything unusual. Nil for everything else, which libosip2 then reads; so what is
/// refused, and why, is decided in one place only. Both readers give the same value for what this one takes.
enum PlainSyntax {
    static func uri(_ range: Range<Int>, of bytes: UnsafeRawBufferPointer) -> URI? {
        uriPlaces(range, of: bytes)?.made(from: bytes)
    }

    static func address(_ value: Range<Int>, of bytes: UnsafeRawBufferPointer) -> NameAddress? {
        addressPlaces(value, of: bytes)?.made(from: bytes)
    }

    static func via(_ value: Range<Int>, of bytes: UnsafeRawBufferPointer) -> Via? {
        viaPlaces(value, of: bytes)?.made(from: bytes)
    }

    // MARK: sip:user@host:port;name=value

    static func uriPlaces(_ range: Range<Int>, of bytes: UnsafeRawBufferPointer) -> URIPlaces? {
        let end = range.upperBound
        var index = range.lowerBound
        guard range.count > 4, bytes[index] | 32 == 115, bytes[index + 1] | 32 == 105, bytes[index + 2] | 32 == 112,
            bytes[index + 3] == 58
        else { return nil }
        index += 4
        let first = index
        skip(.plain, &index, end, bytes)
        var places = URIPlaces()
        var host = first
        if index < end, bytes[index] == 64 {
            guard index > first else { return nil }
            places.user = Piece(first..<index)
            host = index + 1
        }
        guard let found = self.host(from: host, to: end, of: bytes), !places.user.isEmpty || found.upperBound >= index
        else { return nil }
        places.host = Piece(found)
        index = found.upperBound
        guard let port = port(&index, end, bytes) else { return nil }
        places.port = port
        places.parameters = Piece(index..<end)
        while index < end { guard parameter(&index, end, bytes) != nil else { return nil } }
        return places
    }

    // MARK: "Name" <uri>;tag=value

    static func addressPlaces(_ value: Range<Int>, of bytes: UnsafeRawBufferPointer) -> AddressPlaces? {
        let end = value.upperBound
        var index = value.lowerBound
        var places = AddressPlaces()
        if index < end, bytes[index] != 60 {
            guard let read = displayName(&index, end, bytes) else { return nil }
            places.displayName = Piece(read)
        }
        guard index < end, bytes[index] == 60 else { return nil }
        let start = index + 1
        while index < end, bytes[index] != 62 { index += 1 }
        // libosip2 takes no address with a URI of five bytes; whether that is right is not for this reader to say.
        guard index < end, index - start > 5, let uri = uriPlaces(start..<index, of: bytes) else { return nil }
        places.uri = uri
        index += 1
        places.parameters = Piece(index..<end)
        while index < end {
            guard let parameter = parameter(&index, end, bytes) else { return nil }
            if HeaderSyntax.equals(bytes, parameter.name, "tag") {
                guard places.tag.isEmpty, let tag = parameter.value else { return nil }
                places.tag = Piece(tag)
            }
        }
        return places
    }

    /// A quoted name without escapes, or one word, before the bracket.
    private static func displayName(
        _ index: inout Int, _ end: Int, _ bytes: UnsafeRawBufferPointer
    ) -> Range<Int>? {
        let name: Range<Int>
        if bytes[index] == 34 {
            let start = index + 1
            index = start
            while index < end, bytes[index] != 34 {
                guard bytes[index] != 92, bytes[index] >= 32, bytes[index] < 127 else { return nil }
                index += 1
            }
            name = start..<index
            index += 1
        } else {
            let start = index
            skip(.plain, &index, end, bytes)
            name = start..<index
        }
        guard !name.isEmpty, index + 1 < end, bytes[index] == 32, bytes[index + 1] == 60 else { return nil }
        index += 1
        return name
    }

    // MARK: SIP/2.0/UDP host:port;branch=value

    static func viaPlaces(_ value: Range<Int>, of bytes: UnsafeRawBufferPointer) -> ViaPlaces? {
        let end = value.upperBound
        guard value.count > 12, let base = bytes.baseAddress else { return nil }
        // "SIP/2.0/" and then the transport with its space, each as one number.
        let words = base + value.lowerBound
        var places = ViaPlaces()
        guard UInt64(littleEndian: words.loadUnaligned(as: UInt64.self)) == 0x2F30_2E32_2F50_4953 else { return nil }
        switch UInt32(littleEndian: words.loadUnaligned(fromByteOffset: 8, as: UInt32.self)) {
        case 0x2050_4455: places.isTCP = false
        case 0x2050_4354: places.isTCP = true
        default: return nil
        }
        guard let host = host(from: value.lowerBound + 12, to: end, of: bytes) else { return nil }
        places.host = Piece(host)
        var index = host.upperBound
        guard let port = port(&index, end, bytes) else { return nil }
        places.port = port
        places.parameters = Piece(index..<end)
        while index < end {
            guard let parameter = parameter(&index, end, bytes), take(parameter, into: &places, bytes) else {
                return nil
            }
        }
        return places
    }

    private static func take(
        _ parameter: PlainParameters.Part, into via: inout ViaPlaces, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        if HeaderSyntax.equals(bytes, parameter.name, "branch") {
            guard via.branch.isEmpty, let value = parameter.value else { return false }
            via.branch = Piece(value)
        } else if HeaderSyntax.equals(bytes, parameter.name, "rport") {
            guard via.rport == .absent else { return false }
            guard let value = parameter.value else {
                via.rport = .requested
                return true
            }
            guard let port = number(value, bytes) else { return false }
            via.rport = .filled(port)
        } else if HeaderSyntax.equals(bytes, parameter.name, "received") {
            guard via.received.isEmpty, let value = parameter.value,
                let host = host(from: value.lowerBound, to: value.upperBound, of: bytes),
                host.upperBound == value.upperBound
            else { return false }
            via.received = Piece(value)
        }
        return true
    }

    // MARK: Parts

    /// `;name` or `;name=value`, up to the next semicolon or the end.
    @inline(__always)
    static func parameter(
        _ index: inout Int, _ end: Int, _ bytes: UnsafeRawBufferPointer
    ) -> PlainParameters.Part? {
        guard bytes[index] == 59 else { return nil }
        index += 1
        let start = index
        skip(.plain, &index, end, bytes)
        var part = PlainParameters.Part(name: start..<index, value: nil)
        guard !part.name.isEmpty else { return nil }
        if index < end, bytes[index] == 61 {
            index += 1
            let start = index
            skip(.plain, &index, end, bytes)
            guard index > start else { return nil }
            part.value = start..<index
        }
        return part
    }

    /// A name or an IPv4 address.
    private static func host(from start: Int, to end: Int, of bytes: UnsafeRawBufferPointer) -> Range<Int>? {
        var index = start
        skip(.host, &index, end, bytes)
        guard index > start, index - start <= 255, bytes[start] != 46 else { return nil }
        return start..<index
    }

    /// `:port`, 0 if there is none; nil for a port that is none.
    private static func port(_ index: inout Int, _ end: Int, _ bytes: UnsafeRawBufferPointer) -> UInt16? {
        guard index < end, bytes[index] == 58 else { return 0 }
        index += 1
        let start = index
        var port = 0
        while index < end, Octets.isDigit(bytes[index]), index - start < 6 {
            port = port &* 10 &+ Int(bytes[index] &- 48)
            index += 1
        }
        guard index - start <= 5, port > 0 else { return nil }
        return UInt16(exactly: port)
    }

    /// 1…65535 in at most five digits.
    private static func number(_ range: Range<Int>, _ bytes: UnsafeRawBufferPointer) -> UInt16? {
        guard (1...5).contains(range.count) else { return nil }
        var result = 0
        for index in range {
            guard Octets.isDigit(bytes[index]) else { return nil }
            result = result * 10 + Int(bytes[index] &- 48)
        }
        return result > 0 ? UInt16(exactly: result) : nil
    }

    @inline(__always)
    private static func skip(
        _ class: OctetClass, _ index: inout Int, _ end: Int, _ bytes: UnsafeRawBufferPointer
    ) {
        while index < end, `class`.contains(bytes[index]) { index += 1 }
    }
}

extension OctetClass {
    /// Letters, digits and `!*+-._~`: the same everywhere, escaped nowhere.
    fileprivate static var plain: OctetClass { OctetClass(low: 0x03FF_6C02_0000_0000, high: 0x47FF_FFFE_87FF_FFFE) }
}
