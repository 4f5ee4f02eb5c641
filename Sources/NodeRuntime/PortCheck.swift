import NetworkIO
import Primitives
import Profiles

#if canImport(Glibc)
    import Glibc
#endif

/// Finds ports that another process holds before a start that takes seconds goes on: it binds each and lets go again.
public enum PortCheck {
    public static func run(_ common: CommonProfile) throws(NodeFailure) {
        var problems: [String] = []
        for (index, listener) in common.sip.listeners.enumerated() {
            if let reason = refusal(listener.endpoint, isStream: listener.transport == .tcp) {
                problems.append("\(common.name): sip.listen[\(index)]: \(listener): \(reason)")
            }
        }
        if let reason = refusal(common.http, isStream: true) {
            problems.append("\(common.name): http: \(common.http): \(reason)")
        }
        // One process that holds a port usually holds all of them: the first says it.
        if let first = problems.first { throw .usage(first) }
    }

    /// Why the endpoint cannot be bound; nil when it can.
    private static func refusal(_ endpoint: Endpoint, isStream: Bool) -> String? {
        let kind = isStream ? SOCK_STREAM : SOCK_DGRAM
        let descriptor = socket(endpoint.address.isV6 ? AF_INET6 : AF_INET, Int32(kind.rawValue), 0)
        guard descriptor >= 0 else { return String(cString: strerror(errno)) }
        defer { close(descriptor) }
        var yes: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        // As the real listeners have it: connections that linger must not keep a server from coming back.
        if isStream { setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, size) }
        if endpoint.address.isV6 { setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &yes, size) }
        let outcome = bind(descriptor, to: endpoint)
        guard outcome != 0 else { return nil }
        return outcome == EADDRINUSE ? "the port is in use by another process" : String(cString: strerror(outcome))
    }

    /// 0 or errno.
    private static func bind(_ descriptor: Int32, to endpoint: Endpoint) -> Int32 {
        switch endpoint.address {
        case .v4(let bits):
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = endpoint.port.bigEndian
            address.sin_addr.s_addr = bits.bigEndian
            return withUnsafeBytes(of: &address) { bind(descriptor, $0) }
        case .v6(let high, let low):
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = endpoint.port.bigEndian
            withUnsafeMutableBytes(of: &address.sin6_addr) { bytes in
                bytes.storeBytes(of: high.bigEndian, as: UInt64.self)
                bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            return withUnsafeBytes(of: &address) { bind(descriptor, $0) }
        }
    }

    private static func bind(_ descriptor: Int32, _ address: UnsafeRawBufferPointer) -> Int32 {
        guard let base = address.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return EINVAL }
        return Glibc.bind(descriptor, base, socklen_t(address.count)) == 0 ? 0 : errno
    }
}
