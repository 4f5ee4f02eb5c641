import Primitives

@testable import SIP

/// A proxy as a role builds it: transaction layer, proxy core and a response context for each call, over a list of
/// targets in order. Everything that it sends is kept.
struct SmallProxy {
    struct Call {
        var request: Message
        var server: ServerTransactionID
        var source: Flow
        var context: ResponseContext
        var clients: [ClientTransactionID] = []
        var kept: Message?
        var targets: [Flow]
    }

    var layer = TransactionLayer(random: SeededRandom(seed: 3))
    var core = ProxyCore(own: [.init(host: "10.0.0.1", port: 5060)], random: SeededRandom(seed: 4))
    var calls: [Call] = []
    var timers = TimerQueue<(call: Int, timer: ResponseContext.Timer)>()
    var tokens: [(call: Int, timer: ResponseContext.Timer, token: TimerToken)] = []
    var now = MonotonicTime.zero
    var targets: [Flow] = [.center, .otherCenter]
    var sent: [(bytes: [UInt8], flow: Flow)] = []

    mutating func receive(_ message: Message, from flow: Flow) {
        var outputs: [TransactionOutput] = []
        layer.receive(message, on: flow, now: now, into: &outputs)
        perform(outputs)
    }

    mutating func advance(by span: Duration) {
        let end = now + span
        while let next = [layer.nextDeadline(), timers.nextDeadline()].compactMap({ $0 }).min(), next <= end {
            now = next
            var outputs: [TransactionOutput] = []
            layer.fire(now: now, into: &outputs)
            perform(outputs)
            while let due = timers.popDue(at: now) { drive(due.call, .fired(due.timer)) }
        }
        now = end
    }

    /// What a role does on the news that a center is down.
    mutating func centerDied(_ flow: Flow) {
        for id in layer.clientTransactions(to: flow) {
            let (call, branch) = SmallProxy.place(of: id)
            drive(call, .targetDied(branch))
        }
    }

    private mutating func perform(_ outputs: [TransactionOutput]) {
        for output in outputs {
            switch output {
            case .send(let bytes, let flow): sent.append((bytes, flow))
            case .request(let id, let message, let flow): begin(message, id, flow)
            case .cancel(let id, let invite, let message, let flow):
                respond(id, MessageWriter.response(to: message, status: invite == nil ? 481 : 200, source: flow.remote))
                if let call = calls.firstIndex(where: { $0.server == invite }) { drive(call, .cancelled) }
            case .response(_, let message) where message.method == .bye: break
            case .response(let id, let message):
                let (call, branch) = SmallProxy.place(of: id)
                drive(call, .response(branch, status: message.status ?? 0), message)
            case .timedOut(let id):
                let (call, branch) = SmallProxy.place(of: id)
                drive(call, .timedOut(branch))
            case .transportFailed(let id):
                let (call, branch) = SmallProxy.place(of: id)
                drive(call, .transportFailed(branch))
            case .lateAnswer(_, let message, let flow):
                guard let release = core.release(lateAnswer: message, transport: .udp) else { break }
                sent.append((release.acknowledgement, flow))
                var more: [TransactionOutput] = []
                _ = layer.request(
                    release.bye, method: .bye, branch: release.byeBranch, to: flow, now: now, into: &more)
                perform(more)
            case .ack, .strayResponse, .refused, .unacknowledged, .responseFailed, .ended, .clientEnded: break
            }
        }
    }

    private mutating func begin(_ message: Message, _ id: ServerTransactionID, _ flow: Flow) {
        if let rejection = core.validate(message) {
            respond(
                id,
                MessageWriter.response(
                    to: message, status: rejection.status, toTag: "p", source: flow.remote, headers: rejection.headers))
            return
        }
        var outputs: [TransactionOutput] = []
        layer.trying(id, request: message, from: flow, now: now, into: &outputs)
        calls.append(
            Call(
                request: message, server: id, source: flow,
                context: ResponseContext(
                    isInvite: message.method == .invite, firstResponseTime: .milliseconds(300)),
                targets: targets))
        perform(outputs)
        tryNext(calls.count - 1)
    }

