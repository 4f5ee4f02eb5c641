#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Primitives

/// Hosts and ports as libosip2 cuts them out, which looks into neither.
enum HostSyntax {
    /// A host name, IPv4 or IPv6 address; brackets are taken off (RFC 5118 §4.5 shows `received` with them and without).
    static func host(_ text: UnsafeMutablePointer<CChar>) -> String? {
        let bytes = UnsafeRawBufferPointer(start: text, count: strlen(text))
        guard let first = bytes.first, bytes.count <= 255 else { return nil }
        if bytes.allSatisfy({ OctetClass.host.contains($0) }) {
            return first == 46 ? nil : String(decoding: bytes, as: UTF8.self)
        }
        let isBracketed = first == 91
        guard bytes.contains(58), !isBracketed || bytes[bytes.count - 1] == 93 else { return nil }
        let inner = isBracketed ? UnsafeRawBufferPointer(rebasing: bytes[1..<bytes.count - 1]) : bytes
        let host = String(decoding: inner, as: UTF8.self)
        return IPAddress(host) == nil || host.utf8.first == 91 ? nil : host
    }

    static func port(_ text: UnsafeMutablePointer<CChar>) -> UInt16? {
        var result = 0
        var index = 0
        while text[index] != 0 {
            let byte = UInt8(bitPattern: text[index])
            guard byte &- 48 < 10, index < 5 else { return nil }
            result = result * 10 + Int(byte &- 48)
            index += 1
        }
        return index > 0 && result > 0 ? UInt16(exactly: result) : nil
    }
}
