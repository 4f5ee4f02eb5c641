import Primitives
import SIP

/// Writes the flow that a caller came by into Record-Route, and reads it back from the Route of a request towards that
/// caller (RFC 5626 §5.2). Callers see their tokens, so tokens are sealed: nobody can make one for another flow.
///
/// A token of a connection holds for this incarnation only, because connection numbers start anew; a token of a UDP
/// source holds as long as the key, at every access node of the group.
public struct FlowTokens: Sendable {
    /// A keyed hash of at least `sealLength` bytes; the key never enters the core.
    public typealias Seal = @Sendable ([UInt8]) -> [UInt8]

    /// 80 bits: forging one takes 2⁷⁹ requests on average.
    static let sealLength = 10

    private let incarnation: [UInt8]
    private let seal: Seal

    public init(incarnation: String, seal: @escaping Seal) {
        self.incarnation = Array(incarnation.utf8)
        self.seal = seal
    }

    /// 32 characters for IPv4, 48 for IPv6, of the base64 alphabet for URLs. Nil for a flow that no token can carry.
    func token(for flow: Flow) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(40)
        switch flow.transport {
        case .udp: bytes.append(0)
        case .tcp: bytes.append(1)
        case .tls, .ws, .wss, .other: return nil
        }
        guard flow.listener <= 255, flow.connection < 1 << 48 else { return nil }
        bytes.append(UInt8(flow.listener))
        bytes.append(bigEndian: flow.connection, count: 6)
        bytes.append(bigEndian: UInt64(flow.remote.port), count: 2)
        switch flow.remote.address {
        case .v4(let bits): bytes.append(bigEndian: UInt64(bits), count: 4)
        case .v6(let high, let low):
            bytes.append(bigEndian: high, count: 8)
            bytes.append(bigEndian: low, count: 8)
        }
        bytes += signature(of: bytes)
        return Base64URL.encode(bytes)
    }

    /// Nil for what this node, or one of its group, did not write.
    func flow(of token: String) -> Flow? {
        guard let bytes = Base64URL.decode(token), bytes.count == 24 || bytes.count == 36 else { return nil }
        let content = Array(bytes.dropLast(Self.sealLength))
        let expected = signature(of: content)
        // Every byte is compared, so that the time says nothing about how many were right.
        var difference: UInt8 = 0
        for (given, wanted) in zip(bytes.suffix(Self.sealLength), expected) { difference |= given ^ wanted }
        guard difference == 0, content[0] <= 1 else { return nil }
        let connection = content.integer(at: 2, count: 6)
        let port = UInt16(truncatingIfNeeded: content.integer(at: 8, count: 2))
        let address: IPAddress =
            content.count == 14
            ? .v4(UInt32(truncatingIfNeeded: content.integer(at: 10, count: 4)))
            : .v6(content.integer(at: 10, count: 8), content.integer(at: 18, count: 8))
        return Flow(
            transport: content[0] == 0 ? .udp : .tcp, remote: Endpoint(address, port: port),
            listener: UInt16(content[1]), connection: connection)
    }

    private func signature(of content: [UInt8]) -> ArraySlice<UInt8> {
        let sealed = seal(content[0] == 0 ? content : content + incarnation)
        precondition(sealed.count >= Self.sealLength, "a seal of \(sealed.count) bytes is too short")
        return sealed.prefix(Self.sealLength)
    }
}

extension [UInt8] {
    fileprivate mutating func append(bigEndian value: UInt64, count: Int) {
        for index in 0..<count { append(UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - index)))) }
    }

    fileprivate func integer(at offset: Int, count: Int) -> UInt64 {
        self[offset..<offset + count].reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// RFC 4648 §5, without padding.
private enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// `bytes.count` is a multiple of three.
    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count / 3 * 4)
        for start in stride(from: 0, to: bytes.count - 2, by: 3) {
            let bits = UInt32(bytes[start]) << 16 | UInt32(bytes[start + 1]) << 8 | UInt32(bytes[start + 2])
            for shift in [18, 12, 6, 0] as [UInt32] { text.append(alphabet[Int(bits >> shift & 63)]) }
        }
        return String(decoding: text, as: UTF8.self)
    }

    static func decode(_ text: String) -> [UInt8]? {
        guard text.utf8.count % 4 == 0, text.utf8.count <= 64 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count / 4 * 3)
        var bits: UInt32 = 0
        for (index, byte) in text.utf8.enumerated() {
            guard let value = value(of: byte) else { return nil }
            bits = bits << 6 | value
            guard index % 4 == 3 else { continue }
            for shift in [16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
            bits = 0
        }
        return bytes
    }

    private static func value(of byte: UInt8) -> UInt32? {
        switch byte {
        case 65...90: UInt32(byte) - 65
        case 97...122: UInt32(byte) - 71
        case 48...57: UInt32(byte) + 4
        case 45: 62
        case 95: 63
        default: nil
        }
    }
}
