import Primitives

/// One thing that happened in a call, as the API's `timeline` shows it. Secret digits never appear in `detail`.
public struct TimelineEntry: Hashable, Sendable, Codable {
    public enum Kind: String, Sendable, Codable, CaseIterable {
        case sip, state, bank, queue, takeover, end
    }

    public var at: WallTime
    public var kind: Kind
    /// One line for people, at most `longestDetail` bytes; longer text is cut.
    public var detail: String

    public static let longestDetail = 512

    public init(at: WallTime, kind: Kind, detail: String) {
        self.at = at
        self.kind = kind
        self.detail = detail.utf8.count <= Self.longestDetail ? detail : Self.cut(detail)
    }

    private static func cut(_ text: String) -> String {
        // A cut inside a character leaves one to three bytes that are not UTF-8 by themselves.
        for length in stride(from: longestDetail, to: longestDetail - 4, by: -1) {
            if let whole = String(validating: text.utf8.prefix(length), as: UTF8.self) { return whole }
        }
        return ""
    }
}
