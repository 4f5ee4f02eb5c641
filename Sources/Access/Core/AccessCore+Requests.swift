import Primitives
import Routing
import SIP
import Session

/// Requests as they come in: who may send what, and what is answered here.
extension AccessCore {
    /// Methods that this node knows; those that need a dialog or a line are told apart later.
    private static let agent = UserAgentCore(
        allow: [.invite, .ack, .cancel, .bye, .options, .info, .update, .prack, .notify, .refer, .message],
        accept: ["application/sdp"])
    private static let allow = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK"

    /// What is decided before a request gets a transaction.
    mutating func admits(_ request: borrowing Message, _ flow: Flow) -> Bool {
        let isTrusted = settings.trusts(flow.remote.address)
        if !isTrusted, !settings.sources.permits(flow.remote.address) {
            counters.count(.source)
            return false
        }
        if speaksForTheDead(request, flow) { return false }
        isAdmitted = false
        // While there is room a refusal gets a transaction, so that repetitions are matched. In a flood it gets none,
        // or one source would take the room of all: every request that may begin a transaction for a stranger counts.
        guard transactions.serverCount > settings.transactionLimit / 4 else { return true }
        let admission: Admission
        if request.hasToTag {
            // Anybody can write a tag, and nobody here knows which dialogs there are. An ACK begins nothing.
            guard !isTrusted, request.method != .ack else { return true }
            admission = dialogLimiter.admit(flow.remote.address, now: now)
        } else {
            guard request.method == .invite || request.method != .ack && !isTrusted else { return true }
            admission = limiter.admit(flow.remote.address, now: now)
            isAdmitted = admission == .admitted
        }
        guard case .limited(let wait_s) = admission else { return true }
        let copy = copy request
        refuseStatelessly(copy, flow, .rate, wait_s)
        return false
    }

    /// A request that began a transaction.
    mutating func take(_ request: Message, _ id: ServerTransactionID, _ flow: Flow) {
        if let rejection = proxy.validate(request) {
            // §16.3 step 3: an OPTIONS that may go no further is answered here.
            if rejection.status == 483, request.method == .options { return answerOPTIONS(request, id, flow) }
            let reason: RefusalReason =
                switch rejection.status {
                case 483: .hops
                case 482: .loop
                case 416: .address
                default: .extension
                }
            return reject(request, id, flow, rejection.status, reason, headers: rejection.headers)
        }
        guard let route = proxy.route(request) else { return reject(request, id, flow, 400, .malformed) }
        if request.hasToTag {
            forwardInDialog(request, id, flow, route)
        } else {
            takeNew(request, id, flow, route)
        }
    }

    private mutating func takeNew(_ request: Message, _ id: ServerTransactionID, _ flow: Flow, _ route: RequestRoute) {
        guard isLineAddress(route) else {
            if isFromCenter(request, flow) { return forwardToCaller(request, id, flow, route) }
            // §16.4 leaves other domains to the proxy's policy; this one's is never to be a relay.
            return reject(request, id, flow, 403, .relay, phrase: "Not Served Here")
        }
        if route.hop?.isSecure ?? false { return reject(request, id, flow, 416, .address) }
        let isForLine = route.namesUser
        switch request.method {
        case .invite:
            guard isForLine else { return reject(request, id, flow, 404, .address) }
            takeCall(request, id, flow, route)
        case .options:
            guard isForLine else { return answerOPTIONS(request, id, flow) }
            forwardToLine(request, id, flow, route)
        case .bye, .info, .update, .prack, .notify:
            // §12.2.2: "If … the request is inside a dialog" that does not exist, 481; these exist in dialogs only.
            reject(request, id, flow, 481, .dialog)
        case .ack, .cancel: break
        case .register, .subscribe, .message, .refer, .publish:
            reject(request, id, flow, 405, .method, headers: [(.allow, Self.allow)])
        case .other:
            // §21.5.2: 501 for a method that is not even recognised.
            reject(request, id, flow, 501, .method, headers: [(.allow, Self.allow)])
        }
    }

    /// A new call: counted against its source, answered 100, sent on.
    private mutating func takeCall(_ invite: Message, _ id: ServerTransactionID, _ flow: Flow, _ route: RequestRoute) {
        if !isAdmitted, case .limited(let wait_s) = limiter.admit(flow.remote.address, now: now) {
            return reject(invite, id, flow, 503, .rate, headers: [(.retryAfter, String(wait_s))])
        }
        guard !refusesNewCalls else {
            return reject(invite, id, flow, 503, .draining, headers: [(.retryAfter, String(settings.retryAfter_s))])
        }
        // §16.2: a stateful proxy takes the caller's repetitions upon itself.
        transactions.trying(id, request: invite, from: flow, now: now, into: &outputs)
        forwardToLine(invite, id, flow, route)
    }

