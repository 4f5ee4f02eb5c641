import Primitives

/// The decisions of a proxy about one request, without state of calls (RFC 3261 §16.3, §16.4, §16.6): what is wrong
/// with it, which Routes are our own, where it goes next, and what Via and Record-Route it leaves with.
public struct ProxyCore: Sendable {
    /// A host and port by which requests and Routes name this proxy.
    public struct OwnAddress: Hashable, Sendable {
        /// As in URIs: a lower-case name, IPv4, or IPv6 without brackets.
        public var host: String
        public var port: UInt16

        public init(host: String, port: UInt16) {
            self.host = host.lowercased()
            self.port = port
        }
    }

    private let own: Set<OwnAddress>
    /// Those of `own` that are numbers; there are a few.
    private let ownEndpoints: [Endpoint]
    private let supported: [String]
    private let seed: UInt64
    private var random: SeededRandom

    /// - Parameters:
    ///   - own: every name and address that this proxy is reached by, its listeners' first of all.
    ///   - supported: option tags that may stand in Proxy-Require.
    public init(own: [OwnAddress], supported: [String] = [], random: SeededRandom) {
        var random = random
        self.own = Set(own)
        ownEndpoints = Set(own).compactMap { address in
            IPAddress(address.host).map { Endpoint($0, port: address.port) }
        }
        self.supported = supported
        seed = random.next()
        self.random = random
    }

    /// Whether a URI's host and port (5060 by default, 5061 for sips) name this proxy.
    public func isOwn(_ uri: URI) -> Bool {
        guard uri.scheme == .sip || uri.scheme == .sips else { return false }
        return own.contains(OwnAddress(host: uri.host, port: uri.port ?? (uri.scheme == .sips ? 5061 : 5060)))
    }

    /// The same of a hop.
    public func isOwn(_ hop: Hop) -> Bool { isOwn(hop.host, port: hop.port ?? (hop.isSecure ? 5061 : 5060)) }

    /// The same of a host and a port.
    public func isOwn(_ host: Hop.Host, port: UInt16) -> Bool {
        switch host {
        case .address(let address):
            for endpoint in ownEndpoints where endpoint.port == port && endpoint.address == address { return true }
            return false
        case .name(let name): return own.contains(OwnAddress(host: name, port: port))
        }
    }

    /// §16.3: nil when the request may be forwarded.
    public func validate(_ request: Message) -> Rejection? {
        // Step 2: "If the Request-URI has a URI whose scheme is not understood by the proxy, the proxy SHOULD reject
        // the request with a 416".
        if case .other? = request.eager?.requestURI?.scheme { return Rejection(416) }
        // Step 3: "If the request contains a Max-Forwards header field with a field value of zero (0), the element MUST
        // NOT forward the request … If the request was for OPTIONS, the element MAY act as the final recipient";
        // "Otherwise, the element MUST return a 483".
        if request.maxForwards == 0 { return Rejection(483) }
        // Step 4.
        if isLooping(request) { return Rejection(482) }
        // Step 5: "the element MUST return a 420 (Bad Extension) response … MUST include an Unsupported header field
        // listing those option-tags the element did not understand." Neither ACK nor CANCEL is rejected by it.
        guard request.method != .ack, request.method != .cancel, request.has(.proxyRequire) else { return nil }
        let missing = request.tokens(of: .proxyRequire).filter { tag in
            !supported.contains { $0.equalsIgnoringCase(tag) }
        }
        return missing.isEmpty ? nil : Rejection(420, headers: [(.unsupported, missing.joined(separator: ", "))])
    }

    /// A branch for a request of the proxy's own.
    public mutating func newBranch() -> String { BranchText.make(random.next(), mark: nil) }

    /// A branch for a request that is forwarded with a transaction: unique, with the loop mark of §16.6 step 8.
    public mutating func branch(for request: Message) -> String {
        BranchText.make(random.next(), mark: loopMark(of: request))
    }

