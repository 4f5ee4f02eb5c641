#if PostgreSQL
    import Store

    /// What a statement brought: rows in binary format, and how many it changed.
    struct PostgresResult: Sendable {
        var rows: [PostgresRow] = []
        var changed = 0
    }

    /// A row whose columns are read without trust.
    struct PostgresRow: Sendable {
        let columns: [[UInt8]?]

        func text(_ index: Int) throws -> String {
            guard let text = String(validating: try bytes(index), as: UTF8.self) else {
                throw unexpected(index, "text")
            }
            return text
        }

        func textIfAny(_ index: Int) throws -> String? { try column(index) == nil ? nil : text(index) }

        /// A whole number of two, four or eight bytes.
        func integer(_ index: Int) throws -> Int64 {
            let bytes = try bytes(index)
            switch bytes.count {
            case 8: return bytes.reduce(0) { $0 << 8 | Int64($1) }
            case 4: return Int64(Int32(truncatingIfNeeded: bytes.reduce(0 as Int64) { $0 << 8 | Int64($1) }))
            case 2: return Int64(Int16(truncatingIfNeeded: bytes.reduce(0 as Int64) { $0 << 8 | Int64($1) }))
            default: throw unexpected(index, "an integer")
            }
        }

        func integerIfAny(_ index: Int) throws -> Int64? { try column(index) == nil ? nil : integer(index) }

        func small(_ index: Int) throws -> Int {
            guard let small = Int(exactly: try integer(index)) else { throw unexpected(index, "a small integer") }
            return small
        }

        func boolean(_ index: Int) throws -> Bool {
            let bytes = try bytes(index)
            guard bytes.count == 1 else { throw unexpected(index, "a boolean") }
            return bytes[0] != 0
        }

        func bytes(_ index: Int) throws -> [UInt8] {
            guard let bytes = try column(index) else { throw unexpected(index, "a value") }
            return bytes
        }

        func bytesIfAny(_ index: Int) throws -> [UInt8]? { try column(index) }

        func parsed<Value: LosslessStringConvertible>(_ index: Int, as type: Value.Type = Value.self) throws -> Value {
            guard let value = Value(try text(index)) else { throw unexpected(index, "\(type)") }
            return value
        }

        func raw<Value: RawRepresentable<String>>(_ index: Int, as type: Value.Type = Value.self) throws -> Value {
            guard let value = Value(rawValue: try text(index)) else { throw unexpected(index, "\(type)") }
            return value
        }

        private func column(_ index: Int) throws -> [UInt8]? {
            guard columns.indices.contains(index) else { throw unexpected(index, "a column") }
            return columns[index]
        }

        private func unexpected(_ index: Int, _ expected: String) -> UnreadableRow {
            UnreadableRow("a row of the store does not hold \(expected) in column \(index)")
        }
    }
#endif
