/// The DTMF events 0–15 that a side can receive (`a=fmtp:101 0-15`, RFC 4733 §2.4.1). Events above 15 are no digits
/// and are not kept.
public struct TelephoneEvents: Hashable, Sendable, Codable {
    /// Bit n stands for event n.
    public var mask: UInt16

    public init(mask: UInt16) { self.mask = mask }

    /// 0–15: what an absent `fmtp` means (RFC 4733 §2.4.1).
    public static let all = TelephoneEvents(mask: 0xFFFF)

    public func contains(_ event: UInt8) -> Bool { event < 16 && mask & (1 << UInt16(event)) != 0 }

    /// Reads `0-15`, `0-11,16` or `0-9,*`-like lists; what is no number or range is skipped, as nothing is lost by it.
    init(list: String) {
        mask = 0
        for part in list.split(separator: ",").prefix(64) {
            let bounds = part.split(separator: "-", omittingEmptySubsequences: false).map { text in
                UInt8(text.filter { $0 != " " })
            }
            guard let first = bounds.first, let low = first else { continue }
            let high = bounds.count > 1 ? (bounds[1] ?? low) : low
            guard low <= 15, low <= high else { continue }
            for event in low...min(high, 15) { mask |= 1 << UInt16(event) }
        }
    }
}
