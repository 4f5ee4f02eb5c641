import Primitives
import Session
import Store

/// Raises `calls-lost` for calls that were lost where they had gone on: rebuilt in vain, or with a phone that the new
/// center could not reach. Centers raise no alarms; what they write of such a call is in the store for every master.
struct LossWatch: Sendable {
    /// A call that ends as lost this long after its takeover was lost by it. A phone that is asked in vain is given up
    /// after 32 s; what ends later ends by itself.
    static let window: Duration = .seconds(60)
    /// How long the alarm stands after the last of them.
    static let standing: Duration = .seconds(600)
    /// Records that are read at a time, and how often at a look: ten thousand calls a second may end before any is missed.
    static let page = 100
    static let pages = 100

    let store: any Store
    let alarms: AlarmDesk
    let clock: @Sendable () -> WallTime

    /// The newest records, by what was read last. Records of nodes that write at once may come out of turn.
    private var seen: Set<SessionID>?
    /// Judged at the next look, when their timelines are sure to be written.
    private var waiting: [CallRecord] = []
    private var losses: [String: (count: Int, until: WallTime)] = [:]

    init(store: any Store, alarms: AlarmDesk, clock: @escaping @Sendable () -> WallTime) {
        self.store = store
        self.alarms = alarms
        self.clock = clock
    }

    func run(every interval: Duration) async {
        var watch = self
        while !Task.isCancelled {
            await watch.look()
            try? await Task.sleep(for: interval)
        }
    }

    mutating func look() async {
        guard let news = await news() else { return }
        let due = waiting
        waiting = news.filter { $0.end == .lost && $0.takeovers > 0 }
        for record in due { await judge(record) }
    }

    /// What ended since the last look; nothing at the first one, and nil while the store cannot be asked.
    private mutating func news() async -> [CallRecord]? {
        var news: [CallRecord] = []
        var read: [CallRecord] = []
        for _ in 0..<Self.pages {
            let reply = await store.submit(.callRecords(limit: Self.page, before: read.last?.id))
            guard case .callRecords(let records) = reply else { return nil }
            read += records
            guard let seen else { break }
            let unseen = records.filter { !seen.contains($0.id) }
            news += unseen
            if records.count < Self.page || unseen.count < records.count { break }
        }
        seen = Set(read.map(\.id))
        return news
    }

    private mutating func judge(_ record: CallRecord) async {
        guard let ended = record.ended, let center = record.centers.last else { return }
        switch await store.submit(.call(record.id)) {
        case .call(let detail):
            guard let takeover = detail.timeline.last(where: { $0.kind == .takeover }),
                ended - takeover.at <= Self.window
            else { return }
            let why = detail.timeline.last { $0.kind == .end }?.detail ?? "lost"
            // Its new center died too: who closed it says so.
            guard why != SessionCloser.lostDetail(of: center) else { return }
            raise(record, center, why.hasPrefix("lost: ") ? String(why.dropFirst(6)) : why)
        case .unavailable: waiting.append(record)
        default: return
        }
    }

    private mutating func raise(_ record: CallRecord, _ center: String, _ why: String) {
        let now = clock()
        let before = losses[center].map { $0.until > now ? $0.count : 0 } ?? 0
        losses[center] = (before + 1, now + Self.standing)
        let former = record.centers.dropLast().last.map { " from \($0)" } ?? ""
        alarms.raise(
            .callsLost, .critical, node: center,
            "calls lost that \(center) took over\(former): \(before + 1), the last because: \(why)",
            lasts: Self.standing)
    }
}
