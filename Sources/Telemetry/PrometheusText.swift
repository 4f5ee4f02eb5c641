/// Writes the Prometheus exposition format, version 0.0.4.
struct PrometheusText {
    /// What `GET /metrics` says it sends.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) var result = ""

    mutating func describe(_ name: String, help: String, kind: String) {
        result += "# HELP \(name) \(Self.escape(help, quotes: false))\n# TYPE \(name) \(kind)\n"
    }

    mutating func sample(_ name: String, _ labels: String, _ value: String) {
        result += labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }

    mutating func histogram(_ name: String, _ labels: String, _ histogram: Histogram) {
        let totals = histogram.totals
        let prefix = labels.isEmpty ? "" : labels + ","
        for (bound, count) in zip(histogram.bounds, totals.cumulative) {
            sample(name + "_bucket", "\(prefix)le=\"\(Self.number(bound))\"", Self.number(count))
        }
        sample(name + "_bucket", "\(prefix)le=\"+Inf\"", Self.number(totals.count))
        sample(name + "_sum", labels, Self.number(totals.sum))
        sample(name + "_count", labels, Self.number(totals.count))
    }

    static func render(_ labels: [Label]) -> String {
        labels.map { "\($0.name)=\"\(escape($0.value, quotes: true))\"" }.joined(separator: ",")
    }

    /// A backslash and a line feed are escaped everywhere, a quotation mark in label values.
    static func escape(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    static func number(_ value: UInt64) -> String { String(value) }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 { return String(whole) }
        return "\(value)"
    }

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
    static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(48...57).contains(first) else { return false }
        return name.utf8.allSatisfy(isNameByte)
    }

    static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122, 95, 58: true
        default: false
        }
    }

    /// A name of another library made to fit: what is not allowed becomes `_`.
    static func name(from label: String) -> String {
        let bytes = label.utf8.map { isNameByte($0) ? $0 : 95 }
        let name = String(decoding: bytes, as: UTF8.self)
        return isName(name) ? name : "_" + name
    }
}

extension MetricRegistry {
    /// The media type of `render()`.
    public static var contentType: String { PrometheusText.contentType }
}
