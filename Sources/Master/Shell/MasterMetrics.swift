import SIP
import Synchronization
import Telemetry

/// What a master counts.
struct MasterMetrics: Sendable {
    private let metrics: NodeMetrics
    private let received: [Method: Counter]
    private let receivedOther: Counter
    private let sent: [Method: Counter]
    private let sentOther: Counter
    private let rejections: [RedirectServer.Rejected: Counter]
    private let lost: Counter
    private let takeovers: Counter

    init(_ metrics: NodeMetrics) {
        self.metrics = metrics
        let methods: [Method] = [.invite, .ack, .cancel, .options]
        received = Dictionary(
            uniqueKeysWithValues: methods.map {
                ($0, metrics.sipMessages(method: $0.description, direction: .received))
            })
        receivedOther = metrics.sipMessages(method: "other", direction: .received)
        sent = Dictionary(
            uniqueKeysWithValues: methods.map { ($0, metrics.sipMessages(method: $0.description, direction: .sent)) })
        sentOther = metrics.sipMessages(method: "other", direction: .sent)
        rejections = Dictionary(
            uniqueKeysWithValues: RedirectServer.Rejected.allCases.map {
                ($0, metrics.sipRejected(reason: $0.rawValue))
            })
        lost = metrics.calls(end: "lost")
        takeovers = metrics.registry.counter(
            "tandem_takeovers_total", help: "Takeovers of a dead center's calls that this master began.")
    }

    /// A request, or a response under the method that it answers.
    func received(_ method: Method) { (received[method] ?? receivedOther).add() }
    func sent(_ bytes: [UInt8]) { (SentMethod.of(bytes).flatMap { sent[$0] } ?? sentOther).add() }
    func pinged() { sent[.options]?.add() }
    func ponged() { received(.options) }
    func rejected(_ reason: RedirectServer.Rejected) { rejections[reason]?.add() }
    func lostCalls(_ count: Int) { lost.add(UInt64(max(0, count))) }
    func takeoverBegan() { takeovers.add() }
    func node(_ name: String, isUp: Bool) { metrics.nodeUp(name).set(isUp ? 1 : 0) }
}
