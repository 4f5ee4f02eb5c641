import Primitives
import Routing

/// A kind of scalar: how it is read from text, what to say when it cannot be, and how a default is shown.
struct ValueKind<Value> {
    /// In the words of a problem: "two ports in 1024...65534".
    var expected: String
    /// Stands in after a problem, so that reading goes on and finds the others; never leaves the decoder.
    var placeholder: Value
    var parse: (String) -> Value?
    var show: (Value) -> String

    init(
        _ expected: String, placeholder: Value, parse: @escaping (String) -> Value?,
        show: @escaping (Value) -> String = { "\($0)" }
    ) {
        self.expected = expected
        self.placeholder = placeholder
        self.parse = parse
        self.show = show
    }
}

extension ValueKind where Value == Int {
    static func integer(in range: ClosedRange<Int>) -> Self {
        Self("a whole number in \(range.lowerBound)...\(range.upperBound)", placeholder: range.lowerBound) { text in
            decimal(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// Digits only: YAML's octal, hexadecimal and underscores surprise people in phone systems.
    static func decimal(_ text: String) -> Int? {
        guard (1...12).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text)
    }
}

extension ValueKind where Value == Double {
    static func number(in range: ClosedRange<Double>) -> Self {
        Self("a number in \(short(range.lowerBound))...\(short(range.upperBound))", placeholder: range.lowerBound) {
            text in
            guard text.utf8.count <= 16, text.utf8.allSatisfy({ (48...57).contains($0) || $0 == 46 }) else {
                return nil
            }
            return Double(text).flatMap { range.contains($0) ? $0 : nil }
        } show: {
            short($0)
        }
    }

    private static func short(_ value: Double) -> String {
        value == value.rounded() ? "\(Int(value))" : "\(value)"
    }
}

extension ValueKind where Value == Duration {
    static func milliseconds(in range: ClosedRange<Int>) -> Self {
        Self(
            "whole milliseconds in \(range.lowerBound)...\(range.upperBound)",
            placeholder: .milliseconds(range.lowerBound)
        ) { text in
            ValueKind<Int>.decimal(text).flatMap { range.contains($0) ? .milliseconds($0) : nil }
        } show: {
            "\($0.wholeMilliseconds)"
        }
    }

    static func seconds(in range: ClosedRange<Int>) -> Self {
        Self(
            "whole seconds in \(range.lowerBound)...\(range.upperBound)", placeholder: .seconds(range.lowerBound)
        ) { text in
            ValueKind<Int>.decimal(text).flatMap { range.contains($0) ? .seconds($0) : nil }
        } show: {
            "\($0.wholeMilliseconds / 1_000)"
        }
    }
}

extension ValueKind where Value == Duration {
    static func days(in range: ClosedRange<Int>) -> Self {
        Self(
            "whole days in \(range.lowerBound)...\(range.upperBound)", placeholder: .seconds(range.lowerBound * 86_400)
        ) {
            text in
            ValueKind<Int>.decimal(text).flatMap { range.contains($0) ? .seconds($0 * 86_400) : nil }
        } show: {
            "\($0.wholeMilliseconds / 86_400_000)"
        }
    }
}

extension ValueKind where Value == Bool {
    static var flag: Self {
        Self("true or false", placeholder: false) { ["true": true, "false": false][$0] }
    }
}

extension ValueKind where Value == String {
    static var nodeName: Self {
        Self("a node name (1 to 63 of a-z, 0-9 and -)", placeholder: "node") { isNodeName($0) ? $0 : nil }
    }

    /// What stands in a Request-URI's user part when a line is dialed.
    static var line: Self {
        Self("a line (1 to 32 of 0-9, a-z, A-Z, +, *, #, -, _ and .)", placeholder: "0") { text in
            let allowed = text.utf8.allSatisfy { byte in
                switch byte {
                case 48...57, 65...90, 97...122, 43, 42, 35, 45, 95, 46: true
                default: false
                }
            }
            return allowed && (1...32).contains(text.utf8.count) ? text : nil
        }
    }

    /// A path; what it is relative to is said where it is used. `~` and control characters are refused.
    static var path: Self {
        Self("a path", placeholder: "x") { text in
            (1...1_024).contains(text.utf8.count) && !text.hasPrefix("~") && text.utf8.allSatisfy { $0 >= 32 }
                ? text : nil
        }
    }

    static var language: Self {
        Self("a language code of two or three letters (zh, en)", placeholder: "en") { text in
            (2...3).contains(text.utf8.count) && text.utf8.allSatisfy { (97...122).contains($0) } ? text : nil
        }
    }

    static var word: Self {
        Self("a text of 1 to 512 bytes", placeholder: "x") { (1...512).contains($0.utf8.count) ? $0 : nil }
    }

    /// An address or a DNS name (RFC 1123) for others to reach this node by; IPv6 without brackets.
    static var host: Self {
        Self("an IP address or a host name", placeholder: "localhost") { text in
            if let address = IPAddress(text) { return address.isUnspecified ? nil : address.description }
            let labels = text.split(separator: ".", omittingEmptySubsequences: false)
            let fine = labels.allSatisfy { label in
                (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                    && label.utf8.allSatisfy {
                        (97...122).contains($0) || (65...90).contains($0) || (48...57).contains($0) || $0 == 45
                    }
            }
            // The last label of a name is never all digits: 300.1.2.3 is a mistyped address.
            let isName = labels.last?.utf8.contains { !(48...57).contains($0) } ?? false
            return fine && isName && text.utf8.count <= 253 ? text : nil
        }
    }

    /// Scheme, host and port of another node's HTTP server, without a path.
    static var httpURL: Self {
        Self("http://HOST:PORT", placeholder: "http://127.0.0.1:80") { text in
            guard text.hasPrefix("http://"), let colon = text.lastIndex(of: ":") else { return nil }
            let start = text.index(text.startIndex, offsetBy: 7)
            guard start < colon, let port = UInt16(text[text.index(after: colon)...]), port > 0 else { return nil }
            let name = String(text[start..<colon])
            guard !name.contains(":") || name.hasPrefix("[") else { return nil }
            return ValueKind<String>.host.parse(name) == nil ? nil : text
        }
    }
}

extension ValueKind where Value == IPAddress {
    static var address: Self { Self("an IPv4 or IPv6 address", placeholder: .v4(0x7F00_0001)) { IPAddress($0) } }
}

extension ValueKind where Value == Endpoint {
    static var endpoint: Self {
        Self("ADDRESS:PORT ([ADDRESS]:PORT for IPv6)", placeholder: Endpoint(.v4(0x7F00_0001), port: 1)) { text in
            Endpoint(text).flatMap { $0.port > 0 ? $0 : nil }
        }
    }

    /// An endpoint that others connect to, so no wildcard.
    static var remote: Self {
        Self("ADDRESS:PORT of the node ([ADDRESS]:PORT for IPv6)", placeholder: endpoint.placeholder) { text in
            endpoint.parse(text).flatMap { $0.address.isUnspecified ? nil : $0 }
        }
    }
}

extension ValueKind where Value == CIDR {
    static var block: Self {
        guard let nowhere = CIDR("::/128") else { preconditionFailure("::/128 is a block") }
        return Self("an address block such as 10.0.0.0/8 or 2001:db8::/32", placeholder: nowhere) { CIDR($0) }
    }
}

extension ValueKind where Value == PortRange {
    static var ports: Self {
        Self("two ports in 1024...65534", placeholder: PortRange(first: 10_000, last: 19_999)) { text in
            let parts = text.split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 2, let first = ValueKind<Int>.decimal(String(parts[0])),
                let last = ValueKind<Int>.decimal(String(parts[1])), (1_024...65_534).contains(first),
                (1_024...65_534).contains(last), first < last
            else { return nil }
            return PortRange(first: UInt16(first), last: UInt16(last))
        }
    }
}

extension ValueKind where Value == Int64 {
    /// Money in the bank's currency, at most two decimals, kept in minor units.
    static var money: Self {
        Self("an amount such as 50000.00, at most 1000000000", placeholder: 0) { text in
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count), let whole = ValueKind<Int>.decimal(String(parts[0])),
                whole <= 1_000_000_000
            else { return nil }
            guard parts.count == 2 else { return Int64(whole) * 100 }
            guard (1...2).contains(parts[1].utf8.count), let cents = ValueKind<Int>.decimal(String(parts[1])) else {
                return nil
            }
            return Int64(whole) * 100 + Int64(parts[1].utf8.count == 1 ? cents * 10 : cents)
        } show: {
            "\($0 / 100).\($0 % 100 < 10 ? "0" : "")\($0 % 100)"
        }
    }
}

extension ValueKind where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    static func choice(placeholder: Value, of allowed: [Value] = Array(Value.allCases)) -> Self {
        let names = allowed.map(\.rawValue)
        return Self("one of \(names.joined(separator: ", "))", placeholder: placeholder) { text in
            allowed.first { $0.rawValue == text }
        } show: {
            $0.rawValue
        }
    }
}
