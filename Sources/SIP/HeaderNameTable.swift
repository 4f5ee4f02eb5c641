/// Finds the `HeaderName` of received bytes without making a string: a table over length, first and last letter, then
/// one comparison.
struct HeaderNameTable: Sendable {
    private struct Entry: Sendable {
        let text: StaticString
        let name: HeaderName
        /// The next entry in the same slot; -1 ends the chain.
        let next: Int16
    }

    static let shared = HeaderNameTable()

    private var entries: [Entry] = []
    private var slots = [Int16](repeating: -1, count: 256)

    private init() {
        var names = HeaderName.compactForms
        for name in HeaderName.known {
            if case .known(let text) = name.spelling { names.append((name, text)) }
        }
        for (name, text) in names {
            let slot = text.withUTF8Buffer { HeaderNameTable.slot(UnsafeRawBufferPointer($0)) }
            entries.append(Entry(text: text, name: name, next: slots[slot]))
            slots[slot] = Int16(entries.count - 1)
        }
    }

    private static func slot(_ name: UnsafeRawBufferPointer) -> Int {
        let first = Int(name[0] | 32)
        let last = Int(name[name.count - 1] | 32)
        return (name.count &* 7 &+ first &* 31 &+ last &* 3) & 255
    }

    func name(of bytes: UnsafeRawBufferPointer) -> HeaderName {
        guard bytes.count > 0 else { return .other("") }
        var index = Int(slots[HeaderNameTable.slot(bytes)])
        while index >= 0 {
            let entry = entries[index]
            if HeaderNameTable.matches(entry.text, bytes) { return entry.name }
            index = Int(entry.next)
        }
        return .other(
            String(unsafeUninitializedCapacity: bytes.count) { buffer in
                for (index, byte) in bytes.enumerated() { buffer[index] = Octets.lowercase(byte) }
                return bytes.count
            })
    }

    private static func matches(_ text: StaticString, _ bytes: UnsafeRawBufferPointer) -> Bool {
        guard text.utf8CodeUnitCount == bytes.count else { return false }
        let expected = UnsafeRawBufferPointer(start: text.utf8Start, count: bytes.count)
        for index in 0..<bytes.count where Octets.lowercase(expected[index]) != Octets.lowercase(bytes[index]) {
            return false
        }
        return true
    }
}

extension HeaderName {
    /// The name that this text spells, in any case or in its compact form.
    public init(_ text: String) {
        var text = text
        self = text.withUTF8 { HeaderNameTable.shared.name(of: UnsafeRawBufferPointer($0)) }
    }
}
