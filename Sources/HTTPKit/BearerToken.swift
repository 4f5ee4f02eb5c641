import Glibc

/// The secret that a caller of the API shows (RFC 6750). It cannot be printed.
public struct BearerToken: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let bytes: [UInt8]

    /// Nil for fewer than 16 characters, or ones that a header field cannot carry.
    public init?(_ text: String) {
        guard text.utf8.count >= 16, text.utf8.allSatisfy({ (33...126).contains($0) }) else { return nil }
        bytes = Array(text.utf8)
    }

    /// The token kept in a file; it is made on first use, of 32 random bytes, readable by its owner only.
    /// Safe when several nodes start at once.
    public static func load(orMakeAt path: String) throws(TokenFileError) -> BearerToken {
        if let found = try read(path) { return found }
        var random = SystemRandomNumberGenerator()
        let digits = (0..<8).map { _ in hex(UInt32.random(in: .min ... .max, using: &random)) }.joined()
        // Made beside and linked: nobody ever reads half a token, and the first of several makers wins.
        let draft = "\(path).\(getpid())"
        let file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw TokenFileError(path: path, reason: String(cString: strerror(errno))) }
        let line = Array((digits + "\n").utf8)
        let written = write(file, line, line.count)
        close(file)
        defer { unlink(draft) }
        guard written == line.count, link(draft, path) == 0 || errno == EEXIST, let token = try read(path) else {
            throw TokenFileError(path: path, reason: "it could not be made: \(String(cString: strerror(errno)))")
        }
        return token
    }

    private static func hex(_ number: UInt32) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// Nil when there is no file.
    private static func read(_ path: String) throws(TokenFileError) -> BearerToken? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw TokenFileError(path: path, reason: String(cString: strerror(errno)))
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else {
            throw TokenFileError(path: path, reason: String(cString: strerror(errno)))
        }
        guard status.st_mode & 0o077 == 0 else {
            throw TokenFileError(path: path, reason: "it may be read by others; run: chmod 600 \(path)")
        }
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = Glibc.read(file, &bytes, bytes.count)
        let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).filter { !$0.isWhitespace }
        guard let token = BearerToken(text) else {
            throw TokenFileError(path: path, reason: "it holds no token of at least 16 visible characters")
        }
        return token
    }

    /// What a client puts into its Authorization field.
    public var authorization: String { "Bearer " + String(decoding: bytes, as: UTF8.self) }

    /// Compares in a time that depends on the length of what was shown only.
    public func accepts(authorization: String?) -> Bool {
        guard let authorization else { return false }
        let shown = Array(authorization.utf8)
        guard shown.count > 7, authorization.lowercased().hasPrefix("bearer ") else { return false }
        let value = shown.dropFirst(7)
        var difference = value.count ^ bytes.count
        for (index, byte) in value.enumerated() { difference |= Int(byte ^ bytes[index % bytes.count]) }
        return difference == 0
    }

    public var description: String { "••••" }
    public var debugDescription: String { "••••" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

public struct TokenFileError: Error, Hashable, Sendable, CustomStringConvertible {
    public var path: String
    public var reason: String
    public var description: String { "\(path): \(reason)" }
}
