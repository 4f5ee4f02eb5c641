import Session
import Store

/// Tells listeners of calls that start and end, by looking into the store; while nobody listens it does not look.
actor CallWatch {
    static let liveLimit = 10_000
    static let recordLimit = 1_000

    private let store: any Store
    private let feed: EventFeed
    private var changes = CallChanges()
    /// Somebody listens who was not told which calls are live: the store could not be asked.
    private var owesCalls = false
    /// The look that is taken now: they follow each other, or an older one would undo what a newer one found.
    private var last: Task<[LiveCall]?, Never>?

    init(store: any Store, feed: EventFeed) {
        self.store = store
        self.feed = feed
    }

    func run(every interval: Duration) async {
        while !Task.isCancelled {
            if feed.listenerCount == 0 { forget() } else { _ = await look() }
            try? await Task.sleep(for: interval)
        }
    }

    /// The calls that are live now, for a listener who subscribed before: whatever happens after them, that listener is
    /// told. Empty while the store cannot be asked; they are told as soon as it can.
    func holding() async -> [LiveCall] {
        if let calls = await look() { return calls }
        owesCalls = true
        return []
    }

    private func forget() {
        changes = CallChanges()
        owesCalls = false
    }

    private func look() async -> [LiveCall]? {
        let before = last
        let task = Task {
            _ = await before?.value
            return await compare()
        }
        last = task
        return await task.value
    }

    private func compare() async -> [LiveCall]? {
        guard case .liveCalls(let calls) = await store.submit(.liveCalls(limit: Self.liveLimit)),
            case .callRecords(let records) = await store.submit(.callRecords(limit: Self.recordLimit, before: nil))
        else { return nil }
        let news = changes.look(live: calls, records: records)
        if owesCalls {
            owesCalls = false
            for call in calls { feed.publish("call-started", call) }
        }
        for change in news {
            switch change {
            case .started(let call): feed.publish("call-started", call)
            case .changed(let call): feed.publish("call-changed", call)
            case .ended(let record): feed.publish("call-ended", record)
            }
        }
        return calls
    }
}
