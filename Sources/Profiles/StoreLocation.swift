/// Where sessions, records and the ledger are kept. Its description shows no password.
public enum StoreLocation: Hashable, Sendable, CustomStringConvertible {
    /// A file, relative to the state directory.
    case sqlite(path: String)
    /// A PostgreSQL database by libpq's URL, which may hold a password.
    case postgres(url: String)

    /// What a profile may say, in the words of a problem.
    public static let expected = "sqlite:PATH or postgres://USER@HOST:PORT,HOST:PORT/DATABASE"

    /// Reads what stands in a profile or on a command line. A URL must name its hosts, and ports that are ports; all
    /// else in it is libpq's to judge.
    public init?(_ text: String) {
        if text.hasPrefix("sqlite:") {
            let path = text.dropFirst(7)
            guard !path.isEmpty, !path.utf8.contains(0) else { return nil }
            self = .sqlite(path: String(path))
            return
        }
        guard let scheme = Self.schemes.first(where: text.hasPrefix), !text.utf8.contains(where: { $0 <= 32 }) else {
            return nil
        }
        let rest = text.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let hosts = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        // libpq takes the host from the query too: a folder of a Unix socket cannot be written otherwise.
        let isInQuery = rest.contains("?host=") || rest.contains("&host=") || rest.contains("hostaddr=")
        guard !hosts.isEmpty || isInQuery else { return nil }
        for host in hosts.split(separator: ",", omittingEmptySubsequences: false) where !hosts.isEmpty {
            guard Self.isHost(host) else { return nil }
        }
        self = .postgres(url: text)
    }

    private static let schemes = ["postgres://", "postgresql://"]

    private static func isHost(_ text: Substring) -> Bool {
        let name: Substring
        let tail: Substring
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else { return false }
            name = text[text.index(after: text.startIndex)..<close]
            tail = text[text.index(after: close)...]
        } else {
            name = text.prefix { $0 != ":" }
            tail = text[name.endIndex...]
        }
        guard !name.isEmpty else { return false }
        guard !tail.isEmpty else { return true }
        return tail.hasPrefix(":") && tail.dropFirst().allSatisfy(\.isNumber)
            && (UInt16(tail.dropFirst()) ?? 0) > 0
    }

    public var description: String {
        switch self {
        case .sqlite(let path): "sqlite:\(path)"
        case .postgres(let url): Self.withoutPassword(url)
        }
    }

    /// A text in which the passwords of a PostgreSQL URL, at the user's name or in the query, are three dots. What is
    /// no such URL stays as it is.
    public static func withoutPassword(_ text: String) -> String {
        guard let scheme = schemes.first(where: text.hasPrefix) else { return text }
        var rest = text.dropFirst(scheme.count)
        var shown = scheme
        // To the last @: one in a password that was not written as %40 must hide it all the same.
        let head = rest.prefix { $0 != "?" }
        if let at = head.lastIndex(of: "@") {
            let user = rest[..<at].prefix { $0 != ":" }
            shown += user.endIndex == at ? user : user + ":..."
            rest = rest[at...]
        }
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        shown += parts.first ?? ""
        guard parts.count == 2 else { return shown }
        let settings = parts[1].split(separator: "&", omittingEmptySubsequences: false).map { setting in
            let keyword = setting.prefix { $0 != "=" }
            return keyword.lowercased().contains("password") ? keyword + "=..." : setting
        }
        return "\(shown)?\(settings.joined(separator: "&"))"
    }
}

extension ValueKind where Value == StoreLocation {
    static var store: Self {
        Self(StoreLocation.expected, placeholder: .sqlite(path: "tandem.sqlite")) { text in
            guard let location = StoreLocation(text) else { return nil }
            guard case .sqlite(let path) = location else { return location }
            return ValueKind<String>.path.parse(path).map { .sqlite(path: $0) }
        }
    }
}
