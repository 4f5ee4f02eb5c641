import Primitives

/// What transactions and proxies ask of every message, answered from the bytes where it is plain, so that no value is
/// made for it.
extension Message {
    /// The topmost Via, lent for a call.
    struct TopVia {
        /// Empty without one.
        let branch: UnsafeRawBufferPointer
        let host: UnsafeRawBufferPointer
        /// 0 for none.
        let port: UInt16
        let rport: Via.ReturnPort

        /// `Via.hasMagicCookie`.
        var hasMagicCookie: Bool {
            let cookie = Via.cookie
            guard branch.count > cookie.utf8CodeUnitCount else { return false }
            return HeaderSyntax.equals(branch, 0..<cookie.utf8CodeUnitCount, cookie)
        }
    }

    @inline(__always)
    func withTopVia<Result>(_ body: (TopVia) -> Result) -> Result {
        if let eager {
            guard let via = eager.via.first else { preconditionFailure("a parsed message has a Via") }
            var (branch, host) = (via.branch ?? "", via.host)
            return branch.withUTF8 { branch in
                host.withUTF8 { host in
                    body(
                        TopVia(
                            branch: UnsafeRawBufferPointer(branch), host: UnsafeRawBufferPointer(host),
                            port: via.port ?? 0, rport: via.rport))
                }
            }
        }
        return read { bytes in
            body(
                TopVia(
                    branch: places.topVia.branch.bytes(in: bytes), host: places.topVia.host.bytes(in: bytes),
                    port: places.topVia.port, rport: places.topVia.rport))
        }
    }

    /// The host of the topmost Via, where that is an address.
    var sentBy: IPAddress? {
        if let eager { return eager.via.first.flatMap { IPAddress($0.host) } }
        return read { IPAddress(dottedQuad: places.topVia.host.bytes(in: $0)) }
    }

    /// The topmost Via has neither `received` nor `rport`; for sure only where this is true.
    var topViaIsBare: Bool { eager == nil && places.topVia.received.isEmpty && places.topVia.rport == .absent }

    /// How many Via values there are.
    var viaCount: Int { places.viaCount }

    /// Whether it belongs to a dialog, or wants to (RFC 3261 §12.2).
    public var hasToTag: Bool {
        if let eager { return eager.to.tag != nil }
        return !places.to.tag.isEmpty
    }

    public func toTag(startsWith prefix: [UInt8]) -> Bool {
        if let eager { return eager.to.tag?.utf8.starts(with: prefix) ?? false }
        return read { places.to.tag.bytes(in: $0).starts(with: prefix) }
    }

    /// Where the Request-URI points; nil for a response and for schemes other than SIP and SIPS.
    public var requestHop: Hop? {
        guard isRequest else { return nil }
        if let eager { return eager.requestURI.flatMap { Hop($0) } }
        return read { Hop(places.requestURI, in: $0) }
    }

    /// Where requests towards this request's sender go in a dialog: its first Record-Route, else its Contact (§12.1.1).
    public var senderHop: Hop? {
        if let eager { return (eager.recordRoutes.first ?? eager.contacts.first).flatMap { Hop($0.uri) } }
        if places.recordRouteCount > 0 { return read { Hop(places.firstRecordRoute.uri, in: $0) } }
        if places.contactCount > 0 { return read { Hop(places.firstContact.uri, in: $0) } }
        return nil
    }
}

extension Via {
    static var cookie: StaticString { "z9hg4bk" }
}
