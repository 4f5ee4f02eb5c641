import CCrypto
import Synchronization

/// A key for HMAC-SHA-256 (RFC 2104), by OpenSSL's libcrypto. It cannot be printed or read back, and is wiped when its
/// last holder lets go.
public final class HMACKey: Sendable, CustomStringConvertible, CustomReflectable {
    /// One message at a time: a context for each would cost more than its code.
    private let context: Mutex<Context>

    /// Guarded by the lock around it: whoever uses the pointers holds that.
    private struct Context: ~Copyable, @unchecked Sendable {
        let pointer: OpaquePointer
        let key: UnsafeMutableBufferPointer<UInt8>

        init(_ bytes: [UInt8]) {
            OpenSSL.prepare()
            guard let algorithm = EVP_MAC_fetch(nil, OSSL_MAC_NAME_HMAC, nil),
                let pointer = EVP_MAC_CTX_new(algorithm)
            else { fatalError("OpenSSL has no HMAC") }
            // The context holds its own reference.
            EVP_MAC_free(algorithm)
            // OpenSSL keeps neither name, but reads both from where they are.
            var digest = Array("SHA256".utf8CString)
            let isTaken = OSSL_MAC_PARAM_DIGEST.withCString { parameter in
                digest.withUnsafeMutableBufferPointer { name in
                    let parameters = [
                        OSSL_PARAM_construct_utf8_string(parameter, name.baseAddress, 0), OSSL_PARAM_construct_end(),
                    ]
                    return EVP_MAC_CTX_set_params(pointer, parameters) == 1
                }
            }
            guard isTaken else { fatalError("OpenSSL has no HMAC-SHA-256") }
            self.pointer = pointer
            key = .allocate(capacity: bytes.count)
            _ = key.initialize(from: bytes)
        }

        deinit {
            EVP_MAC_CTX_free(pointer)
            OPENSSL_cleanse(key.baseAddress, key.count)
            key.deallocate()
        }

        /// False where OpenSSL fails.
        func compute(_ message: [UInt8], _ rest: UnsafeRawBufferPointer, into code: inout [UInt8]) -> Bool {
            var length = 0
            // With the key each time: OpenSSL 3.0.0 to 3.0.2 did nothing, and said so to nobody, when told to begin
            // again with the key that it had.
            return EVP_MAC_init(pointer, key.baseAddress, key.count, nil) == 1
                && EVP_MAC_update(pointer, message, message.count) == 1
                && EVP_MAC_update(pointer, rest.baseAddress?.assumingMemoryBound(to: UInt8.self), rest.count) == 1
                && EVP_MAC_final(pointer, &code, &length, code.count) == 1 && length == code.count
        }
    }

    /// - Parameter bytes: at least one. RFC 2104 §3: "less than L bytes is strongly discouraged", L being 32 here.
    public init(_ bytes: [UInt8]) {
        precondition(!bytes.isEmpty, "a key of no bytes")
        context = Mutex(Context(bytes))
    }

    /// The code over a message, and over bytes that follow it and need not be copied: 32 bytes.
    public func code(
        of message: [UInt8], followedBy rest: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: SHA256.size)
        let isDone = context.withLock { $0.compute(message, rest, into: &code) }
        guard isDone else { fatalError("OpenSSL computes no HMAC-SHA-256") }
        return code
    }

    public var description: String { "HMAC key" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Takes the same time whatever differs; different lengths differ.
public func areEqualInConstantTime(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    one.count == other.count && CRYPTO_memcmp(one, other, one.count) == 0
}
