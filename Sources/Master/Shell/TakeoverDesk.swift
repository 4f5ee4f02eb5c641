import Logging
import Primitives
import Session

/// Tells of takeovers: the log, the metrics, the alarms and whoever listens to events.
struct TakeoverDesk: Sendable {
    let feed: EventFeed
    let alarms: AlarmDesk
    let metrics: MasterMetrics
    let log: Logger

    /// An event `takeover-begun`.
    struct Begun: Encodable, Equatable {
        var node: String
        var incarnation: String
        /// Calls that the dead center held.
        var calls: Int
    }

    /// An event `takeover-ended`.
    struct Ended: Encodable, Equatable {
        var node: String
        var incarnation: String
        /// Calls that others go on with, or that ended meanwhile.
        var taken: Int
        var lost: Int
        var duration_ms: Int64
    }

    func began(_ dead: NodeIdentity, sessions: Int) {
        metrics.takeoverBegan()
        log.notice("takeover begun", metadata: ["about": "\(dead)", "calls": "\(sessions)"])
        feed.publish("takeover-begun", Begun(node: dead.name, incarnation: dead.incarnation, calls: sessions))
    }

    func ended(_ dead: NodeIdentity, _ outcome: TakeoverOutcome) {
        let took_ms = outcome.took.wholeMilliseconds
        log.notice(
            "takeover ended",
            metadata: [
                "about": "\(dead)", "taken": "\(outcome.taken)", "lost": "\(outcome.lost)", "ms": "\(took_ms)",
            ])
        feed.publish(
            "takeover-ended",
            Ended(
                node: dead.name, incarnation: dead.incarnation, taken: outcome.taken, lost: outcome.lost,
                duration_ms: took_ms))
    }

    /// Sessions were closed instead of being taken over.
    func lost(_ dead: NodeIdentity, _ reason: LossReason, _ outcome: SessionCloser.Outcome) {
        metrics.lostCalls(outcome.lost)
        // It is tried again while anything is left: a line only where something was closed.
        let closed = outcome.lost + outcome.hungUp
        log.log(
            level: closed > 0 ? .warning : .debug, "calls of a dead center closed",
            metadata: [
                "about": "\(dead)", "lost": "\(outcome.lost)", "hung-up": "\(outcome.hungUp)",
                "complete": "\(outcome.isComplete)", "reason": "\(reason)",
            ])
        if let why = outcome.reason {
            alarms.raise(
                .callsStuck, .major, node: dead.name,
                "\(outcome.refused.count) calls of \(dead.name) can be neither taken over nor closed: \(why)",
                lasts: .seconds(60))
        } else if outcome.isComplete {
            alarms.clear(.callsStuck, node: dead.name)
        }
        guard outcome.lost > 0 else { return }
        alarms.raise(
            .callsLost, .critical, node: dead.name, "\(outcome.lost) calls of \(dead.name) were lost: \(reason)",
            lasts: .seconds(600))
    }
}

extension LossReason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .ownerLongSilent(let since):
            "it was silent for more than \(MasterCore.silenceForLost.components.seconds) s"
                + (since.map { ", since \($0)" } ?? "")
        case .nobodyTook: "no center took them over"
        case .centersFull: "the other centers are full"
        case .claimedToClose: "they were claimed to be closed before"
        }
    }
}
