import Foundation
import Session

extension NodeIdentity {
    /// A new life of a node: the time of its start in base 36, so that a later incarnation is also a greater one, and
    /// some random digits for two starts within a millisecond.
    public static func begin(name: String) -> NodeIdentity? {
        let milliseconds = Int64(Date().timeIntervalSince1970 * 1000)
        let random = String(UInt32.random(in: 0..<46_656), radix: 36)
        let padded = String(repeating: "0", count: 3 - min(3, random.count)) + random
        return NodeIdentity(name: name, incarnation: String(milliseconds, radix: 36) + padded)
    }
}
