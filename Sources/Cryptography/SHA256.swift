import CCrypto

/// SHA-256 (FIPS 180-4) by OpenSSL's libcrypto.
public enum SHA256 {
    /// Of a digest, in bytes.
    public static let size = 32

    public static func digest(of message: [UInt8]) -> [UInt8] {
        OpenSSL.prepare()
        var digest = [UInt8](repeating: 0, count: size)
        guard EVP_Digest(message, message.count, &digest, nil, EVP_sha256(), nil) == 1 else {
            fatalError("OpenSSL computes no SHA-256")
        }
        return digest
    }

    /// The digest as 64 lower-case hexadecimal digits.
    public static func hexadecimal(of message: [UInt8]) -> String {
        Cryptography.hexadecimal(digest(of: message))
    }
}

/// Lower-case hexadecimal digits of bytes, two each.
public func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    var text: [UInt8] = []
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] { text.append(digit < 10 ? 48 + digit : 87 + digit) }
    }
    return String(decoding: text, as: UTF8.self)
}
