/// Where a request goes after its Route headers were read (RFC 3261 §16.4, §16.6 steps 6 and 7).
public struct RequestRoute: Sendable {
    /// What the Routes came to. Nearly all requests have none, or one that is our own; for them nothing is kept.
    private enum Outcome: Sendable {
        case noRoutes
        /// One Route was there, and it was our own.
        case ownRouteOnly
        indirect case read(Reading)
    }

    fileprivate struct Reading: Sendable {
        var requestURI: URI
        var routes: [NameAddress]
        var ownRoutes: [URI] = []
        var replacesRequestURI = false
    }

    private let request: Message
    private let outcome: Outcome
    /// Where the request is sent to, as far as that is a SIP or SIPS URI.
    public let hop: Hop?

    fileprivate init(_ request: Message, _ requestHop: Hop?, hasOwnRoute: Bool) {
        self.request = request
        outcome = hasOwnRoute ? .ownRouteOnly : .noRoutes
        hop = requestHop
    }

    fileprivate init(_ request: Message, _ reading: Reading) {
        self.request = request
        outcome = .read(reading)
        hop = Hop(reading.routes.first?.uri ?? reading.requestURI)
    }

    private var reading: Reading? { if case .read(let reading) = outcome { reading } else { nil } }

    /// The Request-URI after a strict router's change was undone; for a request outside a dialog the policy's matter.
    public var requestURI: URI {
        guard let uri = reading?.requestURI ?? request.requestURI else { preconditionFailure("a request has a URI") }
        return uri
    }

    /// Whether the Request-URI has a user, or a number.
    public var namesUser: Bool {
        if let hop, !hasRoutes { return hop.hasUser }
        return !(requestURI.user ?? "").isEmpty
    }

    /// What is left of the Routes, first hop first.
    public var routes: [NameAddress] { reading?.routes ?? [] }
    public var hasRoutes: Bool { reading.map { !$0.routes.isEmpty } ?? false }

    /// Our own Routes that were taken off, in order; their parameters are what we wrote into Record-Route.
    public var ownRoutes: [URI] {
        switch outcome {
        case .noRoutes: []
        case .ownRouteOnly: request.routes.map(\.uri)
        case .read(let reading): reading.ownRoutes
        }
    }

    /// Whether one of our own Routes has a token of ours (`ProxyCore.recordRoute`).
    public var hasToken: Bool {
        switch outcome {
        case .noRoutes: false
        case .ownRouteOnly: request.firstRouteHasToken
        case .read(let reading): reading.ownRoutes.contains { $0.parameters[parameter: "t"] != nil }
        }
    }

    /// The URI whose address the request is sent to.
    public var nextHop: URI { reading?.routes.first?.uri ?? requestURI }

    /// Puts the outcome into an edit of the request, with the last router's strictness respected: §16.6 step 6, "If the
    /// first value in the Route header field … does not contain an lr parameter, the proxy MUST modify the request".
    public func apply(to edit: inout ForwardingEdit, of request: Message) {
        switch outcome {
        case .noRoutes: break
        case .ownRouteOnly: edit.removesFirstRoute = true
        case .read(let reading): reading.apply(to: &edit, of: request)
        }
    }
}

extension RequestRoute.Reading {
    fileprivate func apply(to edit: inout ForwardingEdit, of request: Message) {
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

extension Message {
    /// The first Route of a plain message has the parameter that `ProxyCore.recordRoute` writes a token into.
    fileprivate var firstRouteHasToken: Bool {
        read { PlainParameters.value(of: "t", in: places.firstRoute.uri.parameters, of: $0) != nil }
    }
}

extension ProxyCore {
    /// §16.4, for a request that `validate` let through.
    public func route(_ request: Message) -> RequestRoute? {
        let hop = request.requestHop
        if request.eager == nil, request.isRequest {
            if request.places.routeCount == 0 { return RequestRoute(request, hop, hasOwnRoute: false) }
            if request.places.routeCount == 1, let hop, !mayBeStrictlyRouted(hop),
                isOwn(request.read { Hop(request.places.firstRoute.uri, in: $0) })
            {
                return RequestRoute(request, hop, hasOwnRoute: true)
            }
        }
        guard let uri = request.requestURI else { return nil }
        var reading = RequestRoute.Reading(requestURI: uri, routes: request.routes)
        // "If the Request-URI of the request contains a value this proxy previously placed into a Record-Route header
        // field …, the proxy MUST replace the Request-URI in the request with the last value from the Route header
        // field, and remove that value from the Route header field." Ours have lr and no user.
        if let hop, mayBeStrictlyRouted(hop), let last = reading.routes.popLast() {
            reading.ownRoutes.append(uri)
            reading.requestURI = last.uri
            reading.replacesRequestURI = true
        }
        // "If the first value in the Route header field indicates this proxy, the proxy MUST remove that value from the
        // request." Two stand there where the transport or family changes (RFC 5658).
        while let first = reading.routes.first, isOwn(first.uri) {
            reading.ownRoutes.append(first.uri)
            reading.routes.removeFirst()
        }
        return RequestRoute(request, reading)
    }

    private func mayBeStrictlyRouted(_ requestURI: Hop) -> Bool {
        requestURI.isLoose && !requestURI.hasUser && isOwn(requestURI)
    }
}
