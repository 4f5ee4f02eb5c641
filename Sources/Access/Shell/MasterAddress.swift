import Primitives

#if canImport(Glibc)
    import Glibc
#endif

/// Where a master is, as the profile says it: `http://HOST:PORT`.
struct MasterAddress: Hashable, Sendable, CustomStringConvertible {
    let host: String
    let port: UInt16

    init?(_ url: String) {
        guard url.hasPrefix("http://") else { return nil }
        let place = url.dropFirst(7)
        guard let colon = place.lastIndex(of: ":"), let port = UInt16(place[place.index(after: colon)...]) else {
            return nil
        }
        host = String(place[..<colon])
        self.port = port
    }

    var description: String { "\(host):\(port)" }

    struct Unknown: Error, CustomStringConvertible {
        let description: String
    }

    /// The address now; names are looked up each time, since what they name may move. Not for a loop's thread.
    func endpoint() throws(Unknown) -> Endpoint {
        if let address = IPAddress(host) { return Endpoint(address, port: port) }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &found)
        defer { if let found { freeaddrinfo(found) } }
        guard code == 0 else { throw Unknown(description: "\(host): \(String(cString: gai_strerror(code)))") }
        var next = found
        while let entry = next?.pointee {
            if let address = IPAddress(entry) { return Endpoint(address, port: port) }
            next = entry.ai_next
        }
        throw Unknown(description: "\(host): has no address")
    }
}

extension IPAddress {
    fileprivate init?(_ entry: addrinfo) {
        guard let address = entry.ai_addr else { return nil }
        switch entry.ai_family {
        case AF_INET:
            let bits = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_addr.s_addr }
            self = .v4(UInt32(bigEndian: bits))
        case AF_INET6:
            let halves = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { socket in
                withUnsafeBytes(of: socket.pointee.sin6_addr) {
                    ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                }
            }
            self = .v6(UInt64(bigEndian: halves.0), UInt64(bigEndian: halves.1))
        default: return nil
        }
    }
}
