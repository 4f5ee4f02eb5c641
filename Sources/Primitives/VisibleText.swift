extension StringProtocol {
    /// The text as people and their terminals may be shown it. Outside data may hold what a terminal obeys, breaks a
    /// line of a list, or turns the order of what is read around; each such character becomes U+FFFD.
    public var visible: String {
        guard unicodeScalars.contains(where: \.commandsTerminals) else { return String(self) }
        var text = String.UnicodeScalarView()
        for scalar in unicodeScalars { text.append(scalar.commandsTerminals ? "\u{FFFD}" : scalar) }
        return String(text)
    }
}

extension Unicode.Scalar {
    /// Control characters (C0, DEL, C1), line and paragraph separators, and those that change the reading direction.
    fileprivate var commandsTerminals: Bool {
        switch value {
        case 0...0x1F, 0x7F...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
