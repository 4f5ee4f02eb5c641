/// Classes of characters of RFC 3261 §25.1, one bit each, looked up by byte.
enum Octets {
    static let token: UInt8 = 1
    /// user-unreserved and unreserved: what a user part shows unescaped.
    static let user: UInt8 = 2
    /// param-unreserved and unreserved: what a URI parameter shows unescaped.
    static let parameter: UInt8 = 4
    static let digit: UInt8 = 8
    /// Letters, digits, hyphen, dot and underscore (underscores stand in many real host names).
    static let host: UInt8 = 16
    /// What a header parameter's value shows without quotes: token, or the characters of a host or address.
    static let plainValue: UInt8 = 32
    static let hexDigit: UInt8 = 64
    static let letter: UInt8 = 128

    private static let classes: [UInt8] = {
        var classes = [UInt8](repeating: 0, count: 256)
        func mark(_ characters: String, _ bits: UInt8) {
            for byte in characters.utf8 { classes[Int(byte)] |= bits }
        }
        let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        mark(letters, letter)
        mark("0123456789", digit)
        mark("0123456789abcdefABCDEF", hexDigit)
        mark(letters + "0123456789", token | user | parameter | host | plainValue)
        mark("-.!%*_+`'~", token | plainValue)
        mark("-_.!~*'()", user | parameter)
        mark("&=+$,;?/#", user)
        mark("[]/:&+$", parameter)
        mark("-._", host)
        mark("[]:", plainValue)
        return classes
    }()

    static func has(_ byte: UInt8, _ bits: UInt8) -> Bool { classes[Int(byte)] & bits != 0 }

    static func lowercase(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte | 32 : byte }
}

extension String {
    /// Compares as header and parameter names do: without case, ASCII only (RFC 3261 §7.3.1).
    func equalsIgnoringCase(_ other: String) -> Bool {
        utf8.count == other.utf8.count
            && utf8.elementsEqual(other.utf8) { Octets.lowercase($0) == Octets.lowercase($1) }
    }
}
