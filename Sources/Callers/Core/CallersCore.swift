import Media
import Primitives
import SDP
import SIP

/// Many phones without their sockets and clock: messages, events and the passing of time in, actions out.
///
/// A call goes place → port → INVITE (→ 302 → INVITE) → 200 → ACK → plan → BYE → report. One transaction layer serves
/// them all; a call is found by its Call-ID, or by its number where a transaction carries it.
public struct CallersCore: Sendable {
    enum TimerKey: Sendable {
        case place
        case caller(Int, Caller.Timer)
    }

    public let settings: CallersSettings
    var transactions: TransactionLayer
    var timers = TimerQueue<TimerKey>()
    var random: SeededRandom
    /// By number - 1; nil while one is worked on.
    private var callers: [Caller?] = []
    private var byCallID: [String: Int] = [:]
    private var startedAt = MonotonicTime.zero
    private var placesMore = true
    private var unfinished = 0
    private var saidFinished = false
    private var talking = 0

    /// The event's time, and what it led to so far.
    var now = MonotonicTime.zero
    var outputs: [TransactionOutput] = []
    var actions: [CallersAction] = []

    static let agent = UserAgentCore(allow: [.invite, .ack, .bye, .cancel, .options, .update])
    static let bystander = UInt64.max

    public init(settings: CallersSettings, seed: UInt64) {
        self.settings = settings
        random = SeededRandom(seed: seed)
        transactions = TransactionLayer(timers: settings.timers, random: SeededRandom(seed: random.next()))
    }

    // MARK: Entrances

    /// Dials the first call, and from now on the others at their times.
    public mutating func start(now: MonotonicTime, into actions: inout [CallersAction]) {
        begin(now, &actions)
        startedAt = now
        place()
        finish(&actions)
    }

    public mutating func receive(
        _ message: consuming Message, on flow: Flow, now: MonotonicTime, into actions: inout [CallersAction]
    ) {
        begin(now, &actions)
        transactions.receive(message, on: flow, now: now, into: &outputs)
        finish(&actions)
    }

    public mutating func handle(_ event: CallersEvent, now: MonotonicTime, into actions: inout [CallersAction]) {
        begin(now, &actions)
        switch event {
        case .mediaOpened(let number, let endpoint): withCaller(number) { $0.dial(&$1, from: endpoint) }
        case .mediaRefused(let number, let reason):
            withCaller(number) { core, caller in
                caller.isHeardOf = true
                core.end(&caller, .failed(.noPort(reason)))
            }
        case .pressed(let number): withCaller(number) { $0.drive(.pressed, in: &$1) }
        case .paused(let number): withCaller(number) { $0.drive(.paused, in: &$1) }
        case .heard(let number, let meter, let overrun):
            withCaller(number) { core, caller in
                caller.record.reception = meter
                caller.record.overrun = overrun
                caller.isHeardOf = true
                core.conclude(&caller)
            }
        case .unreachable(let flow): transactions.transportFailed(to: flow, now: now, into: &outputs)
        case .endAll: endAll()
        }
        finish(&actions)
    }

    public mutating func nextDeadline() -> MonotonicTime? {
        switch (transactions.nextDeadline(), timers.nextDeadline()) {
        case (let one?, let other?): min(one, other)
        case (let one, let other): one ?? other
        }
    }

    public mutating func fire(now: MonotonicTime, into actions: inout [CallersAction]) {
        begin(now, &actions)
        transactions.fire(now: now, into: &outputs)
        performOutputs()
        while let timer = timers.popDue(at: now) {
            switch timer {
            case .place: place()
            case .caller(let number, let timer):
                withCaller(number) { core, caller in
                    caller.timers[timer] = nil
                    core.fired(timer, in: &caller)
                }
            }
            performOutputs()
        }
        finish(&actions)
    }

    /// How all calls went that were placed so far.
    public var records: [CallerRecord] { callers.compactMap { $0?.record } }
    /// Calls that are answered and not ended.
    public var talkingCount: Int { talking }

    private mutating func begin(_ now: MonotonicTime, _ actions: inout [CallersAction]) {
        self.now = now
        swap(&self.actions, &actions)
    }

    private mutating func finish(_ actions: inout [CallersAction]) {
        performOutputs()
        if !placesMore, unfinished == 0, !saidFinished {
            saidFinished = true
            self.actions.append(.finished)
        }
        swap(&self.actions, &actions)
    }

    // MARK: Placing

    private mutating func place() {
        guard placesMore else { return }
        let number = callers.count + 1
        placesMore = number < settings.calls
        // By the start, not by the call before: a late loop does not lower the rate.
        if placesMore { timers.schedule(.place, at: startedAt + settings.placing(of: number + 1)) }
        let host = settings.local.address.description
        let callID = "\(number)-\(random.hex(16))@\(host)"
        let caller = Caller(
            number: number, callID: callID, localTag: random.hex(16), placedAt: now,
            negotiation: OfferAnswer(origin: Origin(sessionID: random.next() >> 2, address: settings.local.address)),
            plan: PlanRun(settings.plan.steps(forCaller: number)), requestURI: URI(host: host),
            flow: Flow(transport: settings.transport, remote: settings.target),
            record: CallerRecord(number: number, callID: callID, placedAt: now))
        callers.append(caller)
        byCallID[callID] = number
        unfinished += 1
        actions.append(.openMedia(number))
    }

