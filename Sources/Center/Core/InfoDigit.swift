import Media

/// What the body of an INFO says was pressed: a line `Signal=5` (application/dtmf-relay) or the bare key
/// (application/dtmf). Keys stand for themselves, or as the numbers 10 to 15 that telephone-events give them.
enum InfoSignal: Equatable {
    case key(Digit)
    /// No key of a telephone, such as a hook flash: `16`, `!`, `hf`.
    case outOfRange

    /// Nil where there is no signal.
    init?(body text: String, contentType: String) {
        let type = contentType.prefix { $0 != ";" }.filter { !$0.isWhitespace }.lowercased()
        let name: Substring
        switch type {
        case "application/dtmf-relay":
            guard let value = Self.signal(in: text) else { return nil }
            name = value
        case "application/dtmf": name = text[...]
        default: return nil
        }
        let trimmed = name.filter { !$0.isWhitespace }
        guard !trimmed.isEmpty else { return nil }
        self = Self.key(trimmed).map(Self.key) ?? .outOfRange
    }

    private static func key(_ name: String) -> Digit? {
        if name.count == 1, let character = name.first { return Digit(character) }
        // Two digits only: "05" is no way to write a key.
        guard name.count == 2, name.first == "1", let event = UInt8(name) else { return nil }
        return Digit(event: event)
    }

    private static func signal(in text: String) -> Substring? {
        for line in text.split(whereSeparator: \.isNewline) {
            let pair = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2, pair[0].filter({ !$0.isWhitespace }).lowercased() == "signal" { return pair[1] }
        }
        return nil
    }
}
