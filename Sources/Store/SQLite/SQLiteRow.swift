import Foundation
import GRDB

/// A row whose columns are read without trust: a file may hold anything.
struct SQLiteRow {
    private let row: Row

    init(_ row: Row) { self.row = row }

    func isNull(_ index: Int) throws -> Bool { try value(index).isNull }

    func text(_ index: Int) throws -> String {
        guard case .string(let text) = try value(index).storage else { throw unexpected(index, "text") }
        return text
    }

    func textIfAny(_ index: Int) throws -> String? { try isNull(index) ? nil : text(index) }

    func integer(_ index: Int) throws -> Int64 {
        guard case .int64(let integer) = try value(index).storage else { throw unexpected(index, "an integer") }
        return integer
    }

    func integerIfAny(_ index: Int) throws -> Int64? { try isNull(index) ? nil : integer(index) }

    func small(_ index: Int) throws -> Int {
        guard let small = Int(exactly: try integer(index)) else { throw unexpected(index, "a small integer") }
        return small
    }

    func blob(_ index: Int) throws -> Data {
        switch try value(index).storage {
        case .blob(let data): return data
        // SQLite gives an empty blob as what it likes.
        case .string(let text) where text.isEmpty: return Data()
        default: throw unexpected(index, "bytes")
        }
    }

    /// A value that has a text form.
    func parsed<Value: LosslessStringConvertible>(_ index: Int, as type: Value.Type = Value.self) throws -> Value {
        guard let value = Value(try text(index)) else { throw unexpected(index, "\(type)") }
        return value
    }

    func raw<Value: RawRepresentable<String>>(_ index: Int, as type: Value.Type = Value.self) throws -> Value {
        guard let value = Value(rawValue: try text(index)) else { throw unexpected(index, "\(type)") }
        return value
    }

    private func value(_ index: Int) throws -> DatabaseValue {
        guard (0..<row.count).contains(index) else { throw unexpected(index, "a column") }
        return row[index]
    }

    private func unexpected(_ index: Int, _ expected: String) -> UnreadableRow {
        UnreadableRow("a row of the store does not hold \(expected) in column \(index)")
    }
}

extension Database {
    /// Runs a statement that is compiled once a connection; answers how many rows it changed.
    @discardableResult
    func change(_ sql: String, _ arguments: StatementArguments = []) throws -> Int {
        try cachedStatement(sql: sql).execute(arguments: arguments)
        return changesCount
    }

    func first(_ sql: String, _ arguments: StatementArguments = []) throws -> SQLiteRow? {
        try Row.fetchOne(try cachedStatement(sql: sql), arguments: arguments).map(SQLiteRow.init)
    }

    func all<Value>(
        _ sql: String, _ arguments: StatementArguments = [], _ read: (SQLiteRow) throws -> Value
    ) throws -> [Value] {
        try Row.fetchAll(try cachedStatement(sql: sql), arguments: arguments).map { try read(SQLiteRow($0)) }
    }
}