    private mutating func endAll() {
        placesMore = false
        for number in 1..<(callers.count + 1) { withCaller(number) { $0.interrupt(&$1) } }
    }

    // MARK: Dispatch

    mutating func withCaller(_ number: Int, _ work: (inout CallersCore, inout Caller) -> Void) {
        guard number >= 1, number <= callers.count, var caller = callers[number - 1].take() else { return }
        let (wasFinished, wasTalking) = (caller.isFinished, caller.phase == .talking)
        work(&self, &caller)
        if caller.isFinished, !wasFinished { unfinished -= 1 }
        talking += (caller.phase == .talking ? 1 : 0) - (wasTalking ? 1 : 0)
        callers[number - 1] = caller
    }

    func number(ofCallID callID: String) -> Int? { byCallID[callID] }

    /// Works off what the transaction layer wants done; more may come of it.
    private mutating func performOutputs() {
        var index = 0
        while index < outputs.count {
            let output = outputs[index]
            index += 1
            perform(output)
        }
        outputs.removeAll(keepingCapacity: true)
    }

    private mutating func perform(_ output: TransactionOutput) {
        switch output {
        case .send(let bytes, let flow): actions.append(.send(bytes, flow))
        case .request(let id, let request, let flow): receive(request, id, flow)
        case .ack(let ack, _): receiveACK(ack)
        case .cancel(let id, let invite, let request, let flow):
            // Our INVITEs are answered at once: there is nothing left to cancel (RFC 3261 §9.2).
            respond(to: id, of: request, flow, invite == nil ? 481 : 200)
        case .response(let id, let response): receive(response, to: id)
        case .lateAnswer(_, let response, _): refuseAnswer(response)
        case .strayResponse(let response, _): acknowledgeAgain(response)
        case .timedOut(let id): requestFailed(id, .timeout)
        case .transportFailed(let id): requestFailed(id, .unreachable)
        case .refused(let request, let flow):
            actions.append(
                .send(
                    MessageWriter.response(
                        to: request, status: 503, toTag: random.hex(16), source: flow.remote,
                        headers: [(.retryAfter, "5")]), request.responseFlow(on: flow)))
        case .unacknowledged, .responseFailed, .ended, .clientEnded: break
        }
    }

    // MARK: Parts of messages

    func via(_ flow: Flow, branch: String) -> Via {
        Via(
            transport: flow.transport, host: settings.local.address.description, port: settings.local.port,
            branch: branch, rport: .requested)
    }

    mutating func newBranch() -> String { "\(Via.magicCookie)\(random.hex(16))" }

    func contact(of caller: Caller) -> NameAddress {
        NameAddress(
            uri: URI(
                user: caller.user, host: settings.local.address.description, port: settings.local.port,
                parameters: caller.flow.transport == .tcp ? [Parameter("transport", "tcp")] : []))
    }

    /// Where a request to that URI goes: its address and transport; the fallback's where it has no address.
    func flow(to uri: URI, fallback: Flow) -> Flow {
        guard let address = IPAddress(uri.host) else { return fallback }
        let remote = Endpoint(address, port: uri.port ?? 5060)
        var transport = fallback.transport
        switch uri.parameters[parameter: "transport"]?.value?.lowercased() {
        case "tcp": transport = .tcp
        case "udp": transport = .udp
        default: break
        }
        if transport == fallback.transport, remote == fallback.remote { return fallback }
        return Flow(transport: transport, remote: remote)
    }

    mutating func respond(
        to id: ServerTransactionID, of request: Message, _ flow: Flow, _ status: Int, tag: String? = nil,
        contact: NameAddress? = nil, headers: [(HeaderName, String)] = [], body: MessageWriter.Body? = nil
    ) {
        let bytes = MessageWriter.response(
            to: request, status: status, toTag: tag ?? random.hex(16), source: flow.remote, contact: contact,
            headers: headers, body: body)
        transactions.respond(to: id, status: status, bytes: bytes, now: now, into: &outputs)
    }

    // MARK: Timers

    mutating func schedule(_ timer: Caller.Timer, in caller: inout Caller, after delay: Duration) {
        cancel(timer, in: &caller)
        caller.timers[timer] = timers.schedule(.caller(caller.number, timer), at: now + delay)
    }

    mutating func cancel(_ timer: Caller.Timer, in caller: inout Caller) {
        if let token = caller.timers.removeValue(forKey: timer) { timers.cancel(token) }
    }

    mutating func cancelAllTimers(of caller: inout Caller) {
        for token in caller.timers.values { timers.cancel(token) }
        caller.timers = [:]
    }
}

extension Caller {
    /// The call is over and everything about it is known.
    var isFinished: Bool { phase == .over && isHeardOf }
    /// What From and Contact say.
    var user: String { "caller-\(number)" }
}

extension Message {
    /// Where responses to this request go that came by `flow`.
    func responseFlow(on flow: Flow) -> Flow { via.first.map { flow.responseFlow(for: $0) } ?? flow }

    /// The description in the body; nil where there is none that can be read.
    var description: SessionDescription? {
        body.isEmpty ? nil : try? SessionDescription(parsing: bytes[body])
    }
}
