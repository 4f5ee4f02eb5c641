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
        let forward = Forward(
            request, from: flow, server: id, route: route, purpose: purpose, session: session, token: token,
            firstResponse: firstResponse, now: now)
        let isInvite = forward.isInvite
        let handle = forwards.insert(forward)
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
        guard let hop = request.senderHop else { return nil }
        if flow.transport == .udp, hop.endpoint == flow.remote { return nil }
        return tokens.token(for: flow)
    }

    // MARK: Attempts

    /// The next target for a request whose last one failed, or the end of its search.
    private mutating func tryNext(_ handle: ForwardHandle) {
        guard let place = forwards.place(handle) else { return }
        if let center = forwards[place].retryByUDP {
            forwards[place].retryByUDP = nil
            guard let flow = ways(of: center).udp else { return drive(handle, .exhausted) }
            return attempt(handle, at: center, by: flow, mayPromote: false)
        }
        guard let center = nextCenter(place), let flow = ways(of: center).udp else { return drive(handle, .exhausted) }
        if forwards[place].attempts > 0 {
            counters.failovers += 1
            // The center that failed may have stored its session already: the next one begins another, or it would be
            // refused as not the owner.
            if forwards[place].session != nil { forwards[place].session = SessionID(using: &random).description }
        }
        attempt(handle, at: center, by: flow)
    }

    private mutating func nextCenter(_ place: Int) -> CenterIndex? {
        guard forwards[place].attempts < settings.attempts else { return nil }
        switch forwards[place].purpose {
        case .line:
            let (line, caller) = namesForChoice(place)
            return chooser.choose(line: line, caller: caller, excluding: forwards[place].tried, now: now)
        case .dialog:
            // Only a center that died is a reason to ask another one about a dialog.
            guard !forwards[place].endedByResponse,
                let center = chooser.center(hashing: forwards[place].request.callID, now: now),
                !forwards[place].tried.contains(center)
            else { return nil }
            return center
        case .caller: return nil
        }
    }

    /// Who is called and who calls, where the policy asks for it: most choose by weight or load alone.
    private func namesForChoice(_ place: Int) -> (line: String, caller: String) {
        guard choiceNeedsNames else { return ("", "") }
        return (forwards[place].route?.requestURI.calledNumber ?? "", forwards[place].request.from.uri.user ?? "")
    }

    /// Sends the request to a target as a new branch.
    private mutating func attempt(
        _ handle: ForwardHandle, at center: CenterIndex?, by flow: Flow, mayPromote: Bool = true
    ) {
        guard let place = forwards.place(handle) else { return }
        let name = proxy.branch(for: forwards[place].request)
        var flow = flow
        var isPromoted = false
        var bytes = forwarded(place, by: flow, branch: name)
        if mayPromote, bytes.count > settings.datagramLimit, let center, flow.transport == .udp,
            let tcp = ways(of: center).tcp
        {
            // RFC 3261 §18.1.1: "If a request is within 200 bytes of the path MTU, or if it is larger than 1300 bytes
            // and the path MTU is unknown, the request MUST be sent using … TCP".
            flow = tcp
            isPromoted = true
            bytes = forwarded(place, by: flow, branch: name)
        }
        var begun: [ResponseContext.Action] = []
        swap(&begun, &steps)
        let branch = forwards[place].context.begin(into: &begun)
        let context = handle.context(branch: branch, isInDialog: forwards[place].request.hasToTag)
        let id = transactions.request(
            bytes, method: forwards[place].request.method, branch: name, to: flow, isProxied: true, context: context,
            now: now, into: &outputs)
        forwards[place].branches.append(
            Forward.Branch(client: id, center: center, flow: flow, isPromoted: isPromoted, beganAt: now))
        forwards[place].attempts += 1
        if let center { forwards[place].tried.insert(center) }
        for step in begun { perform(step, of: handle, nil) }
        begun.removeAll(keepingCapacity: true)
        swap(&begun, &steps)
        if id == nil {
            // The table of client transactions is full: no other center changes that.
            counters.count(.capacity)
            forwards[place].attempts = settings.attempts
            drive(handle, .transportFailed(branch))
        }
    }

    /// The bytes that leave (§16.6).
    private func forwarded(_ place: Int, by flow: Flow, branch: String) -> [UInt8] {
        let source = forwards[place].source
        var edit = ForwardingEdit(via: listeners.via(for: flow, branch: branch), source: source.remote)
        if forwards[place].isInvite {
            let callerIsInbound = if case .caller = forwards[place].purpose { false } else { true }
            edit.recordRoutes = listeners.recordRoutes(
                from: source, to: flow, callerIsInbound: callerIsInbound, token: forwards[place].token)
        }
        edit.removed = removals(from: source, to: flow)
        if let session = forwards[place].session { edit.headers = [(.tandemSession, session)] }
        forwards[place].route?.apply(to: &edit, of: forwards[place].request)
        return edit.apply(to: forwards[place].request)
    }

    /// Internal headers end here; identities cross only between trusted sides (RFC 3324).
    func removals(from source: Flow, to destination: Flow) -> HeaderNameSet {
        settings.trusts(source.remote.address) && settings.trusts(destination.remote.address)
            ? Self.internalHeaders : ForwardingEdit.untrusted
    }

    private static let internalHeaders: HeaderNameSet = [
        .tandemSession, .tandemLoad, .tandemNode, .tandemPeers, .tandemTakeover, .tandemHandover,
    ]

    /// How to reach a center.
    mutating func ways(of center: CenterIndex) -> CenterWays {
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
        guard let place = forwards.place(handle) else {
            // A repetition of the 2xx that answered the call (RFC 6026 §7.1).
            if let server = forwards.answered(handle), (200...299).contains(status) {
                pass(response, to: server, transactions.responseFlow(of: server))
            }
            return
        }
        hear(place, branch, status)
        drive(handle, .response(branch, status: status), response)
    }

    /// Notes what a response says about its center.
    private mutating func hear(_ place: Int, _ branch: Int, _ status: Int) {
        guard branch < forwards[place].branches.count else { return }
        let wasSilent = forwards[place].branches[branch].isSilent
        forwards[place].branches[branch].isSilent = false
        if status >= 200 {
            forwards[place].branches[branch].isOpen = false
            forwards[place].endedByResponse = true
        }
        // 503 may be all that a broken center still says.
        if wasSilent, status != 503, let center = forwards[place].branches[branch].center {
            chooser.noteAnswered(center, now: now)
        }
    }

    /// A branch ended without a response.
    mutating func fail(_ id: ClientTransactionID, _ event: ResponseContext.Event) {
        let handle = ForwardHandle(context: id.context)
        let branch = ForwardHandle.branch(ofContext: id.context)
        guard let place = forwards.place(handle), branch < forwards[place].branches.count else { return }
        forwards[place].branches[branch].isOpen = false
        if case .timedOut = event { forwards[place].endedByResponse = true }
        drive(handle, event)
    }

    mutating func sendingFailed(_ id: ClientTransactionID) {
        let handle = ForwardHandle(context: id.context)
        let branch = ForwardHandle.branch(ofContext: id.context)
        if let place = forwards.place(handle), branch < forwards[place].branches.count,
            forwards[place].branches[branch].isPromoted, forwards[place].branches[branch].isSilent
        {
            // §18.1.1: a request that went by TCP because of its size is tried by UDP if TCP is refused. Who has said
            // something has the request, and would take the datagram for a merged one.
            forwards[place].retryByUDP = forwards[place].branches[branch].center
        }
        fail(id, .transportFailed(branch))
    }

    // MARK: The response context's wishes

    mutating func drive(_ handle: ForwardHandle, _ event: ResponseContext.Event, _ response: Message? = nil) {
        guard let place = forwards.place(handle) else { return }
        var wishes: [ResponseContext.Action] = []
        swap(&wishes, &steps)
        forwards[place].context.handle(event, into: &wishes)
        for wish in wishes { perform(wish, of: handle, response) }
        wishes.removeAll(keepingCapacity: true)
        swap(&wishes, &steps)
        closeIfAnswered(handle)
    }

    private mutating func perform(_ wish: ResponseContext.Action, of handle: ForwardHandle, _ response: Message?) {
        guard let place = forwards.place(handle), let server = forwards[place].server else { return }
        switch wish {
        case .forward(let branch):
            guard let response else { return }
            if (200...299).contains(response.status ?? 0) { succeed(place, branch) }
            passOrReplace(response, place, server)
        case .keep: forwards[place].kept = response
        case .forwardKept:
            if let kept = forwards[place].kept { passOrReplace(kept, place, server) }
        case .answer(let status): answer(place, server, status)
        case .cancelBranch(let branch):
            if let client = client(place, branch) { transactions.cancel(client, now: now, into: &outputs) }
        case .abandon(let branch):
            guard let client = client(place, branch) else { return }
            forwards[place].branches[branch].isOpen = false
            transactions.abandon(client, now: now, into: &outputs)
        case .tryNext: tryNext(handle)
        case .schedule(.firstResponse(let branch), let delay):
            silences.append(SilenceQueue.Entry(deadline: now + delay, forward: handle, branch: branch))
        case .cancel: break
        }
    }

    private func client(_ place: Int, _ branch: Int) -> ClientTransactionID? {
        branch < forwards[place].branches.count ? forwards[place].branches[branch].client : nil
    }

    private mutating func succeed(_ place: Int, _ branch: Int) {
        forwards[place].success = branch
        if forwards[place].isInvite, forwards[place].purpose == .line { noteSetUp(now - forwards[place].beganAt) }
    }

    /// A final response that lost the caller's Via on its way is replaced by one of this node's own.
    private mutating func passOrReplace(_ response: Message, _ place: Int, _ server: ServerTransactionID) {
        guard !pass(response, to: server, forwards[place].source), response.status ?? 0 >= 200 else { return }
        answer(place, server, 502)
    }

    /// Sends a response on towards who asked (§16.7 steps 3 and 9). False when no Via but ours is in it.
    @discardableResult
    private mutating func pass(_ response: Message, to server: ServerTransactionID, _ source: Flow?) -> Bool {
        guard let status = response.status else { return false }
        var removed = Self.internalHeaders
        if let source, !settings.trusts(source.remote.address) { removed = ForwardingEdit.untrusted }
        guard let bytes = ForwardingEdit.response(response, removed: removed) else { return false }
        transactions.respond(to: server, status: status, bytes: bytes, now: now, into: &outputs)
        return true
    }

    /// A final response of this node's own.
    private mutating func answer(_ place: Int, _ server: ServerTransactionID, _ status: Int) {
        var status = status
        var headers: [(HeaderName, String)] = []
        if case .caller(let hasToken) = forwards[place].purpose {
            // RFC 5626 §5.3: "If … the flow no longer exists, the proxy … SHOULD send a 430 (Flow Failed)". A 503 that
            // the caller itself sent goes on as it is, and does not come here.
            if status == 503, hasToken { status = 430 }
            if status != 487 { counters.count(.flow) }
        } else if status == 503 || status == 408 {
            counters.count(.noCenter)
            // What failed are the centers, not the caller's patience: it may come again.
            status = 503
            headers.append((.retryAfter, String(settings.retryAfter_s)))
        }
        respond(to: server, of: forwards[place].request, forwards[place].source, status, headers: headers)
    }

    mutating func closeIfAnswered(_ handle: ForwardHandle) {
        guard let place = forwards.place(handle), forwards[place].context.isAnswered else { return }
        guard forwards[place].isInvite, let server = forwards[place].server else {
            return forwards.close(handle, remembering: nil)
        }
        invites[server] = nil
        // Only a 2xx is repeated by the center itself; everything else is repeated by transactions.
        guard let success = forwards[place].success else { return forwards.close(handle, remembering: nil) }
        forwards.close(handle, remembering: server, branch: success)
    }
}
