/// What the parts of a URI may hold, where libosip2 takes anything (RFC 3261 §19.1, §20).
enum URISyntax {
    /// No spaces, quotes, angle brackets or control characters; each % begins an escape.
    static func isPlain(_ range: Range<Int>, of bytes: UnsafeRawBufferPointer) -> Bool {
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = bytes[index]
            if byte <= 32 || byte == 34 || byte == 60 || byte == 62 || byte == 127 { return false }
            if byte == 37 {
                guard index + 2 < range.upperBound, OctetClass.hexDigit.contains(bytes[index + 1]),
                    OctetClass.hexDigit.contains(bytes[index + 2])
                else { return false }
                index += 2
            }
            index += 1
        }
        return !range.isEmpty
    }

    /// Where the URI of a name-addr or addr-spec stands; nil when quotes or brackets do not match, when something other
    /// than parameters follows the bracket, or when the URI is not plain.
    static func uriRange(inAddress value: Range<Int>, of bytes: UnsafeRawBufferPointer) -> Range<Int>? {
        var index = value.lowerBound
        while index < value.upperBound, bytes[index] != 60, bytes[index] != 59 {
            if bytes[index] == 34 {
                index += 1
                while index < value.upperBound, bytes[index] != 34 { index += bytes[index] == 92 ? 2 : 1 }
                guard index < value.upperBound else { return nil }
            }
            index += 1
        }
        let uri: Range<Int>
        var rest: Int
        if index < value.upperBound, bytes[index] == 60 {
            var end = index + 1
            while end < value.upperBound, bytes[end] != 62 { end += 1 }
            guard end < value.upperBound else { return nil }
            uri = index + 1..<end
            rest = end + 1
        } else {
            uri = HeaderSyntax.trim(value.lowerBound..<min(index, value.upperBound), in: bytes)
            rest = index
        }
        while rest < value.upperBound, HeaderSyntax.isSpace(bytes[rest]) { rest += 1 }
        guard HeaderSyntax.parametersAreSound(from: rest, of: value, in: bytes) else { return nil }
        return isPlain(uri, of: bytes) ? uri : nil
    }

    /// `tel:` and all schemes that are not ours: number and parameters for the first, everything as the user else.
    static func opaque(_ range: Range<Int>, of bytes: UnsafeRawBufferPointer) -> URI? {
        let text = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else { return nil }
        let scheme = text[..<colon].lowercased()
        guard scheme.utf8.first.map({ Octets.isLetter($0) }) == true,
            scheme.utf8.allSatisfy({ (Octets.isLetter($0) || Octets.isDigit($0)) || $0 == 43 || $0 == 45 || $0 == 46 })
        else { return nil }
        let rest = text[text.index(after: colon)...]
        guard !rest.isEmpty else { return nil }
        guard scheme == "tel" else { return URI(scheme: .other(scheme), user: String(rest), host: "") }
        var parts = rest.split(separator: ";", omittingEmptySubsequences: false)
        let number = parts.removeFirst()
        // RFC 3966 §3: digits, visual separators, and for local numbers also hex digits, * and #.
        guard !number.isEmpty, number.utf8.allSatisfy({ OctetClass.hexDigit.contains($0) || telSymbols.contains($0) })
        else { return nil }
        var parameters: [Parameter] = []
        for part in parts {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = pair.first, !name.isEmpty else { return nil }
            parameters.append(Parameter(String(name), pair.count == 2 ? String(pair[1]) : nil))
        }
        return URI(scheme: .tel, user: String(number), host: "", parameters: parameters)
    }

    private static let telSymbols = Array("+-.()*#".utf8)

    /// The decoded user when it has a %00, which C cannot show; nil else.
    static func userHoldingNUL(_ range: Range<Int>, of bytes: UnsafeRawBufferPointer) -> String? {
        guard HeaderSyntax.find(37, in: range, of: bytes) < range.upperBound,
            let at = bytes[range].firstIndex(of: 64), let colon = bytes[range].firstIndex(of: 58), colon < at
        else {
            return nil
        }
        let whole = colon + 1..<at
        let user = whole.lowerBound..<(bytes[whole].firstIndex(of: 58) ?? at)
        guard bytes[user].contains(37) else { return nil }
        var decoded: [UInt8] = []
        var hasNUL = false
        var index = user.lowerBound
        while index < user.upperBound {
            if bytes[index] == 37, index + 2 < user.upperBound, let high = hexValue(bytes[index + 1]),
                let low = hexValue(bytes[index + 2])
            {
                decoded.append(high << 4 | low)
                if high | low == 0 { hasNUL = true }
                index += 3
            } else {
                decoded.append(bytes[index])
                index += 1
            }
        }
        return hasNUL ? String(decoding: decoded, as: UTF8.self) : nil
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte &- 48
        case 65...70: byte &- 55
        case 97...102: byte &- 87
        default: nil
        }
    }

    /// What follows the question mark.
    static func headers(_ range: Range<Int>, of bytes: UnsafeRawBufferPointer) -> String? {
        let afterUser = bytes[range].firstIndex(of: 64) ?? range.lowerBound
        guard let mark = bytes[afterUser..<range.upperBound].firstIndex(of: 63) else { return nil }
        return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[mark + 1..<range.upperBound]), as: UTF8.self)
    }
}
