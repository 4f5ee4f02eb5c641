/// Finds the kind of a header by the bytes of its name, without making a string: a table over the name's first and
/// last eight bytes as numbers, and its length.
struct HeaderNameTable: Sendable {
    private struct Entry: Sendable {
        let key: Key
        let kind: HeaderKind
        /// The next entry in the same slot; -1 ends the chain.
        let next: Int16
    }

    /// A name without case. Setting bit 5 makes capital letters small; of the other characters of a token it changes
    /// only the underscore, which stands in no known name.
    private struct Key: Equatable {
        let first: UInt64
        /// The last eight bytes of a name of nine or more; they overlap the first ones.
        let last: UInt64
        let length: Int

        private static var caseBits: UInt64 { 0x2020_2020_2020_2020 }

        init(_ bytes: UnsafeRawBufferPointer, _ name: Range<Int>) {
            length = name.count
            if length >= 8 {
                first = bytes.loadUnaligned(fromByteOffset: name.lowerBound, as: UInt64.self) | Self.caseBits
                last = bytes.loadUnaligned(fromByteOffset: name.upperBound - 8, as: UInt64.self) | Self.caseBits
            } else if name.lowerBound + 8 <= bytes.count {
                // What follows the name is read too, and cut off.
                let word = bytes.loadUnaligned(fromByteOffset: name.lowerBound, as: UInt64.self) | Self.caseBits
                first = UInt64(littleEndian: word) & (1 &<< UInt64(8 * length) &- 1)
                last = 0
            } else {
                var word: UInt64 = 0
                for index in name.reversed() { word = word << 8 | UInt64(bytes[index] | 0x20) }
                first = word
                last = 0
            }
        }

        var slot: Int {
            let mixed = (first ^ last &* 31 ^ UInt64(truncatingIfNeeded: length)) &* 0x9E37_79B9_7F4A_7C15
            return Int(truncatingIfNeeded: mixed >> 55)
        }
    }

    static let shared = HeaderNameTable()

    private var entries: [Entry] = []
    private var slots = [Int16](repeating: -1, count: 512)

    private init() {
        for (kind, name) in HeaderName.known.enumerated() {
            if case .known(let text) = name.spelling { insert(text, UInt8(kind)) }
        }
        for (name, text) in HeaderName.compactForms {
            if let kind = name.kind { insert(text, kind.rawValue) }
        }
    }

    private mutating func insert(_ text: StaticString, _ kind: UInt8) {
        guard let kind = HeaderKind(rawValue: kind) else { preconditionFailure("no header \(kind)") }
        let key = text.withUTF8Buffer { Key(UnsafeRawBufferPointer($0), 0..<$0.count) }
        entries.append(Entry(key: key, kind: kind, next: slots[key.slot]))
        slots[key.slot] = Int16(entries.count - 1)
    }

    /// - Parameter name: where it stands; `.other` for a name that is not known, or no token at all.
    func kind(of name: Range<Int>, in bytes: UnsafeRawBufferPointer) -> HeaderKind {
        guard !name.isEmpty else { return .other }
        let key = Key(bytes, name)
        var index = Int(slots[key.slot])
        while index >= 0 {
            let entry = entries[index]
            if entry.key == key, key.length <= 16 || Self.matches(entry.kind, bytes, name) { return entry.kind }
            index = Int(entry.next)
        }
        return .other
    }

    /// The middle of a long name is in no number.
    private static func matches(_ kind: HeaderKind, _ bytes: UnsafeRawBufferPointer, _ name: Range<Int>) -> Bool {
        guard case .known(let text)? = kind.name?.spelling, text.utf8CodeUnitCount == name.count else { return false }
        let expected = UnsafeRawBufferPointer(start: text.utf8Start, count: name.count)
        for (index, byte) in expected.enumerated()
        where Octets.lowercase(byte) != Octets.lowercase(bytes[name.lowerBound + index]) {
            return false
        }
        return true
    }

    static func lowercase(_ bytes: UnsafeRawBufferPointer, _ name: Range<Int>) -> String {
        String(unsafeUninitializedCapacity: name.count) { buffer in
            for (index, place) in name.enumerated() { buffer[index] = Octets.lowercase(bytes[place]) }
            return name.count
        }
    }
}

extension HeaderName {
    /// The name that this text spells, in any case or in its compact form.
    public init(_ text: String) {
        var text = text
        self = text.withUTF8 {
            let bytes = UnsafeRawBufferPointer($0)
            return HeaderNameTable.shared.kind(of: 0..<bytes.count, in: bytes).name
                ?? .other(HeaderNameTable.lowercase(bytes, 0..<bytes.count))
        }
    }
}
