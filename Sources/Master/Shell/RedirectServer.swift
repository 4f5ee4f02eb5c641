import Primitives
import Routing
import SIP
import Session

/// The SIP side of a master: a redirect server (RFC 3261 §8.3) that says who lives. It keeps no calls; its transactions
/// only absorb repetitions.
public struct RedirectServer: Sendable {
    /// What is to be done, in order.
    public enum Effect: Sendable {
        case send([UInt8], Flow)
        case rejected(Rejected)
    }

    /// Why a request was not served, as the metric's label says it.
    public enum Rejected: String, Sendable, CaseIterable {
        case malformed, method, capacity
        case noDialog = "no-dialog"
        case noCenter = "no-center"
    }

    static let agent = UserAgentCore(allow: [.invite, .ack, .cancel, .options])

    private let identity: NodeIdentity
    private var transactions: TransactionLayer
    private var random: SeededRandom
    private var outputs: [TransactionOutput] = []

    public init(identity: NodeIdentity, timers: TransactionTimers, seed: UInt64) {
        self.identity = identity
        random = SeededRandom(seed: seed)
        transactions = TransactionLayer(timers: timers, random: SeededRandom(seed: random.next()))
    }

    /// When `fire` has work.
    public mutating func nextDeadline() -> MonotonicTime? { transactions.nextDeadline() }

    public mutating func fire(now: MonotonicTime, core: inout MasterCore, into effects: inout [Effect]) {
        transactions.fire(now: now, into: &outputs)
        perform(now: now, core: &core, into: &effects)
    }

    public mutating func receive(
        _ message: consuming Message, on flow: Flow, now: MonotonicTime, core: inout MasterCore,
        into effects: inout [Effect]
    ) {
        transactions.receive(message, on: flow, now: now, into: &outputs)
        perform(now: now, core: &core, into: &effects)
    }

    /// Answers what could not be parsed, as far as it can be answered.
    public mutating func refuse(_ error: SIPParseError, on flow: Flow, into effects: inout [Effect]) {
        guard error.problem != .keepAlive else { return }
        effects.append(.rejected(.malformed))
        guard let bytes = MessageWriter.response(to: error, toTag: newTag(), source: flow.remote) else { return }
        effects.append(.send(bytes, error.responseFlow(on: flow)))
    }

    private mutating func perform(now: MonotonicTime, core: inout MasterCore, into effects: inout [Effect]) {
        var index = 0
        while index < outputs.count {
            let output = outputs[index]
            index += 1
            switch output {
            case .send(let bytes, let flow): effects.append(.send(bytes, flow))
            case .request(let id, let request, let flow):
                let answer = answer(to: request, on: flow, now: now, core: &core)
                if let reason = answer.rejected { effects.append(.rejected(reason)) }
                respond(to: id, of: request, flow, answer, now: now)
            case .cancel(let id, let invite, let request, let flow):
                // §9.2: an INVITE that has its final response, as all here have at once, is left as it is.
                respond(to: id, of: request, flow, Answer(status: invite == nil ? 481 : 200), now: now)
            case .refused(let request, let flow):
                effects.append(.rejected(.capacity))
                guard request.method != .ack, let via = request.via.first else { continue }
                let bytes = MessageWriter.response(
                    to: request, status: 503, toTag: newTag(), source: flow.remote, headers: [(.retryAfter, "5")])
                effects.append(.send(bytes, flow.responseFlow(for: via)))
            case .ack, .response, .lateAnswer, .strayResponse, .timedOut, .transportFailed, .unacknowledged,
                .responseFailed, .ended, .clientEnded:
                break
            }
        }
        outputs.removeAll(keepingCapacity: true)
    }

    // MARK: Answers

    private struct Answer {
        var status: Int
        var headers: [(HeaderName, String)] = []
        var rejected: Rejected?
    }

    private func answer(
        to request: Message, on flow: Flow, now: MonotonicTime, core: inout MasterCore
    ) -> Answer {
        // Require and the body are the concern of whoever answers the call: only method and scheme matter here.
        if case .reject(let rejection) = Self.agent.check(request), ![415, 420].contains(rejection.status) {
            return Answer(status: rejection.status, headers: rejection.headers, rejected: .method)
        }
        // §12.2.2: a redirect makes no dialog, so nothing can be inside of one.
        guard request.to.tag == nil else { return Answer(status: 481, rejected: .noDialog) }
        guard request.method == .invite else { return Answer(status: 200, headers: capabilities) }
        let line = request.requestURI?.user
        let redirect = core.redirect(line: line ?? "", caller: request.from.uri.user ?? "", now: now)
        switch redirect {
        case .contacts(let targets):
            return Answer(status: 302, headers: Self.contacts(targets, line: line, over: flow.transport))
        case .unavailable(let seconds):
            return Answer(status: 503, headers: [(.retryAfter, "\(seconds)")], rejected: .noCenter)
        }
    }

    /// §11.2, and what nodes say of themselves to other masters.
    private var capabilities: [(HeaderName, String)] {
        [
            (.allow, Self.agent.allowValue), (.accept, Self.agent.acceptValue),
            (.tandemLoad, NodeLoad(calls: 0, limit: 0).headerValue),
            (.tandemNode, NodeNotice(node: identity.name, incarnation: identity.incarnation).headerValue),
        ]
    }

    /// One Contact a center, best first, with q-values that fall in this order (§20.10).
    static func contacts(
        _ targets: [Redirect.Target], line: String?, over transport: Transport
    ) -> [(HeaderName, String)] {
        // Three decimals are all that a q-value may have (§25.1).
        let step = max(1, min(100, 900 / max(1, targets.count)))
        return targets.enumerated().map { index, target in
            let thousandths = max(1, 1000 - step * index)
            let parameters = transport == .tcp ? [Parameter("transport", "tcp")] : []
            let uri = URI(
                user: line, host: target.sip.address.description, port: target.sip.port, parameters: parameters)
            let q = thousandths == 1000 ? "1.0" : "0." + String(String(1000 + thousandths).dropFirst())
            return (.contact, NameAddress(uri: uri, parameters: [Parameter("q", q)]).description)
        }
    }

    private mutating func respond(
        to id: ServerTransactionID, of request: Message, _ flow: Flow, _ answer: Answer, now: MonotonicTime
    ) {
        let bytes = MessageWriter.response(
            to: request, status: answer.status, toTag: newTag(), source: flow.remote, headers: answer.headers)
        transactions.respond(to: id, status: answer.status, bytes: bytes, now: now, into: &outputs)
    }

    private mutating func newTag() -> String { "\(identity).\(random.hex(16))" }

    /// A connection or a datagram's destination failed.
    mutating func transportFailed(
        to flow: Flow, now: MonotonicTime, core: inout MasterCore, into effects: inout [Effect]
    ) {
        transactions.transportFailed(to: flow, now: now, into: &outputs)
        perform(now: now, core: &core, into: &effects)
    }
}
