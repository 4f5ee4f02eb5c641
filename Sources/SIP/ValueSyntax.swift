private import COSIP

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Header values and URIs → Swift values. libosip2 reads them from `text`, a copy of the head that may be written to;
/// what it overlooks is checked in `bytes`, at the same offsets.
enum ValueSyntax {
    typealias Problem = SIPParseError.Problem

    /// Ends the value in the copy, so that C sees it alone. The head ends with a CRLF, so there is always room.
    private static func cString(
        _ range: Range<Int>, in text: UnsafeMutableRawPointer
    ) -> UnsafePointer<CChar> {
        text.storeBytes(of: 0, toByteOffset: range.upperBound, as: UInt8.self)
        return UnsafePointer((text + range.lowerBound).assumingMemoryBound(to: CChar.self))
    }

    // MARK: Request-URI

    static func requestURI(
        _ range: Range<Int>, of bytes: UnsafeRawBufferPointer, text: UnsafeMutableRawPointer
    ) throws(Problem) -> URI {
        if let uri = PlainSyntax.uri(range, of: bytes) { return uri }
        return try wholeRequestURI(range, of: bytes, text: text)
    }

    /// By libosip2, whatever its form.
    static func wholeRequestURI(
        _ range: Range<Int>, of bytes: UnsafeRawBufferPointer, text: UnsafeMutableRawPointer
    ) throws(Problem) -> URI {
        guard URISyntax.isPlain(range, of: bytes) else { throw .malformedRequestURI }
        guard let parsed = cosip_parse_uri(cString(range, in: text)) else { throw .malformedRequestURI }
        guard let uri = uri(parsed, from: range, of: bytes) else { throw .malformedRequestURI }
        if case .other = uri.scheme { throw .scheme }
        // §19.1.1: headers are not allowed there.
        guard uri.headers == nil else { throw .malformedRequestURI }
        return uri
    }

    // MARK: From, To, Contact, Route, Record-Route

    static func address(
        _ value: Range<Int>, of bytes: UnsafeRawBufferPointer, text: UnsafeMutableRawPointer
    ) -> NameAddress? {
        PlainSyntax.address(value, of: bytes) ?? wholeAddress(value, of: bytes, text: text)
    }

    /// By libosip2, whatever its form.
    static func wholeAddress(
        _ value: Range<Int>, of bytes: UnsafeRawBufferPointer, text: UnsafeMutableRawPointer
    ) -> NameAddress? {
        guard let uriRange = URISyntax.uriRange(inAddress: value, of: bytes) else { return nil }
        guard let parsed = cosip_parse_address(cString(value, in: text)), let url = parsed.pointee.url else {
            return nil
        }
        guard let uri = uri(url, from: uriRange, of: bytes) else { return nil }
        let (parameters, isSound) = parameters(parsed.pointee.gen_params, unique: "tag")
        guard isSound else { return nil }
        return NameAddress(
            displayName: parsed.pointee.displayname.flatMap(displayName), uri: uri, parameters: parameters)
    }

    private static func displayName(_ text: UnsafeMutablePointer<CChar>) -> String? {
        let name = unquoted(text)
        return name.isEmpty ? nil : name
    }

    // MARK: Via

    static func via(
        _ value: Range<Int>, of bytes: UnsafeRawBufferPointer, text: UnsafeMutableRawPointer
    ) throws(Problem) -> Via {
        if let via = PlainSyntax.via(value, of: bytes) { return via }
        return try wholeVia(value, of: bytes, text: text)
    }

    /// By libosip2, whatever its form.
    static func wholeVia(
        _ value: Range<Int>, of bytes: UnsafeRawBufferPointer, text: UnsafeMutableRawPointer
    ) throws(Problem) -> Via {
        guard HeaderSyntax.parametersAreSound(from: HeaderSyntax.find(59, in: value, of: bytes), of: value, in: bytes)
        else { throw .malformed(.via) }
        guard let parsed = cosip_parse_via(cString(value, in: text)),
            let version = parsed.pointee.version, strcmp(version, "2.0") == 0,
            let transportName = parsed.pointee.protocol, let hostText = parsed.pointee.host,
            HeaderSyntax.equals(bytes, value.lowerBound..<value.lowerBound + min(3, value.count), "sip"),
            let host = HostSyntax.host(hostText), let transport = transport(transportName)
        else { throw .malformed(.via) }
        var via = Via(transport: transport, host: host, branch: nil)
        if let portText = parsed.pointee.port {
            guard let port = HostSyntax.port(portText) else { throw .malformed(.via) }
            via.port = port
        }
        guard readParameters(of: parsed.pointee.via_params, into: &via) else { throw .malformed(.via) }
        return via
    }

    private static func readParameters(of list: osip_list_t, into via: inout Via) -> Bool {
        var list = list
        var node = cosip_first(&list)
        while let current = node {
            node = cosip_next(current)
            guard let parameter = cosip_parameter(current), let name = parameter.pointee.gname else { return false }
            let value = parameter.pointee.gvalue
            if strcasecmp(name, "branch") == 0 {
                guard via.branch == nil, let value, value.pointee != 0 else { return false }
                via.branch = unquoted(value)
            } else if strcasecmp(name, "rport") == 0 {
                guard via.rport == .absent else { return false }
                if let value, value.pointee != 0 {
                    guard let port = HostSyntax.port(value) else { return false }
                    via.rport = .filled(port)
                } else {
                    via.rport = .requested
                }
            } else if strcasecmp(name, "received") == 0 {
                guard via.received == nil, let value, let received = HostSyntax.host(value) else { return false }
                via.received = received
            } else {
                via.parameters.append(Parameter(String(cString: name), value.map(unquoted)))
            }
        }
        return true
    }

