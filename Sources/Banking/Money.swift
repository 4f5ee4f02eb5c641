/// A currency by its ISO 4217 letters, `CNY`.
public struct Currency: Hashable, Sendable {
    public let code: String

    /// Nil unless three upper-case ASCII letters.
    public init?(_ code: String) {
        guard code.utf8.count == 3, code.utf8.allSatisfy({ (65...90).contains($0) }) else { return nil }
        self.code = code
    }

    private init(known code: String) { self.code = code }

    public static let cny = Currency(known: "CNY")
}

extension Currency: Codable, CustomStringConvertible {
    public init(from decoder: any Decoder) throws {
        let code = try decoder.singleValueContainer().decode(String.self)
        guard let currency = Currency(code) else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "no currency"))
        }
        self = currency
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(code)
    }

    public var description: String { code }
}

/// An amount in whole minor units (fen, cents) of one currency. Arithmetic never rounds, wraps or traps.
public struct Money: Hashable, Sendable, Codable {
    public var minor: Int64
    public var currency: Currency

    public init(minor: Int64, currency: Currency) {
        self.minor = minor
        self.currency = currency
    }

    /// Nil where currencies differ or the sum does not fit.
    public func adding(_ other: Money) -> Money? {
        guard currency == other.currency else { return nil }
        let (sum, overflow) = minor.addingReportingOverflow(other.minor)
        return overflow ? nil : Money(minor: sum, currency: currency)
    }

    /// Nil where currencies differ or the difference does not fit.
    public func subtracting(_ other: Money) -> Money? {
        guard currency == other.currency else { return nil }
        let (difference, overflow) = minor.subtractingReportingOverflow(other.minor)
        return overflow ? nil : Money(minor: difference, currency: currency)
    }

    private enum CodingKeys: String, CodingKey {
        case minor = "amount_minor"
        case currency
    }
}
