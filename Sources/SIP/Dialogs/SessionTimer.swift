/// Keeps one session fresh, or notices that the other side no longer does (RFC 4028 §10).
public struct SessionTimer: Equatable, Codable, Sendable {
    public enum Timer: String, Codable, Sendable { case refresh, expiry }

    public enum Event: Equatable, Sendable {
        /// A session began or was refreshed, by either side, with that interval in seconds.
        case agreed(seconds: Int, weRefresh: Bool)
        case fired(Timer)
        /// The session has no timer any more, or is over.
        case stopped
    }

    public enum Action: Equatable, Sendable {
        /// Send an UPDATE or re-INVITE.
        case refresh
        /// The session expired: BYE, unless media shows that it lives.
        case expire
        case schedule(Timer, Duration)
        case cancel(Timer)
    }

    private var seconds: Int?
    private var weRefresh = false

    public init() {}

    /// A timer that another node had; its deadlines are the caller's to set.
    public init(resuming seconds: Int, weRefresh: Bool) {
        self.seconds = max(seconds, 1)
        self.weRefresh = weRefresh
    }

    /// How long before the session expires the side that does not refresh it gives up (§10).
    public var margin: Duration { seconds.map { min(.seconds(32), .seconds($0) / 3) } ?? .zero }

    /// The interval in force; nil without a timer.
    public var interval: Int? { seconds }
    public var isRefresher: Bool { seconds != nil && weRefresh }

    public mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .agreed(let interval, let weRefresh):
            let cancelled = cancellations
            seconds = max(interval, 1)
            self.weRefresh = weRefresh
            return cancelled + schedules
        case .fired(.refresh):
            return seconds == nil ? [] : [.refresh]
        case .fired(.expiry):
            guard seconds != nil else { return [] }
            let cancelled: [Action] = weRefresh ? [.cancel(.refresh)] : []
            seconds = nil
            return cancelled + [.expire]
        case .stopped:
            let cancelled = cancellations
            seconds = nil
            return cancelled
        }
    }

    private var cancellations: [Action] {
        guard seconds != nil else { return [] }
        return weRefresh ? [.cancel(.refresh), .cancel(.expiry)] : [.cancel(.expiry)]
    }

    private var schedules: [Action] {
        guard let seconds else { return [] }
        var actions: [Action] = []
        // §10: the refresher sends "once half the session interval has elapsed"; the other side sends a BYE "before the
        // session expires … the minimum of 32 seconds and one third of the session interval" before.
        if weRefresh { actions.append(.schedule(.refresh, .seconds(seconds) / 2)) }
        actions.append(.schedule(.expiry, .seconds(seconds) - margin))
        return actions
    }
}
