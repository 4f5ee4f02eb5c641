extension SessionDescription: CustomStringConvertible {
    /// As it goes on the wire, in the order of RFC 8866 §5, CRLF after each line.
    public var description: String {
        var text = "v=0\r\no=\(origin)\r\ns=\(name.isEmpty ? "-" : name)\r\n"
        if let connection { text += "c=\(connection)\r\n" }
        for timing in timings { text += "t=\(timing)\r\n" }
        for attribute in attributes { text += "a=\(attribute)\r\n" }
        for section in media {
            text += "m=\(section.media) \(section.port)"
            if let count = section.portCount { text += "/\(count)" }
            text += " \(section.transport) \(section.formats.joined(separator: " "))\r\n"
            if let connection = section.connection { text += "c=\(connection)\r\n" }
            for attribute in section.attributes { text += "a=\(attribute)\r\n" }
        }
        return text
    }

    /// The body of a message.
    public var bytes: [UInt8] { Array(description.utf8) }
}

extension Origin: CustomStringConvertible {
    public var description: String { "\(username) \(sessionID) \(version) \(networkType) \(addressType) \(address)" }
}

extension ConnectionData: CustomStringConvertible {
    public var description: String { "\(networkType) \(addressType) \(host)" }
}

extension Attribute: CustomStringConvertible {
    public var description: String { value.map { "\(name):\($0)" } ?? name }
}

/// Coded as its text: a checkpoint then holds exactly what was sent.
extension SessionDescription: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        self = try SessionDescription(parsing: Array(try container.decode(String.self).utf8))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension Origin: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let origin = Origin(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no o= value of six fields")
        }
        self = origin
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
