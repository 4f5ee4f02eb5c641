import Crypto
import Foundation
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

    fileprivate init(_ code: HMAC<SHA256>.MAC) { bytes = Array(code) }

    public static func == (left: Self, right: Self) -> Bool {
        var difference: UInt8 = left.bytes.count == right.bytes.count ? 0 : 1
        for (one, other) in zip(left.bytes, right.bytes) { difference |= one ^ other }
        return difference == 0
    }

    public var description: String { "••••" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The bank's key for PINs. Every node that serves one store must have the same: `id` is what they compare.
public struct PINKey: Sendable, CustomStringConvertible, CustomReflectable {
    public static let size = 32

    private let key: SymmetricKey
    /// Sixteen hexadecimal digits that follow from the key and say nothing about it.
    public let id: String

    /// Nil unless 32 bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == Self.size else { return nil }
        key = SymmetricKey(data: bytes)
        id = hexadecimal(HMAC<SHA256>.authenticationCode(for: Array("tandem pin key id".utf8), using: key).prefix(8))
    }

    public func digest(of pin: SecretDigits, customer: CustomerNumber) -> PINDigest {
        var code = HMAC<SHA256>(key: key)
        // Eight digits, always: no PIN of one customer can be read as the number of another.
        code.update(data: Array(customer.description.utf8))
        pin.withBytes { code.update(data: $0) }
        return PINDigest(code.finalize())
    }

    public var description: String { "PIN key \(id)" }
    public var customMirror: Mirror { Mirror(self, children: ["id": id]) }
}

/// Lower-case hexadecimal digits of bytes.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    var text: [UInt8] = []
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] { text.append(digit < 10 ? 48 + digit : 87 + digit) }
    }
    return String(decoding: text, as: UTF8.self)
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
