import Crypto
import NodeRuntime

#if canImport(Glibc)
    import Glibc
#endif

/// The file that holds the key of flow tokens: 64 hexadecimal digits, mode 0600, made at first start. Access nodes of
/// one group have the same file.
enum FlowKeyFile {
    private static let size = 32

    /// Reads the key, or makes one. Any number of processes may do this at once: all get one key.
    static func loadOrMake(at path: String) throws(NodeFailure) -> SymmetricKey {
        if let key = try load(path) { return key }
        try make(path)
        guard let key = try load(path) else { throw .usage("\(path): vanished right after it was made") }
        return key
    }

    /// Nil where there is no file.
    private static func load(_ path: String) throws(NodeFailure) -> SymmetricKey? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw trouble(path, "cannot be opened")
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw trouble(path, "cannot be examined") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .usage("\(path): is not a regular file") }
        guard status.st_mode & 0o077 == 0 else {
            throw .usage("\(path): may be read by others; run: chmod 600 \(path)")
        }
        var text = [UInt8](repeating: 0, count: 2 * size + 2)
        let count = read(file, &text, text.count)
        guard count >= 0 else { throw trouble(path, "cannot be read") }
        let digits = text[..<count].prefix { $0 != 10 }
        guard digits.count == 2 * size, count <= 2 * size + 1, let bytes = bytes(ofHex: digits) else {
            throw .usage("\(path): found \(count) bytes, expected 64 hexadecimal digits")
        }
        return SymmetricKey(data: bytes)
    }

    private static func make(_ path: String) throws(NodeFailure) {
        var random = SystemRandomNumberGenerator()
        let digits = (0..<2 * size).map { _ in Array("0123456789abcdef".utf8)[Int.random(in: 0..<16, using: &random)] }
        let draft = "\(path).\(getpid()).\(UInt32.random(in: 0 ... .max, using: &random))"
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw trouble(path, "cannot be made") }
        defer {
            close(file)
            unlink(draft)
        }
        let text = digits + [10]
        guard write(file, text, text.count) == text.count, fsync(file) == 0 else {
            throw trouble(path, "cannot be written")
        }
        // A link appears whole or not at all, and never replaces the key of a process that was faster.
        guard link(draft, path) == 0 || errno == EEXIST else { throw trouble(path, "cannot be made") }
    }

    private static func bytes(ofHex digits: ArraySlice<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in digits {
            let value: UInt8
            switch digit {
            case 48...57: value = digit - 48
            case 97...102: value = digit - 87
            case 65...70: value = digit - 55
            default: return nil
            }
            if let first = high { bytes.append(first << 4 | value) }
            high = high == nil ? value : nil
        }
        return bytes
    }

    private static func trouble(_ path: String, _ what: String) -> NodeFailure {
        .usage("\(path): \(what): \(String(cString: strerror(errno)))")
    }
}

extension FlowTokens {
    init(incarnation: String, key: SymmetricKey) {
        self.init(incarnation: incarnation) { content in
            Array(HMAC<SHA256>.authenticationCode(for: content, using: key))
        }
    }
}
