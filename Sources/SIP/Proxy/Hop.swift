import Primitives

/// What routing asks of a SIP or SIPS URI, without its text: where it points, and how.
public struct Hop: Hashable, Sendable {
    public enum Host: Hashable, Sendable {
        case address(IPAddress)
        /// In lower case.
        case name(String)
    }

    public let host: Host
    public let port: UInt16?
    /// The scheme is `sips`.
    public let isSecure: Bool
    public let hasUser: Bool
    /// It has the parameter `lr` (RFC 3261 §16.12).
    public let isLoose: Bool
    /// What the `transport` parameter asks for, UDP without one (§19.1.1); nil for any but UDP and TCP.
    public let transport: Transport?

    /// Nil for other schemes.
    public init?(_ uri: URI) {
        switch uri.scheme {
        case .sip: isSecure = false
        case .sips: isSecure = true
        case .tel, .other: return nil
        }
        host = IPAddress(uri.host).map(Host.address) ?? .name(uri.host.lowercased())
        port = uri.port
        hasUser = uri.user.map { !$0.isEmpty } ?? false
        isLoose = uri.parameters[parameter: "lr"] != nil
        switch uri.parameters[parameter: "transport"]?.value {
        case nil: transport = .udp
        case let name? where name.equalsIgnoringCase("udp"): transport = .udp
        case let name? where name.equalsIgnoringCase("tcp"): transport = .tcp
        default: transport = nil
        }
    }

    init(_ places: URIPlaces, in bytes: UnsafeRawBufferPointer) {
        isSecure = false
        host =
            IPAddress(dottedQuad: places.host.bytes(in: bytes)).map(Host.address)
            ?? .name(places.host.text(in: bytes).lowercased())
        port = places.port == 0 ? nil : places.port
        hasUser = !places.user.isEmpty
        var isLoose = false
        var transport: Transport? = .udp
        var hasTransport = false
        var parameters = PlainParameters(places.parameters, in: bytes)
        while let parameter = parameters.next() {
            if HeaderSyntax.equals(bytes, parameter.name, "lr") {
                isLoose = true
            } else if !hasTransport, HeaderSyntax.equals(bytes, parameter.name, "transport") {
                hasTransport = true
                guard let value = parameter.value else { continue }
                transport =
                    HeaderSyntax.equals(bytes, value, "udp")
                    ? .udp : HeaderSyntax.equals(bytes, value, "tcp") ? .tcp : nil
            }
        }
        self.isLoose = isLoose
        self.transport = transport
    }

    /// The address that a SIP URI names by number; nil for names, which are not looked up, and for SIPS.
    public var endpoint: Endpoint? {
        guard !isSecure, case .address(let address) = host else { return nil }
        return Endpoint(address, port: port ?? 5060)
    }
}

extension IPAddress {
    /// Only IPv4 as four decimal numbers of at most three digits.
    init?(dottedQuad text: UnsafeRawBufferPointer) {
        var bits: UInt32 = 0
        var part: UInt32 = 0
        var digits = 0
        var dots = 0
        for byte in text {
            if Octets.isDigit(byte), digits < 3 {
                part = part &* 10 &+ UInt32(byte &- 48)
                digits &+= 1
            } else if byte == 46, digits > 0, part < 256, dots < 3 {
                bits = bits << 8 | part
                (part, digits, dots) = (0, 0, dots &+ 1)
            } else {
                return nil
            }
        }
        guard dots == 3, digits > 0, part < 256 else { return nil }
        self = .v4(bits << 8 | part)
    }
}
