import CCrypto
import Synchronization

/// A key for HMAC-SHA-256 (RFC 2104), by OpenSSL's libcrypto, which wipes what it kept of the key when the last holder
/// lets go. It cannot be printed or read back.
public final class HMACKey: Sendable, CustomStringConvertible, CustomReflectable {
    /// Holds the key, and one message at a time. A context for each message would cost more than its code.
    private let context: Mutex<Context>

    /// Guarded by the lock around it: whoever uses the pointer holds that.
    private struct Context: ~Copyable, @unchecked Sendable {
        let pointer: OpaquePointer
        deinit { EVP_MAC_CTX_free(pointer) }
    }

    /// - Parameter bytes: RFC 2104 §3: "less than L bytes is strongly discouraged", L being 32 here.
    public init(_ bytes: [UInt8]) {
        guard let algorithm = EVP_MAC_fetch(nil, OSSL_MAC_NAME_HMAC, nil), let context = EVP_MAC_CTX_new(algorithm)
        else { preconditionFailure("OpenSSL has no HMAC") }
        // The context holds its own reference.
        EVP_MAC_free(algorithm)
        // OpenSSL keeps neither name, but reads both from where they are.
        var digest = Array("SHA256".utf8CString)
        let hasKey = OSSL_MAC_PARAM_DIGEST.withCString { parameter in
            digest.withUnsafeMutableBufferPointer { name in
                let parameters = [
                    OSSL_PARAM_construct_utf8_string(parameter, name.baseAddress, 0), OSSL_PARAM_construct_end(),
                ]
                return EVP_MAC_init(context, bytes, bytes.count, parameters) == 1
            }
        }
        precondition(hasKey, "OpenSSL computes no HMAC-SHA-256")
        self.context = Mutex(Context(pointer: context))
    }

    /// The code over a message, and over bytes that follow it and need not be copied: 32 bytes.
    public func code(
        of message: [UInt8], followedBy rest: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: SHA256.size)
        var length = 0
        let isDone = context.withLock {
            // Without a key: with the one it has.
            EVP_MAC_init($0.pointer, nil, 0, nil) == 1
                && EVP_MAC_update($0.pointer, message, message.count) == 1
                && EVP_MAC_update($0.pointer, rest.baseAddress?.assumingMemoryBound(to: UInt8.self), rest.count) == 1
                && EVP_MAC_final($0.pointer, &code, &length, code.count) == 1
        }
        precondition(isDone && length == code.count, "OpenSSL gives no HMAC-SHA-256")
        return code
    }

    public var description: String { "HMAC key" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Takes the same time whatever differs; different lengths differ.
public func areEqualInConstantTime(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    one.count == other.count && CRYPTO_memcmp(one, other, one.count) == 0
}
