/// An IP address of either family as a plain value.
public enum IPAddress: Hashable, Sendable {
    /// In host order: 127.0.0.1 is 0x7F000001.
    case v4(UInt32)
    /// The first and the last eight bytes, each in host order. Zone ids are not kept.
    case v6(UInt64, UInt64)

    public var isV6: Bool { if case .v6 = self { true } else { false } }
    /// 0.0.0.0 or ::, as in a wildcard listener or RFC 2543's way to hold.
    public var isUnspecified: Bool {
        switch self {
        case .v4(let bits): bits == 0
        case .v6(let high, let low): high == 0 && low == 0
        }
    }
    public var bitWidth: Int { isV6 ? 128 : 32 }
}

extension IPAddress: LosslessStringConvertible, CustomStringConvertible {
    /// Parses dotted-quad IPv4 or RFC 4291 IPv6, the latter with or without square brackets.
    public init?(_ text: String) {
        var text = Substring(text)
        if text.hasPrefix("["), text.hasSuffix("]") {
            text = text.dropFirst().dropLast()
            guard text.contains(":") else { return nil }
        }
        if let four = IPAddress.parseV4(text) {
            self = .v4(four)
        } else if let (high, low) = IPAddress.parseV6(text) {
            self = .v6(high, low)
        } else {
            return nil
        }
    }

    private static func parseV4(_ text: Substring) -> UInt32? {
        var value: UInt32 = 0
        var parts = 0
        var part: UInt32 = 0
        var digits = 0
        for byte in text.utf8 {
            switch byte {
            case 48...57:
                digits += 1
                guard digits <= 3 else { return nil }
                part = part * 10 + UInt32(byte - 48)
            case 46:
                guard digits > 0, part <= 255, parts < 3 else { return nil }
                value = value << 8 | part
                parts += 1
                part = 0
                digits = 0
            default: return nil
            }
        }
        guard parts == 3, digits > 0, part <= 255 else { return nil }
        return value << 8 | part
    }

    private static func parseV6(_ text: Substring) -> (UInt64, UInt64)? {
        guard text.utf8.count <= 45, text.utf8.count >= 2 else { return nil }
        let halves = text.split(separator: "::", maxSplits: 2, omittingEmptySubsequences: false)
        guard halves.count <= 2 else { return nil }
        func groups(_ half: Substring) -> [UInt16]? {
            if half.isEmpty { return [] }
            var result: [UInt16] = []
            let parts = half.split(separator: ":", omittingEmptySubsequences: false)
            for (index, part) in parts.enumerated() {
                if index == parts.count - 1, part.contains(".") {
                    guard let four = parseV4(part) else { return nil }
                    result.append(UInt16(four >> 16))
                    result.append(UInt16(four & 0xFFFF))
                } else {
                    guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy(isHexDigit),
                        let group = UInt16(part, radix: 16)
                    else { return nil }
                    result.append(group)
                }
            }
            return result
        }
        guard let head = groups(halves[0]) else { return nil }
        var all = head
        if halves.count == 2 {
            guard let tail = groups(halves[1]), head.count + tail.count <= 7 else { return nil }
            all += Array(repeating: 0, count: 8 - head.count - tail.count) + tail
        }
        guard all.count == 8 else { return nil }
        let high = all[0..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        let low = all[4..<8].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        return (high, low)
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...70).contains(byte) || (97...102).contains(byte)
    }

    /// Without brackets; IPv6 in the canonical form of RFC 5952.
    public var description: String {
        switch self {
        case .v4(let bits):
            return "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)"
        case .v6(let high, let low):
            let groups = (0..<8).map { index in
                UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64(48 - 16 * (index % 4)))
            }
            var best = 0..<0
            var start = 0
            while start < 8 {
                var end = start
                while end < 8, groups[end] == 0 { end += 1 }
                if end - start > best.count, end - start > 1 { best = start..<end }
                start = max(end, start + 1)
            }
            let text = { (part: ArraySlice<UInt16>) in part.map { String($0, radix: 16) }.joined(separator: ":") }
            if best.isEmpty { return text(groups[...]) }
            return text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
        }
    }
}

/// A transport address: an IP address and a port.
public struct Endpoint: Hashable, Sendable {
    public var address: IPAddress
    public var port: UInt16

    public init(_ address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }
}

extension Endpoint: LosslessStringConvertible, CustomStringConvertible {
    /// Parses `127.0.0.1:5060` or `[::1]:5060`; the port is required.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        let host = text[..<colon]
        guard let address = IPAddress(String(host)), !address.isV6 || host.hasPrefix("[") else { return nil }
        self.init(address, port: port)
    }

    public var description: String { address.isV6 ? "[\(address)]:\(port)" : "\(address):\(port)" }
}

/// A block of addresses, `10.0.0.0/8` or `2001:db8::/32`; an address alone is a block of one.
public struct CIDR: Hashable, Sendable {
    public let network: IPAddress
    public let prefixLength: Int

    public func contains(_ address: IPAddress) -> Bool {
        switch (network, address) {
        case (.v4(let block), .v4(let bits)):
            return prefixLength == 0 || (block ^ bits) >> UInt32(32 - prefixLength) == 0
        case (.v6(let high, let low), .v6(let otherHigh, let otherLow)):
            if prefixLength == 0 { return true }
            if prefixLength <= 64 { return (high ^ otherHigh) >> UInt64(64 - prefixLength) == 0 }
            return high == otherHigh && (low ^ otherLow) >> UInt64(128 - prefixLength) == 0
        default: return false
        }
    }
}

extension CIDR: LosslessStringConvertible, CustomStringConvertible {
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(String(first)) else { return nil }
        var length = address.bitWidth
        if parts.count == 2 {
            guard let given = Int(parts[1]), (0...address.bitWidth).contains(given) else { return nil }
            length = given
        }
        network = address
        prefixLength = length
    }

    public var description: String { "\(network)/\(prefixLength)" }
}
