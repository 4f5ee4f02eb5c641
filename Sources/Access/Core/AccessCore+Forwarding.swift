import Primitives
import Routing
import SIP
import Session

/// Requests that go on to a center or a caller, and the responses that come back.
extension AccessCore {
    // MARK: Beginning

    /// To a center that the line's policy chooses.
    mutating func forwardToLine(_ request: Message, _ id: ServerTransactionID, _ flow: Flow, _ route: RequestRoute) {
        let isInvite = request.method == .invite
        let session = isInvite ? SessionID(using: &random).description : nil
        open(
            request, id, flow, route, .line, session: session, token: isInvite ? callerToken(request, flow) : nil,
            firstResponse: settings.firstResponse)
    }

    /// Puts the request into the table and makes the first attempt.
    mutating func open(
        _ request: Message, _ id: ServerTransactionID, _ flow: Flow, _ route: RequestRoute, _ purpose: Forward.Purpose,
        session: String? = nil, token: String? = nil, firstResponse: Duration? = nil,
        target: (center: CenterIndex?, flow: Flow)? = nil
    ) {
        let isInvite = request.method == .invite
        let handle = forwards.insert(
            Forward(
                request: request, source: flow, server: id, route: route, purpose: purpose, session: session,
                token: token, beganAt: now,
                context: ResponseContext(isInvite: isInvite, firstResponseTime: firstResponse)))
        if isInvite { invites[id] = handle }
        if let target {
            attempt(handle, at: target.center, by: target.flow)
        } else {
            tryNext(handle)
        }
        closeIfAnswered(handle)
    }

    /// A caller that is not where its Contact says, or that came by a connection, is reached only by the flow it came
    /// by; that is sealed into Record-Route. Most are plain UDP phones and need none.
    private func callerToken(_ request: Message, _ flow: Flow) -> String? {
        guard let hop = request.recordRoutes.first?.uri ?? request.contacts.first?.uri else { return nil }
        if flow.transport == .udp, hop.endpoint == flow.remote { return nil }
        return tokens.token(for: flow)
    }

    // MARK: Attempts

    /// The next target for a request whose last one failed, or the end of its search.
    private mutating func tryNext(_ handle: ForwardHandle) {
        guard let purpose = forwards[handle]?.purpose, let attempts = forwards[handle]?.attempts else { return }
        if let center = forwards[handle]?.retryByUDP {
            forwards[handle]?.retryByUDP = nil
            guard let flow = ways(of: center, handle).udp else { return drive(handle, .exhausted) }
            return attempt(handle, at: center, by: flow, mayPromote: false)
        }
        guard let center = nextCenter(handle, purpose, attempts), let flow = ways(of: center, handle).udp else {
            return drive(handle, .exhausted)
        }
        if attempts > 0 { counters.failovers += 1 }
        attempt(handle, at: center, by: flow)
    }

    private mutating func nextCenter(
        _ handle: ForwardHandle, _ purpose: Forward.Purpose, _ attempts: Int
    ) -> CenterIndex? {
        guard attempts < settings.attempts, let tried = forwards[handle]?.tried,
            let request = forwards[handle]?.request
        else { return nil }
        switch purpose {
        case .line:
            let line = forwards[handle]?.route.requestURI.user ?? ""
            return chooser.choose(line: line, caller: request.from.uri.user ?? "", excluding: tried, now: now)
        case .dialog:
            // Only a center that died is a reason to ask another one about a dialog.
            guard forwards[handle]?.endedByResponse == false,
                let center = chooser.center(hashing: request.callID, now: now), !tried.contains(center)
            else { return nil }
            return center
        case .caller: return nil
        }
    }

    /// Sends the request to a target as a new branch.
    private mutating func attempt(
        _ handle: ForwardHandle, at center: CenterIndex?, by flow: Flow, mayPromote: Bool = true
    ) {
        guard let request = forwards[handle]?.request else { return }
        let name = proxy.branch(for: request)
        var flow = flow
        var isPromoted = false
        var bytes = forwarded(handle, of: request, by: flow, branch: name)
        if mayPromote, bytes.count > settings.datagramLimit, let center, flow.transport == .udp,
            let tcp = ways(of: center, handle).tcp
        {
            // RFC 3261 §18.1.1: "If a request is within 200 bytes of the path MTU, or if it is larger than 1300 bytes
            // and the path MTU is unknown, the request MUST be sent using … TCP".
            flow = tcp
            isPromoted = true
            bytes = forwarded(handle, of: request, by: flow, branch: name)
        }
        var begun: [ResponseContext.Action] = []
        swap(&begun, &steps)
        let branch = forwards[handle]?.context.begin(into: &begun) ?? 0
        let id = transactions.request(
            bytes, method: request.method, branch: name, to: flow, isProxied: true,
            context: handle.context(branch: branch), now: now, into: &outputs)
        forwards[handle]?.branches.append(
            Forward.Branch(client: id, center: center, flow: flow, isPromoted: isPromoted, beganAt: now))
        forwards[handle]?.attempts += 1
        if let center { forwards[handle]?.tried.insert(center) }
        for step in begun { perform(step, of: handle, nil) }
        begun.removeAll(keepingCapacity: true)
        swap(&begun, &steps)
        if id == nil {
            // The table of client transactions is full: no other center changes that.
            counters.count(.capacity)
            forwards[handle]?.attempts = settings.attempts
            drive(handle, .transportFailed(branch))
        }
    }

