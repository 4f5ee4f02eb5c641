import SIP
import Synchronization
import Telemetry

/// What a master counts.
struct MasterMetrics: Sendable {
    private let metrics: NodeMetrics
    private let received: [Method: Counter]
    private let receivedOther: Counter
    private let responses: Counter
    private let pings: Counter
    private let pongs: Counter
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
        responses = metrics.sipMessages(method: "response", direction: .sent)
        pings = metrics.sipMessages(method: "OPTIONS", direction: .sent)
        pongs = metrics.sipMessages(method: "response", direction: .received)
        rejections = Dictionary(
            uniqueKeysWithValues: RedirectServer.Rejected.allCases.map {
                ($0, metrics.sipRejected(reason: $0.rawValue))
            })
        lost = metrics.calls(end: "lost")
        takeovers = metrics.registry.counter(
            "tandem_takeovers_total", help: "Takeovers of a dead center's calls that this master began.")
    }

    func received(_ method: Method) { (received[method] ?? receivedOther).add() }
    func answered() { responses.add() }
    func pinged() { pings.add() }
    func ponged() { pongs.add() }
    func rejected(_ reason: RedirectServer.Rejected) { rejections[reason]?.add() }
    func lostCalls(_ count: Int) { lost.add(UInt64(max(0, count))) }
    func takeoverBegan() { takeovers.add() }
    func node(_ name: String, isUp: Bool) { metrics.nodeUp(name).set(isUp ? 1 : 0) }
}
