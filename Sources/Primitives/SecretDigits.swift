import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Digits that nobody may see: a PIN on its way from the keypad to the bank. They cannot be printed, reflected,
/// encoded or compared; the bytes are overwritten by `wipe()` and when the last reference goes.
/// At most `limit` digits are kept; further ones are refused.
public final class SecretDigits: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public static let limit = 32

    private let storage: Mutex<[UInt8]>

    public init() {
        var bytes: [UInt8] = []
        // One allocation for life: growth would leave copies of the digits behind.
        bytes.reserveCapacity(Self.limit)
        storage = Mutex(bytes)
    }

    /// For digits that come as text, from a test or an administrator's tool; nil unless all are 0–9 and they fit.
    public convenience init?(_ digits: some StringProtocol) {
        guard digits.utf8.count <= Self.limit, digits.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        self.init()
        for byte in digits.utf8 { _ = append(byte) }
    }

    deinit { wipe() }

    public var count: Int { storage.withLock { $0.count } }

    /// Adds one ASCII digit; false when the limit is reached or it is no digit.
    @discardableResult
    public func append(_ ascii: UInt8) -> Bool {
        storage.withLock {
            guard $0.count < Self.limit, (48...57).contains(ascii) else { return false }
            $0.append(ascii)
            return true
        }
    }

    /// Lends the ASCII digits for one computation, such as an HMAC. The bytes must not be kept.
    public func withBytes<Result: Sendable>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try storage.withLock { try $0.withUnsafeBytes(body) }
    }

    public func wipe() {
        storage.withLock { bytes in
            bytes.withUnsafeMutableBytes { if let base = $0.baseAddress { explicit_bzero(base, $0.count) } }
            bytes.removeAll(keepingCapacity: true)
        }
    }

    public var description: String { "••••" }
    public var debugDescription: String { "••••" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
