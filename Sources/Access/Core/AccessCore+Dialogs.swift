import Primitives
import Routing
import SIP

/// Requests inside dialogs. This node keeps no dialogs: everything that it needs is in the request.
extension AccessCore {
    private enum Target {
        case to(CenterIndex?, Flow, hasToken: Bool)
        case refused(Int, RefusalReason, phrase: String?)
    }

    mutating func forwardInDialog(
        _ request: Message, _ id: ServerTransactionID, _ flow: Flow, _ route: RequestRoute
    ) {
        let (target, isFromCenter) = dialogTarget(request, flow, route)
        switch target {
        case .to(let center, let outbound, let hasToken):
            if request.method == .invite {
                transactions.trying(id, request: request, from: flow, now: now, into: &outputs)
            }
            open(
                request, id, flow, route, isFromCenter ? .caller(hasToken: hasToken) : .dialog,
                target: (center, outbound))
        case .refused(let status, let reason, let phrase):
            let headers: [(HeaderName, String)] =
                status == 503 ? [(.retryAfter, String(settings.retryAfter_s))] : []
            reject(request, id, flow, status, reason, phrase: phrase, headers: headers)
        }
    }

    /// A request of a center outside any dialog.
    mutating func forwardToCaller(
        _ request: Message, _ id: ServerTransactionID, _ flow: Flow, _ route: RequestRoute
    ) {
        switch callerTarget(request, route) {
        case .to(let center, let outbound, let hasToken):
            if request.method == .invite {
                transactions.trying(id, request: request, from: flow, now: now, into: &outputs)
            }
            open(
                request, id, flow, route, .caller(hasToken: hasToken), target: (center, outbound))
        case .refused(let status, let reason, let phrase): reject(request, id, flow, status, reason, phrase: phrase)
        }
    }

    /// §16.11 and §13.2.2.4: the ACK for a 2xx is a request of its own, which nobody answers: it is sent on once for
    /// each time it comes, or dropped.
    mutating func forwardACK(_ ack: Message, _ flow: Flow) {
        // What was refused without a transaction is acknowledged to a tag of this node's.
        if ack.toTag(startsWith: ownTagPrefix) { return }
        guard proxy.validate(ack) == nil, let route = proxy.route(ack), ack.hasToTag else {
            return counters.count(.stray)
        }
        guard case .to(let center, var outbound, _) = dialogTarget(ack, flow, route).target else {
            return counters.count(.stray)
        }
        let branch = proxy.statelessBranch(for: ack)
        var edit = ForwardingEdit(
            via: listeners.via(for: outbound, branch: branch), source: flow.remote,
            removed: removals(from: flow, to: outbound))
        route.apply(to: &edit, of: ack)
        var bytes = edit.apply(to: ack)
        if bytes.count > settings.datagramLimit, outbound.transport == .udp, let center,
            let tcp = ways(of: center).tcp
        {
            outbound = tcp
            edit.via = listeners.via(for: outbound, branch: branch)
            bytes = edit.apply(to: ack)
        }
        send(bytes, outbound)
    }

    /// Where a request inside a dialog goes, and whether it comes from a center.
    private mutating func dialogTarget(
        _ request: Message, _ flow: Flow, _ route: RequestRoute
    ) -> (target: Target, isFromCenter: Bool) {
        // Most name their center, and then it does not matter who sent them, unless a token says more.
        if !route.hasToken, let target = namedCenter(route.hop) { return (target, false) }
        return isFromCenter(request, flow)
            ? (callerTarget(request, route), true) : (centerTarget(request, route), false)
    }

    // MARK: Towards centers

    /// The live center that a URI names.
    private func namedCenter(_ hop: Hop?) -> Target? {
        guard let hop, let endpoint = hop.endpoint, let center = chooser.liveCenter(at: endpoint) else { return nil }
        guard let transport = hop.transport else {
            return .refused(480, .address, phrase: "Transport Not Spoken")
        }
        if transport == .tcp, let outbound = listeners.flow(to: endpoint, by: .tcp, preferring: nil) {
            return .to(center, outbound, hasToken: false)
        }
        guard let outbound = listeners.flow(to: endpoint, by: .udp, preferring: nil) else {
            return .refused(480, .address, phrase: "No Listener Of That Family")
        }
        return .to(center, outbound, hasToken: false)
    }

    /// The center for a request of a caller: who the Request-URI or the next Route names, if it lives; else who made the
    /// To tag, if that incarnation lives; else a live one by the Call-ID, which finds the session in the store.
    /// Never anything but a center: this node relays nothing else from outside.
    private mutating func centerTarget(_ request: Message, _ route: RequestRoute) -> Target {
        if let target = namedCenter(route.hop) { return target }
        let node = request.to.tag.flatMap { $0.utf8.contains(46) ? NodeTag($0) : nil }
        let owner = node.flatMap { chooser.liveCenter(named: $0.node, incarnation: $0.incarnation) }
        // A dialog that no center made, at an address that is not ours, would be somebody else's.
        guard owner != nil || node != nil || isOurs(route.hop) || isCenter(route.hop) else {
            return .refused(403, .relay, phrase: "Not Served Here")
        }
        guard let center = owner ?? chooser.center(hashing: request.callID, now: now),
            let outbound = ways(of: center).udp
        else { return .refused(503, .noCenter, phrase: nil) }
        return .to(center, outbound, hasToken: false)
    }

    // MARK: Towards callers

    /// Where a center's request to a caller goes: by the flow in our Record-Route, or to the address of the next hop.
    private func callerTarget(_ request: Message, _ route: RequestRoute) -> Target {
        for own in route.ownRoutes.reversed() {
            guard let token = own.parameters[parameter: "t"]?.value else { continue }
            // RFC 5626 §5.3: a token that was changed, or is of another group of nodes, leads to no flow.
            guard let flow = tokens.flow(of: token) else {
                return .refused(430, .flow, phrase: nil)
            }
            return .to(nil, flow, hasToken: true)
        }
        if let hop = route.hop, proxy.isOwn(hop) { return .refused(482, .loop, phrase: nil) }
        guard let hop = route.hop, let endpoint = hop.endpoint else {
            return .refused(480, .address, phrase: "No Numeric Address")
        }
        guard let transport = hop.transport else {
            return .refused(480, .address, phrase: "Transport Not Spoken")
        }
        let preferred = route.ownRoutes.last.flatMap { own in
            Hop(own)?.transport == transport ? listeners.listener(named: own, transport: transport) : nil
        }
        guard let flow = listeners.flow(to: endpoint, by: transport, preferring: preferred) else {
            return .refused(480, .address, phrase: "No Listener Of That Family")
        }
        return .to(chooser.center(at: endpoint), flow, hasToken: false)
    }
}
