#if canImport(Glibc)
    import Glibc
#endif

/// Why a key file cannot be used, in words for the operator.
public struct KeyFileError: Error, Equatable, CustomStringConvertible {
    public var path: String
    public var problem: String

    public var description: String { "\(path): \(problem)" }
}

/// A file that holds a key: 64 hexadecimal digits, mode 0600, made at first start.
public enum KeyFile {
    /// Bytes of a key.
    public static let size = 32

    /// Reads the key at `path`, or makes one there. Any number of processes may do this at once: all get one key.
    public static func loadOrCreate(at path: String) throws(KeyFileError) -> [UInt8] {
        if let key = try load(at: path) { return key }
        try create(at: path)
        guard let key = try load(at: path) else {
            throw KeyFileError(path: path, problem: "vanished right after it was made")
        }
        return key
    }

    /// Nil where there is no file.
    private static func load(at path: String) throws(KeyFileError) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw problem(path, "cannot be opened")
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw problem(path, "cannot be examined") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw KeyFileError(path: path, problem: "is not a regular file")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw KeyFileError(path: path, problem: "may be read by others; run: chmod 600 \(path)")
        }
        var text = [UInt8](repeating: 0, count: 2 * size + 2)
        let count = read(file, &text, text.count)
        guard count >= 0 else { throw problem(path, "cannot be read") }
        var digits = text[..<count]
        if digits.last == UInt8(ascii: "\n") { digits.removeLast() }
        guard let key = decode(digits) else {
            throw KeyFileError(path: path, problem: "found \(digits.count) bytes, expected 64 hexadecimal digits")
        }
        return key
    }

    private static func create(at path: String) throws(KeyFileError) {
        let digits = Array("0123456789abcdef".utf8)
        var random = SystemRandomNumberGenerator()
        let bytes = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
        let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] } + [UInt8(ascii: "\n")]
        let draft = "\(path).\(getpid()).\(UInt32.random(in: 0 ... .max, using: &random))"
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw problem(path, "cannot be made") }
        defer {
            close(file)
            unlink(draft)
        }
        guard write(file, text, text.count) == text.count, fsync(file) == 0 else {
            throw problem(path, "cannot be written")
        }
        // A link appears whole or not at all, and never replaces the key of a process that was faster.
        guard link(draft, path) == 0 || errno == EEXIST else { throw problem(path, "cannot be made") }
    }

    private static func decode(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
        guard digits.count == 2 * size else { return nil }
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
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return bytes
    }

    private static func problem(_ path: String, _ what: String) -> KeyFileError {
        KeyFileError(path: path, problem: "\(what): \(String(cString: strerror(errno)))")
    }
}