    /// A branch for a request that is forwarded without a transaction, such as the ACK for a 2xx. Repetitions get the
    /// same one (§16.11).
    public func statelessBranch(for request: Message) -> String {
        var hash = SeededHash(seed: ~seed)
        request.withTopVia { via in
            hash.combine(via.branch)
            hash.combine(via.host)
            hash.combine(UInt64(via.port))
        }
        request.read { hash.combine(request.places.callID.bytes(in: $0)) }
        hash.combine(UInt64(request.places.cseqNumber) << 8 | request.method.hashCode)
        return BranchText.make(hash.value, mark: loopMark(of: request))
    }

    /// Step 4: a Via of ours whose branch has the mark that this request would get now means that nothing changed since
    /// it was here; with another mark it is a spiral, which is legitimate. As RFC 5393 §4.2 demands, the mark covers
    /// what routing decides by, and no Via.
    private func isLooping(_ request: Message) -> Bool {
        // Most come straight from a phone, whose Via is none of ours.
        if request.viaCount == 1, request.withTopVia({ via in !isOwn(via) }) { return false }
        for via in request.via {
            guard own.contains(OwnAddress(host: via.host, port: via.port ?? 5060)),
                let mark = via.branch.flatMap(BranchText.mark)
            else { continue }
            if mark == loopMark(of: request) { return true }
        }
        return false
    }

    private func isOwn(_ via: Message.TopVia) -> Bool {
        let host =
            IPAddress(dottedQuad: via.host).map(Hop.Host.address) ?? .name(String(decoding: via.host, as: UTF8.self))
        return isOwn(host, port: via.port == 0 ? 5060 : via.port)
    }

    private func loopMark(of request: Message) -> UInt64 {
        var hash = SeededHash(seed: seed)
        request.read { bytes in
            if request.eager == nil, request.places.routeCount <= 1 {
                combine(request.places.requestURI, bytes, into: &hash, withUser: true)
                if request.places.routeCount == 1 {
                    combine(request.places.firstRoute.uri, bytes, into: &hash, withUser: false)
                }
            } else {
                if let uri = request.requestURI { combine(uri, into: &hash, withUser: true) }
                for route in request.routes { combine(route.uri, into: &hash, withUser: false) }
            }
            hash.combine(request.places.callID.bytes(in: bytes))
        }
        hash.combine(UInt64(request.places.cseqNumber))
        return hash.value
    }

    /// Gives the same as the URI that would be made of it.
    private func combine(
        _ uri: URIPlaces, _ bytes: UnsafeRawBufferPointer, into hash: inout SeededHash, withUser: Bool
    ) {
        if withUser { hash.combine(uri.user.bytes(in: bytes)) }
        hash.combine(uri.host.bytes(in: bytes))
        hash.combine(UInt64(uri.port))
    }

    private func combine(_ uri: URI, into hash: inout SeededHash, withUser: Bool) {
        if withUser { hash.combine(uri.user ?? "") }
        hash.combine(uri.host)
        hash.combine(UInt64(uri.port ?? 0))
    }

    /// A Record-Route value (§16.6 step 4), loose by its `lr`, without a user so that it is known again.
    /// - Parameter token: travels with the dialog's requests back to us as parameter `t`; letters, digits, `-._~` only.
    public static func recordRoute(_ address: OwnAddress, transport: Transport, token: String? = nil) -> NameAddress {
        var parameters: [Parameter] = []
        switch transport {
        case .udp: break
        case .tcp: parameters.append(Parameter("transport", "tcp"))
        case .tls: parameters.append(Parameter("transport", "tls"))
        case .ws, .wss: parameters.append(Parameter("transport", "ws"))
        case .other(let name): parameters.append(Parameter("transport", name.lowercased()))
        }
        parameters.append(Parameter("lr"))
        if let token { parameters.append(Parameter("t", token)) }
        return NameAddress(uri: URI(host: address.host, port: address.port, parameters: parameters))
    }
}
