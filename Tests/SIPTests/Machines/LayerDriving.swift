import Primitives

@testable import SIP

/// A transaction layer with a clock that tests move.
struct LayerDriver {
    var layer: TransactionLayer
    var now = MonotonicTime.zero

    init(serverLimit: Int = 100, clientLimit: Int = 100) {
        layer = TransactionLayer(
            random: SeededRandom(seed: 1), serverLimit: serverLimit, clientLimit: clientLimit)
    }

    mutating func receive(_ message: Message, on flow: Flow = .phone) -> [TransactionOutput] {
        var outputs: [TransactionOutput] = []
        layer.receive(message, on: flow, now: now, into: &outputs)
        return outputs
    }

    mutating func respond(_ id: ServerTransactionID, _ status: Int, _ bytes: [UInt8]? = nil) -> [TransactionOutput] {
        var outputs: [TransactionOutput] = []
        layer.respond(to: id, status: status, bytes: bytes ?? Array("\(status)".utf8), now: now, into: &outputs)
        return outputs
    }

    mutating func request(
        _ message: Message, to flow: Flow = .center, isProxied: Bool = false, context: UInt64 = 0
    ) -> (ClientTransactionID?, [TransactionOutput]) {
        var outputs: [TransactionOutput] = []
        let id = layer.request(
            message.bytes, method: message.method, branch: message.via.first?.branch ?? "", to: flow,
            isProxied: isProxied, context: context, now: now, into: &outputs)
        return (id, outputs)
    }

    mutating func cancel(_ id: ClientTransactionID) -> [TransactionOutput] {
        var outputs: [TransactionOutput] = []
        layer.cancel(id, now: now, into: &outputs)
        return outputs
    }

    mutating func abandon(_ id: ClientTransactionID) -> [TransactionOutput] {
        var outputs: [TransactionOutput] = []
        layer.abandon(id, now: now, into: &outputs)
        return outputs
    }

    /// Moves the clock from deadline to deadline, so that each timer fires at its own time.
    mutating func advance(by span: Duration) -> [TransactionOutput] {
        var outputs: [TransactionOutput] = []
        let end = now + span
        while let deadline = layer.nextDeadline(), deadline <= end {
            now = deadline
            layer.fire(now: now, into: &outputs)
        }
        now = end
        return outputs
    }
}

extension Flow {
    static let phone = Flow(transport: .udp, remote: Endpoint(.v4(0x0A00_0005), port: 5062))
    static let center = Flow(transport: .udp, remote: Endpoint(.v4(0x0A00_0010), port: 5081))
    static let otherCenter = Flow(transport: .udp, remote: Endpoint(.v4(0x0A00_0011), port: 5082))
    static let tcpPhone = Flow(transport: .tcp, remote: Endpoint(.v4(0x0A00_0005), port: 40_000), connection: 7)
}

extension TransactionOutput {
    /// A short name for tests: what kind, and for messages which.
    var summary: String {
        switch self {
        case .send(let bytes, let flow): "send \(firstWords(of: bytes)) → \(flow.remote)"
        case .request(_, let message, _): "request \(message.method)"
        case .ack: "ack"
        case .cancel(_, let invite, _, _): invite == nil ? "cancel of nothing" : "cancel"
        case .response(_, let message): "response \(message.status ?? 0)"
        case .lateAnswer(_, let message, _): "late \(message.status ?? 0)"
        case .strayResponse(let message, _): "stray \(message.status ?? 0)"
        case .refused(let message, _): "refused \(message.method)"
        case .timedOut: "timed out"
        case .transportFailed: "transport failed"
        case .unacknowledged: "unacknowledged"
        case .responseFailed: "response failed"
        case .ended: "ended"
        case .clientEnded: "client ended"
        }
    }

    private func firstWords(of bytes: [UInt8]) -> String {
        let line = bytes.prefix { $0 != 13 }
        let words = String(decoding: line, as: UTF8.self).split(separator: " ")
        if words.first == "SIP/2.0", words.count > 1 { return String(words[1]) }
        return words.first.map(String.init) ?? ""
    }

    var sentBytes: [UInt8]? { if case .send(let bytes, _) = self { bytes } else { nil } }
}

extension [TransactionOutput] {
    var summary: [String] { map(\.summary) }
    var serverID: ServerTransactionID? {
        for case .request(let id, _, _) in self { return id }
        for case .cancel(let id, _, _, _) in self { return id }
        return nil
    }
}
