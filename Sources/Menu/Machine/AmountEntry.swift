/// Reads what a caller keyed as money.
enum AmountEntry {
    /// More digits than this before the point are refused: larger sums have no place on a telephone.
    static let wholeDigits = 12
    /// One key more than any amount has.
    static let keyLimit = wholeDigits + 4

    /// Minor units of two decimals; nil when it is no amount: two points, three decimals, nothing at all.
    static func minorUnits(_ keys: some Sequence<UInt8>, point: UInt8) -> Int64? {
        var whole: Int64 = 0, wholeCount = 0, fraction: Int64 = 0, fractionCount = 0, seenPoint = false
        for key in keys {
            if key == point {
                guard !seenPoint else { return nil }
                seenPoint = true
            } else if (48...57).contains(key), seenPoint {
                fractionCount += 1
                guard fractionCount <= 2 else { return nil }
                fraction = fraction * 10 + Int64(key - 48)
            } else if (48...57).contains(key) {
                wholeCount += 1
                guard wholeCount <= wholeDigits else { return nil }
                whole = whole * 10 + Int64(key - 48)
            } else {
                return nil
            }
        }
        guard wholeCount + fractionCount > 0 else { return nil }
        return whole * 100 + (fractionCount == 1 ? fraction * 10 : fraction)
    }
}
