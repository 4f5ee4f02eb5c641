/// Reads values of the plain form that nearly all have, straight from the bytes: `"Name" <sip:user@host:port;lr>;tag=x`
/// without escapes, folds, IPv6 or anything unusual. Nil for everything else, which libosip2 then reads; so what is
/// refused, and why, is decided in one place only. Both readers give the same value for what this one takes.
enum PlainSyntax {
    // MARK: sip:user@host:port;name=value

    static func uri(_ range: Range<Int>, of bytes: UnsafeRawBufferPointer) -> URI? {
        let end = range.upperBound
        var index = range.lowerBound
        guard range.count > 4, bytes[index] | 32 == 115, bytes[index + 1] | 32 == 105, bytes[index + 2] | 32 == 112,
            bytes[index + 3] == 58
        else { return nil }
        index += 4
        let first = index
        skip(.plain, &index, end, bytes)
        var user: Range<Int>?
        var host = first
        if index < end, bytes[index] == 64 {
            guard index > first else { return nil }
            user = first..<index
            host = index + 1
        }
        guard let place = self.host(from: host, to: end, of: bytes), user != nil || place.next >= index else {
            return nil
        }
        index = place.next
        let (port, isPort) = self.port(&index, end, bytes)
        guard isPort else { return nil }
        var uri = URI(user: user.map { text($0, bytes) }, host: text(place.host, bytes), port: port)
        while index < end {
            guard let parameter = parameter(&index, end, bytes) else { return nil }
            uri.parameters.append(parameter.made(from: bytes))
        }
        return uri
    }

    // MARK: "Name" <uri>;tag=value

    static func address(_ value: Range<Int>, of bytes: UnsafeRawBufferPointer) -> NameAddress? {
        let end = value.upperBound
        var index = value.lowerBound
        var name: Range<Int>?
        if index < end, bytes[index] != 60 {
            guard let read = displayName(&index, end, bytes) else { return nil }
            name = read
        }
        guard index < end, bytes[index] == 60 else { return nil }
        let start = index + 1
        while index < end, bytes[index] != 62 { index += 1 }
        // libosip2 takes no address with a URI of five bytes; whether that is right is not for this reader to say.
        guard index < end, index - start > 5, let uri = uri(start..<index, of: bytes) else { return nil }
        index += 1
        var address = NameAddress(displayName: name.map { text($0, bytes) }, uri: uri)
        var hasTag = false
        while index < end {
            guard let parameter = parameter(&index, end, bytes) else { return nil }
            if HeaderSyntax.equals(bytes, parameter.name, "tag") {
                guard !hasTag, parameter.value != nil else { return nil }
                hasTag = true
            }
            address.parameters.append(parameter.made(from: bytes))
        }
        return address
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

    static func via(_ value: Range<Int>, of bytes: UnsafeRawBufferPointer) -> Via? {
        let end = value.upperBound
        guard value.count > 12, let base = bytes.baseAddress else { return nil }
        // "SIP/2.0/" and then the transport with its space, each as one number.
        let words = base + value.lowerBound
        let transport: Transport
        guard UInt64(littleEndian: words.loadUnaligned(as: UInt64.self)) == 0x2F30_2E32_2F50_4953 else { return nil }
        switch UInt32(littleEndian: words.loadUnaligned(fromByteOffset: 8, as: UInt32.self)) {
        case 0x2050_4455: transport = .udp
        case 0x2050_4354: transport = .tcp
        default: return nil
        }
        guard let place = host(from: value.lowerBound + 12, to: end, of: bytes) else { return nil }
        var index = place.next
        let (port, isPort) = self.port(&index, end, bytes)
        guard isPort else { return nil }
        var via = Via(transport: transport, host: text(place.host, bytes), port: port, branch: nil)
        while index < end {
            guard let parameter = parameter(&index, end, bytes), take(parameter, into: &via, bytes) else { return nil }
        }
        return via
    }

    private static func take(_ parameter: Part, into via: inout Via, _ bytes: UnsafeRawBufferPointer) -> Bool {
        if HeaderSyntax.equals(bytes, parameter.name, "branch") {
            guard via.branch == nil, let value = parameter.value else { return false }
            via.branch = text(value, bytes)
        } else if HeaderSyntax.equals(bytes, parameter.name, "rport") {
            guard via.rport == .absent else { return false }
            guard let value = parameter.value else {
                via.rport = .requested
                return true
            }
            guard let port = number(value, bytes) else { return false }
            via.rport = .filled(port)
        } else if HeaderSyntax.equals(bytes, parameter.name, "received") {
            guard via.received == nil, let value = parameter.value,
                let place = host(from: value.lowerBound, to: value.upperBound, of: bytes),
                place.next == value.upperBound
            else { return false }
            via.received = text(value, bytes)
        } else {
            via.parameters.append(parameter.made(from: bytes))
        }
        return true
    }

    // MARK: Parts

    private struct Part {
        var name: Range<Int>
        var value: Range<Int>?

        func made(from bytes: UnsafeRawBufferPointer) -> Parameter {
            Parameter(PlainSyntax.text(name, bytes), value.map { PlainSyntax.text($0, bytes) })
        }
    }

    /// `;name` or `;name=value`, up to the next semicolon or the end.
    private static func parameter(_ index: inout Int, _ end: Int, _ bytes: UnsafeRawBufferPointer) -> Part? {
        guard bytes[index] == 59 else { return nil }
        index += 1
        let start = index
        skip(.plain, &index, end, bytes)
        var part = Part(name: start..<index, value: nil)
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

    /// A name or an IPv4 address, and what follows it.
    private static func host(
        from start: Int, to end: Int, of bytes: UnsafeRawBufferPointer
    ) -> (host: Range<Int>, next: Int)? {
        var index = start
        skip(.host, &index, end, bytes)
        guard index > start, index - start <= 255, bytes[start] != 46 else { return nil }
        return (start..<index, index)
    }

    /// `:port`, if there is one; false for a port that is none.
    private static func port(
        _ index: inout Int, _ end: Int, _ bytes: UnsafeRawBufferPointer
    ) -> (port: UInt16?, isSound: Bool) {
        guard index < end, bytes[index] == 58 else { return (nil, true) }
        index += 1
        let start = index
        while index < end, Octets.isDigit(bytes[index]) { index += 1 }
        guard let port = number(start..<index, bytes) else { return (nil, false) }
        return (port, true)
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

    private static func text(_ range: Range<Int>, _ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }
}

extension OctetClass {
    /// Letters, digits and `!*+-._~`: the same everywhere, escaped nowhere.
    fileprivate static var plain: OctetClass { OctetClass(low: 0x03FF_6C02_0000_0000, high: 0x47FF_FFFE_87FF_FFFE) }
}