    /// The bytes that leave (§16.6).
    private func forwarded(_ handle: ForwardHandle, of request: Message, by flow: Flow, branch: String) -> [UInt8] {
        guard let source = forwards[handle]?.source, let purpose = forwards[handle]?.purpose else { return [] }
        var edit = ForwardingEdit(via: listeners.via(for: flow, branch: branch), source: source.remote)
        if request.method == .invite {
            let callerIsInbound = if case .caller = purpose { false } else { true }
            edit.recordRoutes = listeners.recordRoutes(
                from: source, to: flow, callerIsInbound: callerIsInbound, token: forwards[handle]?.token)
        }
        edit.removed = removals(from: source, to: flow)
        if let session = forwards[handle]?.session { edit.headers.append((.tandemSession, session)) }
        forwards[handle]?.route.apply(to: &edit, of: request)
        return edit.apply(to: request)
    }

    /// Internal headers end here; identities cross only between trusted sides (RFC 3324).
    func removals(from source: Flow, to destination: Flow) -> HeaderNameSet {
        settings.trusts(source.remote.address) && settings.trusts(destination.remote.address)
            ? Self.internalHeaders : ForwardingEdit.untrusted
    }

    private static let internalHeaders: HeaderNameSet = [.tandemSession, .tandemLoad, .tandemNode]

    /// How to reach a center from the listener that the request came by, where possible.
    mutating func ways(of center: CenterIndex, _ handle: ForwardHandle) -> CenterWays {
        ways(of: center, from: forwards[handle]?.source)
    }

    mutating func ways(of center: CenterIndex, from source: Flow?) -> CenterWays {
        for known in ways where known.center == center { return known }
        var found = CenterWays(center: center)
        for endpoint in chooser.entry(center)?.sip ?? [] {
            if found.udp == nil { found.udp = listeners.flow(to: endpoint, by: .udp, preferring: nil) }
            if found.tcp == nil { found.tcp = listeners.flow(to: endpoint, by: .tcp, preferring: nil) }
        }
        ways.append(found)
        return found
    }

    // MARK: Responses and failures

    mutating func take(_ response: Message, of id: ClientTransactionID) {
        let handle = ForwardHandle(context: id.context)
        let branch = ForwardHandle.branch(ofContext: id.context)
        guard let status = response.status else { return }
        guard forwards.isOpen(handle) else {
            // A repetition of the 2xx that answered the call (RFC 6026 §7.1).
            if let server = forwards.answered(handle), (200...299).contains(status) { pass(response, to: server, nil) }
            return
        }
        hear(handle, branch, status)
        drive(handle, .response(branch, status: status), response)
    }

    /// Notes what a response says about its center.
    private mutating func hear(_ handle: ForwardHandle, _ branch: Int, _ status: Int) {
        guard let branches = forwards[handle]?.branches, branches.indices.contains(branch) else { return }
        let wasSilent = branches[branch].isSilent
        let center = branches[branch].center
        forwards[handle]?.branches[branch].isSilent = false
        if status >= 200 {
            forwards[handle]?.branches[branch].isOpen = false
            forwards[handle]?.endedByResponse = true
        }
        // 503 may be all that a broken center still says.
        if wasSilent, status != 503, let center { chooser.noteAnswered(center, now: now) }
    }

    /// A branch ended without a response.
    mutating func fail(_ id: ClientTransactionID, _ event: ResponseContext.Event) {
        let handle = ForwardHandle(context: id.context)
        let branch = ForwardHandle.branch(ofContext: id.context)
        guard let branches = forwards[handle]?.branches, branches.indices.contains(branch) else { return }
        forwards[handle]?.branches[branch].isOpen = false
        if case .timedOut = event { forwards[handle]?.endedByResponse = true }
        drive(handle, event)
    }

