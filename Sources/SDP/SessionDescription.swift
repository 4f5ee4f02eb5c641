import Primitives

/// A session description (RFC 8866), reduced to what a SIP telephone says. Lines that no clause here needs
/// (`i=`, `b=`, `k=`, `r=` …) are dropped when parsing.
public struct SessionDescription: Hashable, Sendable {
    public var origin: Origin
    /// The `s=` value; `-` where there is none.
    public var name: String
    /// The session's own `c=`, for media that have none.
    public var connection: ConnectionData?
    /// The `t=` values as they came; an answer repeats them (RFC 3264 §6).
    public var timings: [String]
    public var attributes: [Attribute]
    public var media: [MediaSection]

    public init(
        origin: Origin, name: String = "-", connection: ConnectionData? = nil, timings: [String] = ["0 0"],
        attributes: [Attribute] = [], media: [MediaSection] = []
    ) {
        self.origin = origin
        self.name = name
        self.connection = connection
        self.timings = timings
        self.attributes = attributes
        self.media = media
    }
}

extension SessionDescription {
    /// Where the first live audio stream wants its media; tells which family of our own addresses to answer with.
    public var audioAddress: IPAddress? {
        let audio = media.first { $0.media.lowercased() == "audio" && $0.port != 0 }
        return audio.flatMap { ($0.connection ?? connection)?.address }
    }
}

/// The `o=` line (RFC 8866 §5.2): who made the session, and which version of it this is.
public struct Origin: Hashable, Sendable {
    public var username: String
    /// Kept as text, so that it stays the same to the byte whoever writes it next.
    public var sessionID: String
    /// What is no number, or no 64-bit one, reads as 0.
    public var version: UInt64
    public var networkType: String
    public var addressType: String
    public var address: String

    public init(
        username: String, sessionID: String, version: UInt64, networkType: String = "IN", addressType: String,
        address: String
    ) {
        self.username = username
        self.sessionID = sessionID
        self.version = version
        self.networkType = networkType
        self.addressType = addressType
        self.address = address
    }

    /// The origin of a session of our own, at version 1.
    public init(username: String = "tandem", sessionID: UInt64, address: IPAddress) {
        self.init(
            username: username, sessionID: String(sessionID), version: 1, addressType: address.isV6 ? "IP6" : "IP4",
            address: address.description)
    }
}

/// The `c=` line (RFC 8866 §5.7).
public struct ConnectionData: Hashable, Sendable {
    public var networkType: String
    public var addressType: String
    /// As written: an address, a host name, or an address with `/ttl`.
    public var host: String

    public init(networkType: String = "IN", addressType: String, host: String) {
        self.networkType = networkType
        self.addressType = addressType
        self.host = host
    }

    public init(_ address: IPAddress) {
        self.init(addressType: address.isV6 ? "IP6" : "IP4", host: address.description)
    }

    /// The unicast (or unspecified) address; nil for host names, multicast and families that disagree.
    public var address: IPAddress? {
        guard networkType == "IN", let address = IPAddress(host) else { return nil }
        switch address {
        case .v4(let bits): return addressType == "IP4" && bits >> 28 != 0xE ? address : nil
        case .v6(let high, _): return addressType == "IP6" && high >> 56 != 0xFF ? address : nil
        }
    }
}

/// An `a=` line: `a=name` or `a=name:value`.
public struct Attribute: Hashable, Sendable {
    public var name: String
    public var value: String?

    public init(_ name: String, _ value: String? = nil) {
        self.name = name
        self.value = value
    }
}

/// An `m=` line and the lines that belong to it (RFC 8866 §5.14).
public struct MediaSection: Hashable, Sendable {
    public var media: String
    /// 0 refuses or ends the stream (RFC 3264 §5.1, §6).
    public var port: UInt16
    /// The `/n` of a layered stream; nil when absent.
    public var portCount: UInt16?
    public var transport: String
    public var formats: [String]
    public var connection: ConnectionData?
    public var attributes: [Attribute]

    public init(
        media: String, port: UInt16, portCount: UInt16? = nil, transport: String = "RTP/AVP", formats: [String],
        connection: ConnectionData? = nil, attributes: [Attribute] = []
    ) {
        self.media = media
        self.port = port
        self.portCount = portCount
        self.transport = transport
        self.formats = formats
        self.connection = connection
        self.attributes = attributes
    }

    /// The value of the first attribute of that name.
    public func value(of name: String) -> String? {
        attributes.first { $0.name == name && $0.value != nil }?.value
    }

    /// The parameter text of the `name:FORMAT text` attribute for one format, as in `rtpmap` and `fmtp`.
    public func value(of name: String, format: String) -> String? {
        for attribute in attributes where attribute.name == name {
            guard let value = attribute.value else { continue }
            let parts = value.split(separator: " ", maxSplits: 1)
            if parts.count == 2, parts[0] == format { return String(parts[1].drop { $0 == " " }) }
        }
        return nil
    }
}

extension Sequence<Attribute> {
    /// The first direction attribute, nil when none is given.
    var direction: MediaDirection? {
        for attribute in self where attribute.value == nil {
            if let direction = MediaDirection(rawValue: attribute.name) { return direction }
        }
        return nil
    }
}
