/// How URIs, addresses and Vias are written. Quoting and escaping make any value safe to write (RFC 3261 §25.1).

extension HeaderName: WireWritable, CustomStringConvertible {
    func write(to sink: inout some ByteSink) {
        switch spelling {
        case .known(let text): sink.put(text)
        case .other(let name):
            var startsWord = true
            for byte in name.utf8 {
                // A name that is no token could forge a header; what cannot stand there becomes a hyphen.
                let safe = OctetClass.token.contains(byte) ? byte : 45
                sink.put(byte: startsWord && safe &- 97 < 26 ? safe &- 32 : safe)
                startsWord = safe == 45
            }
        }
    }

    public var description: String { wireText }
}

extension Method {
    func write(to sink: inout some ByteSink) {
        switch self {
        case .invite: sink.put("INVITE")
        case .ack: sink.put("ACK")
        case .bye: sink.put("BYE")
        case .cancel: sink.put("CANCEL")
        default: sink.put(text: description)
        }
    }
}

extension URI: WireWritable, CustomStringConvertible {
    func write(to sink: inout some ByteSink) {
        switch scheme {
        case .sip: sink.put("sip:")
        case .sips: sink.put("sips:")
        case .tel: sink.put("tel:")
        case .other(let name):
            sink.put(text: name)
            sink.put(byte: 58)
        }
        switch scheme {
        case .sip, .sips:
            if let user {
                sink.putEscaped(user, allowing: .user)
                if let password {
                    sink.put(byte: 58)
                    sink.putEscaped(password, allowing: .user)
                }
                sink.put(byte: 64)
            }
            sink.putHost(host, port: port)
        case .tel, .other:
            sink.put(text: user ?? "")
        }
        for parameter in parameters {
            sink.put(byte: 59)
            sink.putEscaped(parameter.name, allowing: .parameter)
            if let value = parameter.value {
                sink.put(byte: 61)
                sink.putEscaped(value, allowing: .parameter)
            }
        }
        if let headers {
            sink.put(byte: 63)
            sink.put(text: headers)
        }
    }

    public var description: String { wireText }
}

extension NameAddress: WireWritable, CustomStringConvertible {
    func write(to sink: inout some ByteSink) {
        if let displayName {
            sink.putQuoted(displayName)
            sink.put(byte: 32)
        }
        sink.put(byte: 60)
        uri.write(to: &sink)
        sink.put(byte: 62)
        for parameter in parameters { sink.putHeaderParameter(parameter) }
    }

    public var description: String { wireText }
}

extension Via: WireWritable, CustomStringConvertible {
    func write(to sink: inout some ByteSink) {
        sink.put("SIP/2.0/")
        switch transport {
        case .udp: sink.put("UDP")
        case .tcp: sink.put("TCP")
        case .tls: sink.put("TLS")
        case .ws: sink.put("WS")
        case .wss: sink.put("WSS")
        case .other(let name): sink.put(text: name)
        }
        sink.put(byte: 32)
        sink.putHost(host, port: port)
        if let branch {
            sink.put(";branch=")
            sink.put(text: branch)
        }
        switch rport {
        case .absent: break
        case .requested: sink.put(";rport")
        case .filled(let port):
            sink.put(";rport=")
            sink.put(decimal: Int(port))
        }
        if let received {
            sink.put(";received=")
            sink.put(text: received)
        }
        for parameter in parameters { sink.putHeaderParameter(parameter) }
    }

    public var description: String { wireText }
}

extension CSeq: CustomStringConvertible {
    public var description: String { "\(number) \(method)" }
}

extension ByteSink {
    mutating func putHost(_ host: String, port: UInt16?) {
        if host.hasColon {
            put(byte: 91)
            put(text: host)
            put(byte: 93)
        } else {
            put(text: host)
        }
        if let port {
            put(byte: 58)
            put(decimal: Int(port))
        }
    }

    /// RFC 3261 §19.1.2: what may not stand in this part of a URI is written as %HH.
    mutating func putEscaped(_ text: String, allowing allowed: OctetClass) {
        if text.utf8.allSatisfy({ allowed.contains($0) }) { return put(text: text) }
        for byte in text.utf8 {
            if allowed.contains(byte) {
                put(byte: byte)
            } else {
                put(byte: 37)
                put(byte: Self.hexDigit(byte >> 4))
                put(byte: Self.hexDigit(byte & 15))
            }
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 48 &+ value : 55 &+ value }

    mutating func putQuoted(_ text: String) {
        put(byte: 34)
        if text.utf8.contains(where: { $0 == 34 || $0 == 92 || $0 < 32 }) {
            for byte in text.utf8 {
                if byte == 34 || byte == 92 { put(byte: 92) }
                put(byte: byte == 13 || byte == 10 || byte == 0 ? 32 : byte)
            }
        } else {
            put(text: text)
        }
        put(byte: 34)
    }

    mutating func putHeaderParameter(_ parameter: Parameter) {
        put(byte: 59)
        put(text: parameter.name)
        guard let value = parameter.value else { return }
        put(byte: 61)
        if !value.isEmpty, value.utf8.allSatisfy({ OctetClass.plainValue.contains($0) }) {
            put(text: value)
        } else {
            putQuoted(value)
        }
    }
}
