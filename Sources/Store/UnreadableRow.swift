import Foundation
import Session

/// A row that does not hold what the schema says. It fails the request that reads it, not the store.
package struct UnreadableRow: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Values that are kept as text, the same on every engine.
package enum RowCoding {
    package static func json(_ value: some Encodable) throws -> String {
        String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
    }

    package static func decoded<Value: Decodable>(_ type: Value.Type, from text: String) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(text.utf8))
        } catch {
            throw UnreadableRow("a row of the store holds no readable \(type)")
        }
    }

    package static func identity(name: String, incarnation: String) throws -> NodeIdentity {
        guard let identity = NodeIdentity(name: name, incarnation: incarnation) else {
            throw UnreadableRow("a row of the store holds no node name and incarnation")
        }
        return identity
    }
}
