import Logging
import Primitives
import Synchronization

/// The alarm board as the parts of a master share it: changes are logged and told to whoever listens.
final class AlarmDesk: Sendable {
    private let board = Mutex(AlarmBoard())
    private let feed: EventFeed
    private let log: Logger
    private let clock: @Sendable () -> WallTime

    init(feed: EventFeed, log: Logger, clock: @escaping @Sendable () -> WallTime) {
        self.feed = feed
        self.log = log
        self.clock = clock
    }

    var alarms: [Alarm] { board.withLock { $0.alarms } }

    /// - Parameter lasts: for what happened rather than lasts: after this long without a repeat it clears itself.
    func raise(
        _ code: Alarm.Code, _ severity: Alarm.Severity, node: String? = nil, _ message: String, lasts: Duration? = nil
    ) {
        let now = clock()
        let alarm = Alarm(code, severity, node: node, message: message, since: now)
        tell(board.withLock { $0.raise(alarm, until: lasts.map { now + $0 }) })
    }

    func clear(_ code: Alarm.Code, node: String? = nil) { tell(board.withLock { $0.clear(code, node: node) }) }

    func clearAll(_ code: Alarm.Code) {
        for change in board.withLock({ $0.clearAll(code) }) { tell(change) }
    }

    func set(
        _ isRaised: Bool, _ code: Alarm.Code, _ severity: Alarm.Severity, node: String? = nil,
        _ message: @autoclosure () -> String
    ) {
        if isRaised { raise(code, severity, node: node, message()) } else { clear(code, node: node) }
    }

    func expire() {
        let now = clock()
        for change in board.withLock({ $0.expire(now: now) }) { tell(change) }
    }

    private func tell(_ change: AlarmBoard.Change?) {
        switch change {
        case nil: return
        case .raised(let alarm):
            log.warning("alarm raised", metadata: Self.metadata(alarm))
            feed.publish("alarm-raised", alarm)
        case .changed(let alarm): feed.publish("alarm-raised", alarm)
        case .cleared(let alarm):
            log.notice("alarm cleared", metadata: Self.metadata(alarm))
            feed.publish("alarm-cleared", alarm)
        }
    }

    private static func metadata(_ alarm: Alarm) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["alarm": "\(alarm.code.rawValue)", "reason": "\(alarm.message)"]
        if let node = alarm.node { metadata["about"] = "\(node)" }
        return metadata
    }
}
