/// What speech knows of a currency besides its words.
struct Currency {
    /// Minor units are 10 to this power to one major unit: 2 for yuan and fen, 0 for yen.
    var exponent: Int
    var minorPerMajor: UInt64 { (0..<exponent).reduce(1) { power, _ in power * 10 } }

    static let known: [String: Currency] = [
        "CNY": Currency(exponent: 2), "USD": Currency(exponent: 2), "EUR": Currency(exponent: 2),
        "GBP": Currency(exponent: 2), "HKD": Currency(exponent: 2), "JPY": Currency(exponent: 0),
    ]

    /// Takes an amount apart without trapping at the ends of the range.
    static func split(minor: Int64, currency: String) -> (isNegative: Bool, major: UInt64, minor: UInt64) {
        let per = (known[currency] ?? Currency(exponent: 2)).minorPerMajor
        return (minor < 0, minor.magnitude / per, minor.magnitude % per)
    }
}
