/// A `name=value` or flag parameter of a URI or header field, names kept as received, compared without case.
public struct Parameter: Hashable, Sendable {
    public var name: String
    /// Nil for a flag such as `lr`. A quoted value is kept without its quotes.
    public var value: String?

    public init(_ name: String, _ value: String? = nil) {
        self.name = name
        self.value = value
    }
}

extension [Parameter] {
    /// The first parameter of that name, compared without case (RFC 3261 §7.3.1); nil when absent.
    public subscript(parameter name: String) -> Parameter? {
        first { $0.name.equalsIgnoringCase(name) }
    }
}

/// A SIP, SIPS or tel URI (RFC 3261 §19.1, RFC 3966).
public struct URI: Hashable, Sendable {
    public enum Scheme: Hashable, Sendable {
        case sip, sips, tel
        /// Lower-case; a request to such a URI is answered with 416.
        case other(String)
    }

    public var scheme: Scheme
    /// Percent-decoded; the number for `tel`; for other schemes all that follows the colon, as received.
    public var user: String?
    /// Only kept so that a peer's address is written back whole; never taken as a secret (RFC 3261 §19.1.1).
    public var password: String?
    /// A host name, IPv4 address or IPv6 address without brackets; empty for `tel`.
    public var host: String
    public var port: UInt16?
    public var parameters: [Parameter]
    /// What follows `?`, as received.
    public var headers: String?

    public init(
        scheme: Scheme = .sip, user: String? = nil, password: String? = nil, host: String, port: UInt16? = nil,
        parameters: [Parameter] = [], headers: String? = nil
    ) {
        self.scheme = scheme
        self.user = user
        self.password = password
        self.host = host
        self.port = port
        self.parameters = parameters
        self.headers = headers
    }
}

/// `"Display" <uri>;parameters`: the value of From, To, Contact, Route, Record-Route and their kin (RFC 3261 §20).
public struct NameAddress: Hashable, Sendable {
    public var displayName: String?
    public var uri: URI
    public var parameters: [Parameter]

    public init(displayName: String? = nil, uri: URI, parameters: [Parameter] = []) {
        self.displayName = displayName
        self.uri = uri
        self.parameters = parameters
    }

    public var tag: String? { parameters[parameter: "tag"]?.value }
}

/// One hop of the response path (RFC 3261 §20.42, RFC 3581).
public struct Via: Hashable, Sendable {
    public enum ReturnPort: Hashable, Sendable {
        case absent
        /// `;rport` as a client sends it.
        case requested
        case filled(UInt16)
    }

    public var transport: Transport
    /// Sent-by host: name, IPv4, or IPv6 without brackets.
    public var host: String
    public var port: UInt16?
    public var branch: String?
    public var received: String?
    public var rport: ReturnPort
    /// All others, in order.
    public var parameters: [Parameter]

    public init(
        transport: Transport, host: String, port: UInt16? = nil, branch: String?, received: String? = nil,
        rport: ReturnPort = .absent, parameters: [Parameter] = []
    ) {
        self.transport = transport
        self.host = host
        self.port = port
        self.branch = branch
        self.received = received
        self.rport = rport
        self.parameters = parameters
    }

    /// RFC 3261 §8.1.1.7: a branch that starts with this was made unique by its client.
    public static let magicCookie = "z9hG4bK"

    /// Whether the branch alone names the transaction; false for the rules of RFC 2543 (§17.2.3, second half).
    public var hasMagicCookie: Bool {
        guard let branch, branch.utf8.count > Via.magicCookie.utf8.count else { return false }
        return zip(branch.utf8, Via.magicCookie.utf8).allSatisfy { Octets.lowercase($0) == Octets.lowercase($1) }
    }
}

public enum Transport: Hashable, Sendable {
    case udp, tcp, tls, ws, wss
    /// Upper-case, as in Via.
    case other(String)

    public var isReliable: Bool { self != .udp }
}

/// RFC 3261 §20.16.
public struct CSeq: Hashable, Sendable {
    /// Below 2³¹.
    public var number: UInt32
    public var method: Method

    public init(_ number: UInt32, _ method: Method) {
        self.number = number
        self.method = method
    }
}

extension URI {
    /// Who is called. In a telephone number visual separators say nothing (RFC 3966 §5.1.1).
    public var calledNumber: String? {
        guard scheme == .tel else { return user }
        return user?.filter { !"-.()".contains($0) }
    }
}