    mutating func sendingFailed(_ id: ClientTransactionID) {
        let handle = ForwardHandle(context: id.context)
        let branch = ForwardHandle.branch(ofContext: id.context)
        if let branches = forwards[handle]?.branches, branches.indices.contains(branch), branches[branch].isPromoted {
            // §18.1.1: a request that went by TCP because of its size is tried by UDP if TCP is refused.
            forwards[handle]?.retryByUDP = branches[branch].center
        }
        fail(id, .transportFailed(branch))
    }

    // MARK: The response context's wishes

    mutating func drive(_ handle: ForwardHandle, _ event: ResponseContext.Event, _ response: Message? = nil) {
        var wishes: [ResponseContext.Action] = []
        swap(&wishes, &steps)
        forwards[handle]?.context.handle(event, into: &wishes)
        for wish in wishes { perform(wish, of: handle, response) }
        wishes.removeAll(keepingCapacity: true)
        swap(&wishes, &steps)
        closeIfAnswered(handle)
    }

    private mutating func perform(_ wish: ResponseContext.Action, of handle: ForwardHandle, _ response: Message?) {
        switch wish {
        case .forward(let branch):
            guard let response, let server = forwards[handle]?.server else { return }
            if (200...299).contains(response.status ?? 0) { succeed(handle, branch) }
            pass(response, to: server, forwards[handle]?.source)
        case .keep: forwards[handle]?.kept = response
        case .forwardKept:
            guard let kept = forwards[handle]?.kept, let server = forwards[handle]?.server else { return }
            pass(kept, to: server, forwards[handle]?.source)
        case .answer(let status): answer(handle, status)
        case .cancelBranch(let branch):
            if let client = client(handle, branch) { transactions.cancel(client, now: now, into: &outputs) }
        case .abandon(let branch):
            if let client = client(handle, branch) { transactions.abandon(client, now: now, into: &outputs) }
            forwards[handle]?.branches[branch].isOpen = false
        case .tryNext: tryNext(handle)
        case .schedule(.firstResponse(let branch), let delay):
            silences.append(SilenceQueue.Entry(deadline: now + delay, forward: handle, branch: branch))
        case .cancel: break
        }
    }

    private func client(_ handle: ForwardHandle, _ branch: Int) -> ClientTransactionID? {
        guard let branches = forwards[handle]?.branches, branches.indices.contains(branch) else { return nil }
        return branches[branch].client
    }

    private mutating func succeed(_ handle: ForwardHandle, _ branch: Int) {
        forwards[handle]?.success = branch
        guard forwards[handle]?.isInvite == true, forwards[handle]?.purpose == .line,
            let began = forwards[handle]?.beganAt
        else { return }
        counters.countSetUp(now - began)
    }

    /// Sends a response on towards who asked (§16.7 steps 3 and 9).
    private mutating func pass(_ response: Message, to server: ServerTransactionID, _ source: Flow?) {
        guard let status = response.status else { return }
        var removed = Self.internalHeaders
        if let source, !settings.trusts(source.remote.address) { removed = ForwardingEdit.untrusted }
        guard let bytes = ForwardingEdit.response(response, removed: removed) else { return }
        transactions.respond(to: server, status: status, bytes: bytes, now: now, into: &outputs)
    }

    /// A final response of this node's own.
    private mutating func answer(_ handle: ForwardHandle, _ status: Int) {
        guard let request = forwards[handle]?.request, let server = forwards[handle]?.server,
            let source = forwards[handle]?.source, let purpose = forwards[handle]?.purpose
        else { return }
        var status = status
        var headers: [(HeaderName, String)] = []
        if case .caller(let hasToken) = purpose {
            // RFC 5626 §5.3: "If … the flow no longer exists, the proxy … SHOULD send a 430 (Flow Failed)".
            if status == 503, hasToken { status = 430 }
            counters.count(status == 430 ? .flow : .noCenter)
        } else if status == 503 || status == 408 {
            counters.count(.noCenter)
            // What failed are the centers, not the caller's patience: it may come again.
            status = 503
            headers.append((.retryAfter, String(settings.retryAfter_s)))
        }
        respond(to: server, of: request, source, status, headers: headers)
    }

    mutating func closeIfAnswered(_ handle: ForwardHandle) {
        guard forwards[handle]?.context.isAnswered == true, let server = forwards[handle]?.server,
            let isInvite = forwards[handle]?.isInvite
        else { return }
        guard isInvite else { return forwards.close(handle, remembering: nil) }
        invites[server] = nil
        // Only a 2xx is repeated by the center itself; everything else is repeated by transactions.
        guard let success = forwards[handle]?.success else { return forwards.close(handle, remembering: nil) }
        forwards.close(handle, remembering: server, branch: success)
    }
}
