#if PostgreSQL
    import Primitives
    import Session

    /// A parameter of a statement in PostgreSQL's binary format, with its type. Binary: bytes go as they are, and a
    /// text with a NUL is refused instead of cut.
    struct PostgresValue: Sendable {
        /// Type numbers of pg_type, which never change.
        enum Kind: UInt32, Sendable {
            case boolean = 16
            case bytes = 17
            case integer = 20
            case small = 23
            case text = 25
            case booleans = 1000
            case byteStrings = 1001
            case smalls = 1007
            case texts = 1009
            case integers = 1016

            fileprivate var element: Kind {
                switch self {
                case .booleans: .boolean
                case .byteStrings: .bytes
                case .smalls: .small
                case .texts: .text
                case .integers: .integer
                default: self
                }
            }
        }

        let kind: Kind
        /// Nil is NULL.
        let bytes: [UInt8]?

        static func text(_ text: String?) -> Self { Self(kind: .text, bytes: text.map { Array($0.utf8) }) }
        static func text(_ value: some CustomStringConvertible) -> Self {
            Self(kind: .text, bytes: Array(value.description.utf8))
        }
        static func integer(_ value: Int64?) -> Self { Self(kind: .integer, bytes: value.map(bigEndian)) }
        static func integer(_ value: Int) -> Self { .integer(Int64(value)) }
        static func time(_ value: WallTime?) -> Self { .integer(value?.milliseconds) }
        static func boolean(_ value: Bool) -> Self { Self(kind: .boolean, bytes: [value ? 1 : 0]) }
        static func bytes(_ value: [UInt8]) -> Self { Self(kind: .bytes, bytes: value) }

        static func texts(_ values: [String?]) -> Self { array(.texts, values.map { $0.map { Array($0.utf8) } }) }
        static func integers(_ values: [Int64]) -> Self { array(.integers, values.map(bigEndian)) }
        static func smalls(_ values: [Int32]) -> Self { array(.smalls, values.map(bigEndian)) }
        static func booleans(_ values: [Bool]) -> Self { array(.booleans, values.map { [$0 ? 1 : 0] }) }
        static func byteStrings(_ values: [[UInt8]]) -> Self { array(.byteStrings, values) }

        /// One dimension, counted from 1: what `array_recv` reads.
        private static func array(_ kind: Kind, _ elements: [[UInt8]?]) -> Self {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(20 + elements.reduce(0) { $0 + 4 + ($1?.count ?? 0) })
            let hasNull = elements.contains { $0 == nil }
            bytes += bigEndian(Int32(elements.isEmpty ? 0 : 1))
            bytes += bigEndian(Int32(hasNull ? 1 : 0))
            bytes += bigEndian(Int32(bitPattern: kind.element.rawValue))
            if !elements.isEmpty {
                bytes += bigEndian(Int32(clamping: elements.count))
                bytes += bigEndian(Int32(1))
            }
            for element in elements {
                guard let element else {
                    bytes += bigEndian(Int32(-1))
                    continue
                }
                bytes += bigEndian(Int32(clamping: element.count))
                bytes += element
            }
            return Self(kind: kind, bytes: bytes)
        }

        private static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
            withUnsafeBytes(of: value.bigEndian) { Array($0) }
        }
    }
#endif