    private mutating func tryNext(_ call: Int) {
        guard !calls[call].targets.isEmpty, let route = core.route(calls[call].request) else {
            drive(call, .exhausted)
            return
        }
        let target = calls[call].targets.removeFirst()
        var actions: [ResponseContext.Action] = []
        let branch = calls[call].context.begin(into: &actions)
        let name = core.branch(for: calls[call].request)
        var edit = ForwardingEdit(
            via: Via(transport: .udp, host: "10.0.0.1", port: 5060, branch: name), source: calls[call].source.remote,
            recordRoutes: [ProxyCore.recordRoute(.init(host: "10.0.0.1", port: 5060), transport: .udp).description])
        route.apply(to: &edit, of: calls[call].request)
        var outputs: [TransactionOutput] = []
        let id = layer.request(
            edit.apply(to: calls[call].request), method: calls[call].request.method, branch: name, to: target,
            isProxied: true, context: UInt64(call) << 8 | UInt64(branch), now: now, into: &outputs)
        if let id { calls[call].clients.append(id) }
        perform(outputs)
        perform(actions, of: call, nil)
    }

    private mutating func drive(_ call: Int, _ event: ResponseContext.Event, _ message: Message? = nil) {
        var actions: [ResponseContext.Action] = []
        calls[call].context.handle(event, into: &actions)
        perform(actions, of: call, message)
    }

    private mutating func perform(_ actions: [ResponseContext.Action], of call: Int, _ message: Message?) {
        for action in actions {
            var outputs: [TransactionOutput] = []
            switch action {
            case .forward:
                if let message, let bytes = ForwardingEdit.response(message) {
                    respond(calls[call].server, bytes, status: message.status)
                }
            case .keep: calls[call].kept = message
            case .forwardKept:
                if let kept = calls[call].kept, let bytes = ForwardingEdit.response(kept) {
                    respond(calls[call].server, bytes, status: kept.status)
                }
            case .answer(let status):
                let request = calls[call].request
                respond(
                    calls[call].server,
                    MessageWriter.response(
                        to: request, status: status, toTag: "p", source: calls[call].source.remote), status: status)
            case .cancelBranch(let branch): layer.cancel(calls[call].clients[branch], now: now, into: &outputs)
            case .abandon(let branch): layer.abandon(calls[call].clients[branch], now: now, into: &outputs)
            case .tryNext: tryNext(call)
            case .schedule(let timer, let delay):
                tokens.append((call, timer, timers.schedule((call, timer), at: now + delay)))
            case .cancel(let timer):
                for entry in tokens where entry.call == call && entry.timer == timer { timers.cancel(entry.token) }
            }
            perform(outputs)
        }
    }

    private mutating func respond(_ id: ServerTransactionID, _ bytes: [UInt8], status: Int? = nil) {
        var outputs: [TransactionOutput] = []
        let words = String(decoding: bytes.prefix(12), as: UTF8.self).split(separator: " ")
        layer.respond(
            to: id, status: status ?? words.dropFirst().first.flatMap { Int($0) } ?? 500, bytes: bytes, now: now,
            into: &outputs)
        perform(outputs)
    }

    static func place(of id: ClientTransactionID) -> (call: Int, branch: Int) {
        (Int(id.context >> 8), Int(id.context & 0xFF))
    }

    /// What was sent since the last call, as `METHOD → address` or `status → address`.
    mutating func takeSent() -> [String] {
        defer { sent.removeAll() }
        return sent.map { TransactionOutput.send($0.bytes, $0.flow).summary.replacing("send ", with: "") }
    }

    func lastSent(to flow: Flow) throws -> Message? {
        guard let bytes = sent.last(where: { $0.flow == flow })?.bytes else { return nil }
        return try Sample.parse(bytes)
    }
}
