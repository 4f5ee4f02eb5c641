import Media

extension Digit {
    /// The key in the body of an INFO: a line `Signal=5` (application/dtmf-relay) or the bare key (application/dtmf),
    /// where `10` and `11` are star and hash as in telephone-events; nil where there is none.
    init?(infoBody text: String, contentType: String) {
        let type = contentType.prefix { $0 != ";" }.filter { !$0.isWhitespace }.lowercased()
        let key: Substring
        switch type {
        case "application/dtmf-relay":
            guard let value = Self.signal(in: text) else { return nil }
            key = value
        case "application/dtmf": key = text[...]
        default: return nil
        }
        let trimmed = key.filter { !$0.isWhitespace }
        switch trimmed {
        case "10": self.init(event: 10)
        case "11": self.init(event: 11)
        default:
            guard trimmed.count == 1, let character = trimmed.first else { return nil }
            self.init(character)
        }
    }

    private static func signal(in text: String) -> Substring? {
        for line in text.split(whereSeparator: \.isNewline) {
            let pair = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2, pair[0].filter({ !$0.isWhitespace }).lowercased() == "signal" { return pair[1] }
        }
        return nil
    }
}
