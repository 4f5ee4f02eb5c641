/// Says from which text and command the builder made a file, and what it made. A file that does not fit its stamp was
/// put there by the user.
struct PromptStamp: Equatable {
    /// Raise it when the builder's own treatment of sound changes: all prompts are spoken anew then.
    static let version = 1

    var source: UInt64
    var content: UInt64

    init(text: String, command: String, wav: [UInt8]) {
        source = Self.hash(of: text, spokenBy: command)
        content = Self.hash(wav)
    }

    init?(_ line: String) {
        let parts = line.split(whereSeparator: \.isWhitespace)
        guard parts.count == 2, let source = UInt64(parts[0], radix: 16), let content = UInt64(parts[1], radix: 16)
        else { return nil }
        self.source = source
        self.content = content
    }

    var line: String { String(source, radix: 16) + " " + String(content, radix: 16) + "\n" }

    static func hash(of text: String, spokenBy command: String) -> UInt64 {
        hash(Array("\(version)\u{0}\(command)\u{0}\(text)".utf8))
    }

    /// FNV-1a, 64 bits: tells versions of a file apart, and is no protection against anybody.
    static func hash(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }
}
