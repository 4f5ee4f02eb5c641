import Primitives

#if canImport(Glibc)
    import Glibc
#endif

/// `HOST:PORT` as it is typed: an address of either family, or a name that is looked up once.
struct HostPort: Equatable {
    /// What is wrong with a name, in the resolver's own words.
    struct Unresolved: Error, Equatable, CustomStringConvertible {
        var host: String
        var reason: String
        var description: String { "\(host) has no address: \(reason)" }
    }

    /// Without brackets.
    let host: String
    let port: UInt16

    /// Nil where host or port is missing, or the host is neither an address nor a name (RFC 1123 §2.1).
    init?(_ text: String) {
        if let endpoint = Endpoint(text) {
            guard endpoint.port > 0 else { return nil }
            (host, port) = (endpoint.address.description, endpoint.port)
            return
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let port = UInt16(parts[1]), port > 0, Self.isName(parts[0]) else { return nil }
        (host, self.port) = (String(parts[0]), port)
    }

    private static func isName(_ text: Substring) -> Bool {
        let labels = (text.hasSuffix(".") ? text.dropLast() : text).split(
            separator: ".", omittingEmptySubsequences: false)
        // Numbers alone are a broken address, which the resolver would take for something else.
        guard text.utf8.count <= 253, text.contains(where: \.isLetter) else { return false }
        return labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.utf8.allSatisfy { byte in
                    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                        || byte == 45 || byte == 95
                }
        }
    }

    /// The address that the system puts first (RFC 6724), of one family if `isV6` says which.
    ///
    /// - Parameter lookUp: all addresses of a name, first choice first.
    func endpoint(
        isV6: Bool? = nil, lookUp: (String) throws(Unresolved) -> [IPAddress] = HostPort.addresses
    ) throws(Unresolved) -> Endpoint {
        if let address = IPAddress(host) { return Endpoint(address, port: port) }
        // The nodes of the shipped profiles listen at 127.0.0.1 alone, wherever this name leads first.
        if host == "localhost", isV6 != true { return Endpoint(.v4(0x7F00_0001), port: port) }
        let found = try lookUp(host)
        guard let address = found.first(where: { isV6 == nil || $0.isV6 == isV6 }) else {
            let family = isV6.map { $0 ? "IPv6" : "IPv4" } ?? "any"
            throw Unresolved(host: host, reason: "none of \(family)")
        }
        return Endpoint(address, port: port)
    }

    /// Asks the system: /etc/hosts, DNS, or what else nsswitch.conf names. Waits for the answer.
    static func addresses(of name: String) throws(Unresolved) -> [IPAddress] {
        var wanted = addrinfo()
        wanted.ai_family = AF_UNSPEC
        wanted.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(name, nil, &wanted, &first)
        guard code == 0 else {
            throw Unresolved(host: name, reason: String(cString: gai_strerror(code)).lowercased())
        }
        defer { freeaddrinfo(first) }
        var addresses: [IPAddress] = []
        var next = first
        while let entry = next {
            if let address = address(of: entry.pointee) { addresses.append(address) }
            next = entry.pointee.ai_next
        }
        return addresses
    }

    private static func address(of entry: addrinfo) -> IPAddress? {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard
            getnameinfo(
                entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
        else { return nil }
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        // A zone (fe80::1%eth0) has no place in an address here.
        return IPAddress(String(decoding: bytes, as: UTF8.self))
    }
}