    /// Whether the Request-URI, or the last hop that is left of the Routes, means this node or one of the centers.
    private func isLineAddress(_ route: RequestRoute) -> Bool {
        guard !route.hasRoutes else { return isCenter(route.hop) }
        guard let hop = route.hop else { return route.requestURI.scheme == .tel }
        return isOurs(hop) || isCenter(hop)
    }

    /// Without a port, a URI that has one of our hosts means us, whatever port we listen on.
    func isOurs(_ hop: Hop?) -> Bool {
        guard let hop else { return false }
        if proxy.isOwn(hop) { return true }
        guard hop.port == nil, !hop.isSecure else { return false }
        return settings.udp.contains { proxy.isOwn(hop.host, port: $0.port) }
    }

    func isCenter(_ hop: Hop?) -> Bool { hop?.endpoint.map { chooser.center(at: $0) != nil } ?? false }

    /// Whether a request comes from a center: from where it takes SIP, or from a trusted address with a tag that a
    /// center makes.
    func isFromCenter(_ request: Message, _ flow: Flow) -> Bool {
        guard settings.trusts(flow.remote.address) else { return false }
        if flow.transport == .udp, chooser.center(at: flow.remote) != nil { return true }
        guard let tag = request.from.tag, tag.utf8.contains(46), let node = NodeTag(tag) else { return false }
        return chooser.table?.centers.contains { $0.name == node.node } ?? false
    }

    // MARK: CANCEL

    mutating func takeCANCEL(
        _ cancel: Message, _ id: ServerTransactionID, invite: ServerTransactionID?, _ flow: Flow
    ) {
        // §16.10: with a response context, 200 and all its pending branches are cancelled; this proxy has no stateless
        // forwarding for INVITE, so without one there is nothing to cancel: 481 (§9.2).
        guard let invite else { return reject(cancel, id, flow, 481, .dialog) }
        respond(to: id, of: cancel, flow, 200)
        if let handle = invites[invite] { drive(handle, .cancelled) }
    }

    // MARK: Answers of this node's own

    /// OPTIONS to the node itself (§11.2): what masters ping with.
    private mutating func answerOPTIONS(_ request: Message, _ id: ServerTransactionID, _ flow: Flow) {
        var headers: [(HeaderName, String)] = [(.allow, Self.allow), (.accept, "application/sdp")]
        if settings.trusts(flow.remote.address) {
            if let notice = request.first(.tandemNode).flatMap({ NodeNotice(headerValue: $0) }) { heed(notice) }
            let load = NodeLoad(
                calls: min(forwards.openCount, 1_000_000), limit: min(settings.transactionLimit, 1_000_000),
                isDraining: isShuttingDown)
            headers.append((.tandemNode, "\(settings.identity.name);incarnation=\(settings.identity.incarnation)"))
            headers.append((.tandemLoad, load.headerValue))
        }
        respond(to: id, of: request, flow, 200, headers: headers)
    }

    /// An order comes with the pings of the master that leads, so that it holds without the store, and ends so.
    private mutating func heed(_ notice: NodeNotice) {
        guard notice.node == settings.identity.name, let epoch = notice.leader, leader.admits(epoch, now: now)
        else { return }
        if let want = notice.want { order = want }
    }

    mutating func respond(
        to id: ServerTransactionID, of request: Message, _ flow: Flow, _ status: Int, phrase: String? = nil,
        headers: [(HeaderName, String)] = []
    ) {
        let bytes = MessageWriter.response(
            to: request, status: status, reason: phrase, toTag: ownTag(random.hex(16)), source: flow.remote,
            headers: headers)
        transactions.respond(to: id, status: status, bytes: bytes, now: now, into: &outputs)
    }

    mutating func reject(
        _ request: Message, _ id: ServerTransactionID, _ flow: Flow, _ status: Int, _ reason: RefusalReason,
        phrase: String? = nil, headers: [(HeaderName, String)] = []
    ) {
        counters.count(reason)
        respond(to: id, of: request, flow, status, phrase: phrase, headers: headers)
    }

    /// 503 without a transaction (§8.2.7): the same tag for repetitions; its ACK is known by that tag.
    mutating func refuseStatelessly(_ request: Message, _ flow: Flow, _ reason: RefusalReason, _ retryAfter_s: Int) {
        counters.count(reason)
        guard request.method != .ack, let top = request.via.first else { return }
        let bytes = MessageWriter.response(
            to: request, status: 503, toTag: ownTag(hexadecimal(Rendezvous.hash(request.callID))), source: flow.remote,
            headers: [(.retryAfter, String(retryAfter_s))])
        send(bytes, flow.responseFlow(for: top))
    }

    private func hexadecimal(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
