import Cryptography
import Primitives

/// What the bank keeps instead of a PIN: HMAC-SHA-256 over customer and PIN. Useless without the key, which is never
/// kept beside it. Comparison takes the same time whatever differs, and nothing prints it.
public struct PINDigest: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    public static let size = 32

    public let bytes: [UInt8]

    /// Nil unless 32 bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == Self.size else { return nil }
        self.bytes = bytes
    }

    fileprivate init(code: [UInt8]) { bytes = code }

    public static func == (left: Self, right: Self) -> Bool { areEqualInConstantTime(left.bytes, right.bytes) }

    public var description: String { "••••" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The bank's key for PINs. Every node that serves one store must have the same: `id` is what they compare.
public struct PINKey: Sendable, CustomStringConvertible, CustomReflectable {
    public static let size = 32

    private let key: HMACKey
    /// Sixteen hexadecimal digits that follow from the key and say nothing about it.
    public let id: String

    /// Nil unless 32 bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == Self.size else { return nil }
        key = HMACKey(bytes)
        id = hexadecimal(key.code(of: Array("tandem pin key id".utf8)).prefix(8))
    }

    public func digest(of pin: SecretDigits, customer: CustomerNumber) -> PINDigest {
        // Eight digits, always: no PIN of one customer can be read as the number of another.
        let number = Array(customer.description.utf8)
        return PINDigest(code: pin.withBytes { key.code(of: number, followedBy: $0) })
    }

    public var description: String { "PIN key \(id)" }
    public var customMirror: Mirror { Mirror(self, children: ["id": id]) }
}

/// What a new PIN must be.
public enum PINStrength {
    public static let length = 6

    /// True for PINs that are not six digits, repeat a group of one to three digits, run up or down by one,
    /// or stand in the customer's own number.
    public static func isWeak(_ pin: SecretDigits, customer: CustomerNumber) -> Bool {
        let number = Array(customer.description.utf8)
        return pin.withBytes { digits in
            guard digits.count == length else { return true }
            for period in 1...3 where (period..<length).allSatisfy({ digits[$0] == digits[$0 - period] }) {
                return true
            }
            for step in [1, -1]
            where (1..<length).allSatisfy({ Int(digits[$0]) == Int(digits[$0 - 1]) + step }) {
                return true
            }
            return (0...(number.count - length)).contains { start in
                (0..<length).allSatisfy { digits[$0] == number[start + $0] }
            }
        }
    }
}
