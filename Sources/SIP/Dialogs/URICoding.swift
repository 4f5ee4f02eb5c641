/// How URIs stand in a checkpoint: short keys, absent where empty.
extension URI: Codable {
    private enum Key: String, CodingKey {
        case scheme = "s"
        case user = "u"
        case password = "w"
        case host = "h"
        case port = "p"
        case parameters = "a"
        case headers = "q"
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        let scheme = try values.decodeIfPresent(String.self, forKey: .scheme) ?? "sip"
        self.init(
            scheme: Scheme(checkpointName: scheme),
            user: try values.decodeIfPresent(String.self, forKey: .user),
            password: try values.decodeIfPresent(String.self, forKey: .password),
            host: try values.decode(String.self, forKey: .host),
            port: try values.decodeIfPresent(UInt16.self, forKey: .port),
            parameters: try values.decodeIfPresent([Parameter].self, forKey: .parameters) ?? [],
            headers: try values.decodeIfPresent(String.self, forKey: .headers))
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        if scheme != .sip { try values.encode(scheme.checkpointName, forKey: .scheme) }
        try values.encodeIfPresent(user, forKey: .user)
        try values.encodeIfPresent(password, forKey: .password)
        try values.encode(host, forKey: .host)
        try values.encodeIfPresent(port, forKey: .port)
        if !parameters.isEmpty { try values.encode(parameters, forKey: .parameters) }
        try values.encodeIfPresent(headers, forKey: .headers)
    }
}

extension URI.Scheme {
    fileprivate init(checkpointName name: String) {
        self =
            switch name {
            case "sip": .sip
            case "sips": .sips
            case "tel": .tel
            default: .other(name)
            }
    }

    fileprivate var checkpointName: String {
        switch self {
        case .sip: "sip"
        case .sips: "sips"
        case .tel: "tel"
        case .other(let name): name
        }
    }
}

extension Parameter: Codable {
    private enum Key: String, CodingKey {
        case name = "n"
        case value = "v"
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        self.init(
            try values.decode(String.self, forKey: .name), try values.decodeIfPresent(String.self, forKey: .value))
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(name, forKey: .name)
        try values.encodeIfPresent(value, forKey: .value)
    }
}

extension NameAddress: Codable {
    private enum Key: String, CodingKey {
        case displayName = "d"
        case uri = "u"
        case parameters = "a"
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        self.init(
            displayName: try values.decodeIfPresent(String.self, forKey: .displayName),
            uri: try values.decode(URI.self, forKey: .uri),
            parameters: try values.decodeIfPresent([Parameter].self, forKey: .parameters) ?? [])
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encodeIfPresent(displayName, forKey: .displayName)
        try values.encode(uri, forKey: .uri)
        if !parameters.isEmpty { try values.encode(parameters, forKey: .parameters) }
    }
}