    private static func transport(_ name: UnsafeMutablePointer<CChar>) -> Transport? {
        if strcasecmp(name, "udp") == 0 { return .udp }
        if strcasecmp(name, "tcp") == 0 { return .tcp }
        if strcasecmp(name, "tls") == 0 { return .tls }
        if strcasecmp(name, "ws") == 0 { return .ws }
        if strcasecmp(name, "wss") == 0 { return .wss }
        let other = String(cString: name)
        guard !other.isEmpty, other.utf8.allSatisfy({ OctetClass.token.contains($0) }) else { return nil }
        return .other(other.uppercased())
    }

    // MARK: Parts

    private static func uri(
        _ parsed: UnsafeMutablePointer<osip_uri_t>, from range: Range<Int>, of bytes: UnsafeRawBufferPointer
    ) -> URI? {
        guard let schemeText = parsed.pointee.scheme else { return nil }
        let scheme: URI.Scheme
        if strcasecmp(schemeText, "sip") == 0 {
            scheme = .sip
        } else if strcasecmp(schemeText, "sips") == 0 {
            scheme = .sips
        } else {
            return URISyntax.opaque(range, of: bytes)
        }
        guard let host = parsed.pointee.host.flatMap({ HostSyntax.host($0) }) else { return nil }
        var uri = URI(scheme: scheme, host: host)
        if let portText = parsed.pointee.port {
            guard let port = HostSyntax.port(portText) else { return nil }
            uri.port = port
        }
        if let user = parsed.pointee.username {
            // A decoded NUL ends a C string; only then the user is read from the bytes.
            uri.user = URISyntax.userHoldingNUL(range, of: bytes) ?? String(cString: user)
            uri.password = parsed.pointee.password.map { String(cString: $0) }
        }
        if parsed.pointee.url_params.nb_elt > 0 { uri.parameters = parameters(parsed.pointee.url_params).values }
        if parsed.pointee.url_headers.nb_elt > 0 { uri.headers = URISyntax.headers(range, of: bytes) }
        return uri
    }

    /// - Parameter name: a parameter that may not stand twice, nor without a value.
    private static func parameters(
        _ list: osip_list_t, unique name: StaticString? = nil
    ) -> (values: [Parameter], isSound: Bool) {
        guard list.nb_elt > 0 else { return ([], true) }
        var list = list
        var result: [Parameter] = []
        result.reserveCapacity(Int(list.nb_elt))
        var seen = false
        var isSound = true
        var node = cosip_first(&list)
        while let current = node {
            node = cosip_next(current)
            guard let parameter = cosip_parameter(current), let text = parameter.pointee.gname else { continue }
            if let name, equals(text, name) {
                // A flag or an empty value names no dialog either.
                if seen || parameter.pointee.gvalue.map({ $0.pointee == 0 }) ?? true { isSound = false }
                seen = true
            }
            result.append(Parameter(String(cString: text), parameter.pointee.gvalue.map(unquoted)))
        }
        return (result, isSound)
    }

    /// Without case; `literal` in lower case.
    private static func equals(_ text: UnsafePointer<CChar>, _ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard strlen(text) == count else { return false }
        return HeaderSyntax.equals(UnsafeRawBufferPointer(start: text, count: count), 0..<count, literal)
    }

    /// RFC 3261 §25.1 quoted-string: without its quotes, `\x` for `x`; other text as it is.
    private static func unquoted(_ text: UnsafeMutablePointer<CChar>) -> String {
        let length = strlen(text)
        guard length >= 2, text[0] == 34, text[length - 1] == 34 else { return String(cString: text) }
        let inner = UnsafeRawBufferPointer(start: text + 1, count: length - 2)
        guard inner.contains(92) else { return String(decoding: inner, as: UTF8.self) }
        var result: [UInt8] = []
        var isEscaped = false
        for byte in inner {
            if byte == 92, !isEscaped {
                isEscaped = true
            } else {
                result.append(byte)
                isEscaped = false
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    // MARK: Values that need no C

    static func isCallID(_ value: Range<Int>, of bytes: UnsafeRawBufferPointer) -> Bool {
        for index in value where bytes[index] <= 32 || bytes[index] >= 127 { return false }
        return !value.isEmpty
    }

    /// §8.1.1.5: the number is below 2³¹.
    static func cseq(_ value: Range<Int>, of bytes: UnsafeRawBufferPointer) throws(Problem) -> CSeq {
        let end = HeaderSyntax.numberEnd(in: value, of: bytes)
        let number = try number(value.lowerBound..<end, of: bytes, limit: Int(Int32.max), .cseq)
        var start = end
        while start < value.upperBound, HeaderSyntax.isSpace(bytes[start]) { start += 1 }
        let method = start..<value.upperBound
        guard start > end, !method.isEmpty, bytes[method].allSatisfy({ OctetClass.token.contains($0) }) else {
            throw .malformed(.cseq)
        }
        return CSeq(UInt32(number), Method(bytes: UnsafeRawBufferPointer(rebasing: bytes[method])))
    }

    static func number(
        _ value: Range<Int>, of bytes: UnsafeRawBufferPointer, limit: Int, _ name: HeaderName
    ) throws(Problem) -> Int {
        guard !value.isEmpty else { throw .malformed(name) }
        var result = 0
        for index in value {
            guard Octets.isDigit(bytes[index]) else { throw .malformed(name) }
            result = result * 10 + Int(bytes[index] &- 48)
            guard result <= limit else { throw .malformed(name) }
        }
        return result
    }
}
