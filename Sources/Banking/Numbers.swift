/// What a customer dials to say who they are: eight digits.
public struct CustomerNumber: Hashable, Comparable, Sendable {
    private let value: UInt32

    public static let digits = 8

    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }

    /// The bank itself, which holds the other side of opening balances.
    public static let bank = CustomerNumber(value: 0)

    private init(value: UInt32) { self.value = value }

    /// The number a whole number stands for, 10000001 → `10000001`; nil outside eight digits.
    public init?(_ number: Int) {
        guard (0..<100_000_000).contains(number) else { return nil }
        value = UInt32(number)
    }
}

extension CustomerNumber: LosslessStringConvertible, CustomStringConvertible {
    public init?(_ text: String) {
        guard text.utf8.count == Self.digits, text.utf8.allSatisfy({ (48...57).contains($0) }),
            let value = UInt32(text)
        else { return nil }
        self.value = value
    }

    public var description: String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, Self.digits - digits.utf8.count)) + digits
    }
}

/// Names an account: the customer's number and a number of the account within it, twelve digits together.
public struct AccountNumber: Hashable, Comparable, Sendable {
    public let customer: CustomerNumber
    private let index: UInt16

    public static let digits = 12
    /// The bank's own equity, which is negative by the sum of what its customers hold.
    public static let equity = AccountNumber(first: .bank)

    /// The first (and so far only) account of a customer.
    public init(first customer: CustomerNumber) {
        self.customer = customer
        index = 1
    }

    public static func < (left: Self, right: Self) -> Bool {
        left.customer == right.customer ? left.index < right.index : left.customer < right.customer
    }
}

extension AccountNumber: LosslessStringConvertible, CustomStringConvertible {
    public init?(_ text: String) {
        guard text.utf8.count == Self.digits, text.utf8.allSatisfy({ (48...57).contains($0) }),
            let customer = CustomerNumber(String(text.prefix(CustomerNumber.digits))),
            let index = UInt16(text.suffix(Self.digits - CustomerNumber.digits))
        else { return nil }
        self.customer = customer
        self.index = index
    }

    public var description: String {
        let tail = String(index)
        return customer.description + String(repeating: "0", count: max(0, 4 - tail.utf8.count)) + tail
    }
}

/// Names one run of an operation for ever: fixed at the read-back, never used for another.
public struct OperationID: Hashable, Sendable {
    private let text: String

    public static let lengthLimit = 64

    /// A fresh id of 32 hexadecimal digits.
    public init(using random: inout some RandomNumberGenerator) {
        var text = ""
        for _ in 0..<2 {
            let half = String(random.next() as UInt64, radix: 16)
            text += String(repeating: "0", count: max(0, 16 - half.utf8.count)) + half
        }
        self.text = text
    }
}

extension OperationID: LosslessStringConvertible, CustomStringConvertible {
    /// Nil unless 1 to 64 of `A–Z a–z 0–9 - _ . :`.
    public init?(_ text: String) {
        guard (1...Self.lengthLimit).contains(text.utf8.count),
            text.utf8.allSatisfy({ byte in
                (48...58).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
            })
        else { return nil }
        self.text = text
    }

    public var description: String { text }
}
