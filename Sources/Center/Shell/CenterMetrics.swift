import Logging
import MediaPlane
import SIP
import Session
import Telemetry

/// Counts and logs what a center's core notes.
struct CenterMetrics: Sendable {
    private let metrics: NodeMetrics
    private let log: Logger
    private let active: Gauge
    private let setup: Histogram
    private let takeovers: Counter
    private let takeoverSeconds: Histogram
    private let takeoverWaiting: Gauge
    private let standstills: Counter
    private let isolations: Counter
    private let bankDoubts: Counter
    private let ended: [EndKind: Counter]
    private let received: [Method: Counter]
    private let receivedOther: Counter
    private let rejections: [RejectionReason: Counter]
    private let sentByMethod: [Method: Counter]
    private let sentOther: Counter

    private static let methods: [Method] = [.invite, .ack, .bye, .cancel, .options, .info, .update, .prack]

    init(_ metrics: NodeMetrics, log: Logger) {
        self.metrics = metrics
        self.log = log
        active = metrics.callsActive
        setup = metrics.setupSeconds
        takeovers = metrics.takeoverCalls
        takeoverSeconds = metrics.takeoverSeconds
        takeoverWaiting = metrics.takeoverWaiting
        standstills = metrics.standstills
        isolations = metrics.isolations
        bankDoubts = metrics.bankDoubts
        ended = Dictionary(uniqueKeysWithValues: EndKind.allCases.map { ($0, metrics.calls(end: $0.rawValue)) })
        received = Dictionary(
            uniqueKeysWithValues: Self.methods.map {
                ($0, metrics.sipMessages(method: $0.description, direction: .received))
            })
        receivedOther = metrics.sipMessages(method: "other", direction: .received)
        rejections = Dictionary(
            uniqueKeysWithValues: RejectionReason.allCases.map { ($0, metrics.sipRejected(reason: $0.rawValue)) })
        sentByMethod = Dictionary(
            uniqueKeysWithValues: Self.methods.map {
                ($0, metrics.sipMessages(method: $0.description, direction: .sent))
            })
        sentOther = metrics.sipMessages(method: "other", direction: .sent)
    }

    func calls(_ count: Int, takeoversWaiting: Int) {
        active.set(count)
        takeoverWaiting.set(takeoversWaiting)
    }
    func rejected(_ reason: RejectionReason) { rejections[reason]?.add() }

    func received(_ message: SIP.Message) { (received[message.method] ?? receivedOther).add() }

    func sent(_ bytes: [UInt8]) {
        let counter = SentMethod.of(bytes).flatMap { sentByMethod[$0] }
        (counter ?? sentOther).add()
    }

    func streamRefused(_ refusal: StreamRefusal) {
        log.warning("no media stream for a call", metadata: ["reason": "\(refusal)"])
    }

    func count(_ note: CenterNote) {
        switch note {
        case .rejected(let reason): rejected(reason)
        case .answered(let delay): setup.record(delay)
        case .ended(let kind): ended[kind]?.add()
        case .unprotected(let session):
            log.warning("call answered before its checkpoint was stored", metadata: ["session": "\(session)"])
        case .lostOwnership(let session):
            log.notice("call dropped: another node owns it", metadata: ["session": "\(session)"])
        case .retransmissionGaveUp(let session):
            log.info("a response was never acknowledged", metadata: ["session": "\(session)"])
        case .requestWithoutTransaction: log.warning("too many requests wait for an answer: one was sent only once")
        case .recordGivenUp(let session):
            log.error("call record given up: too many wait for the store", metadata: ["session": "\(session)"])
        case .stoodStill(let gap):
            standstills.add()
            log.warning(
                "stood still: nothing leaves until this incarnation is confirmed",
                metadata: ["ms": "\(gap.wholeNanoseconds / 1_000_000)"])
        case .isolated:
            isolations.add()
            log.error("neither store, master nor access is heard: no audio, no new calls")
        case .confirmed: log.notice("this incarnation lives: audio and signalling go on")
        case .passedOn: break
        case .doubtBegan(let session):
            bankDoubts.add()
            log.notice("outcome of a bank operation is unknown", metadata: ["session": "\(session)"])
        case .doubtEnded(let session, let what):
            log.notice("bank operation", metadata: ["session": "\(session)", "outcome": "\(what)"])
        case .menuAnomaly(let what): log.error("menu", metadata: ["problem": "\(what)"])
        case .tookOver(let session, let delay):
            takeovers.add()
            takeoverSeconds.record(delay)
            log.info("call taken over", metadata: ["session": "\(session)"])
        case .takeoverFailed(let session, let reason):
            log.error("call not taken over", metadata: ["session": "\(session)", "problem": "\(reason)"])
        case .handedOver(let session): log.info("call handed over", metadata: ["session": "\(session)"])
        }
    }
}
