/// Where a request goes after its Route headers were read (RFC 3261 §16.4, §16.6 steps 6 and 7).
public struct RequestRoute: Equatable, Sendable {
    /// The Request-URI after a strict router's change was undone; for a request outside a dialog the policy's matter.
    public var requestURI: URI
    /// What is left of the Routes, first hop first.
    public var routes: [NameAddress]
    /// Our own Routes that were taken off, in order; their parameters are what we wrote into Record-Route.
    public var ownRoutes: [URI]
    /// The Request-URI is not as it came.
    public var replacesRequestURI: Bool

    /// The URI whose address the request is sent to.
    public var nextHop: URI { routes.first?.uri ?? requestURI }

    /// Puts the outcome into an edit of the request, with the last router's strictness respected: §16.6 step 6, "If the
    /// first value in the Route header field … does not contain an lr parameter, the proxy MUST modify the request".
    public func apply(to edit: inout ForwardingEdit, of request: Message) {
        var uri = requestURI
        var remaining = routes
        if let first = routes.first, first.uri.parameters[parameter: "lr"] == nil {
            remaining = routes.dropFirst() + [NameAddress(uri: requestURI)]
            uri = first.uri.strippedForRequest
        }
        if replacesRequestURI || uri != requestURI { edit.requestURI = uri }
        if remaining == request.routes { return }
        if remaining == Array(request.routes.dropFirst()) {
            edit.removesFirstRoute = true
        } else if remaining.isEmpty {
            edit.removed.insert(.route)
        } else {
            edit.headers.append((.route, remaining.map(\.description).joined(separator: ", ")))
        }
    }
}

extension ProxyCore {
    /// §16.4, for a request that `validate` let through.
    public func route(_ request: Message) -> RequestRoute? {
        guard var uri = request.requestURI else { return nil }
        var routes = request.routes
        var own: [URI] = []
        var replaces = false
        // "If the Request-URI of the request contains a value this proxy previously placed into a Record-Route header
        // field …, the proxy MUST replace the Request-URI in the request with the last value from the Route header
        // field, and remove that value from the Route header field." Ours have lr and no user.
        if isOwn(uri), uri.user == nil, uri.parameters[parameter: "lr"] != nil, let last = routes.popLast() {
            own.append(uri)
            uri = last.uri
            replaces = true
        }
        // "If the first value in the Route header field indicates this proxy, the proxy MUST remove that value from the
        // request." Two stand there where the transport or family changes (RFC 5658).
        while let first = routes.first, isOwn(first.uri) {
            own.append(first.uri)
            routes.removeFirst()
        }
        return RequestRoute(requestURI: uri, routes: routes, ownRoutes: own, replacesRequestURI: replaces)
    }
}
