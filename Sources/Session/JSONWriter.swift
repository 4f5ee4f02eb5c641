import Primitives

/// Writes JSON straight into bytes: checkpoints are written some thousand times a second, and Foundation's encoder
/// takes six times as long for them.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    init(reserving capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func object(_ body: (inout JSONWriter) -> Void) {
        separate()
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
        body(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    mutating func object(_ key: StaticString, _ body: (inout JSONWriter) -> Void) {
        name(key)
        object(body)
    }

    /// An object of text by text, keys in order so that equal values are equal bytes.
    mutating func field(_ key: StaticString, _ values: [String: String]) {
        object(key) { json in
            for (key, value) in values.sorted(by: { $0.key < $1.key }) { json.field(named: key, value) }
        }
    }

    mutating func field(_ key: StaticString, _ values: [String: Int]) {
        object(key) { json in
            for (key, value) in values.sorted(by: { $0.key < $1.key }) {
                json.name(text: key)
                json.number(value)
            }
        }
    }

    private mutating func field(named key: String, _ value: String) {
        name(text: key)
        text(value)
    }

    mutating func array<Element>(
        _ key: StaticString, _ values: [Element], _ write: (inout JSONWriter, Element) -> Void
    ) {
        name(key)
        bytes.append(UInt8(ascii: "["))
        needsComma = false
        for value in values { write(&self, value) }
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    mutating func field(_ key: StaticString, _ values: [String]) {
        array(key, values) { json, value in
            json.separate()
            json.text(value)
        }
    }

    /// Nothing is written for nil.
    mutating func field(_ key: StaticString, _ value: String?) {
        guard let value else { return }
        name(key)
        text(value)
    }

    mutating func field(_ key: StaticString, _ value: (some FixedWidthInteger)?) {
        guard let value else { return }
        name(key)
        number(value)
    }

    mutating func field(_ key: StaticString, _ value: Bool?) {
        guard let value else { return }
        name(key)
        bytes.append(contentsOf: value ? Array("true".utf8) : Array("false".utf8))
        needsComma = true
    }

    mutating func field(_ key: StaticString, _ value: WallTime?) { field(key, value?.description) }

    // MARK: Parts

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func name(_ key: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        key.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    private mutating func name(text key: String) {
        separate()
        text(key)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    private mutating func number(_ value: some FixedWidthInteger) {
        bytes.append(contentsOf: String(value).utf8)
        needsComma = true
    }

    /// RFC 8259 §7: quotation mark, reverse solidus and control characters are escaped, all else stands as UTF-8.
    private mutating func text(_ value: String) {
        bytes.append(UInt8(ascii: "\""))
        var value = value
        value.withUTF8 { utf8 in
            if utf8.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
                bytes.append(contentsOf: utf8)
            } else {
                for byte in utf8 { appendEscaped(byte) }
            }
        }
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }

    private mutating func appendEscaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
        case UInt8(ascii: "\r"): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "r")]
        case UInt8(ascii: "\n"): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
        case ..<0x20:
            let low = byte & 15
            bytes += Array("\\u00".utf8)
            bytes += [48 + (byte >> 4), low < 10 ? 48 + low : 87 + low]
        default: bytes.append(byte)
        }
    }
}
