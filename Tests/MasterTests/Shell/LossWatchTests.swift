import Logging
import Primitives
import Session
import Store
import Testing

@testable import Master

/// Calls that were lost where they had gone on are an alarm of every master, though no center raises one.
@Suite struct LossWatchTests {
    private let store = MemoryStore(id: "store-1")
    private let alarms: AlarmDesk
    private var watch: LossWatch
    private let survivor: Ownership

    init() async throws {
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        alarms = AlarmDesk(feed: EventFeed(), log: log) { Given.start + .seconds(100) }
        watch = LossWatch(store: store, alarms: alarms) { Given.start + .seconds(100) }
        survivor = Ownership(node: try Given.node("center-b"))
        _ = await store.submit(.register(Given.registration(survivor.node)))
    }

    /// A call of center-a that center-b went on with, and how it ended there.
    private func end(
        _ seed: UInt64, _ kind: EndKind, after span: Duration = .seconds(2), takeovers: Int = 1,
        why: String = "no ports"
    ) async {
        var record = Given.checkpoint(seed).record
        record.takeovers = takeovers
        if takeovers > 0 { record.centers.append("center-b") }
        let moved = Given.start + .seconds(20)
        var entries = [TimelineEntry(at: moved + span, kind: .end, detail: "\(kind.rawValue): \(why)")]
        if takeovers > 0 {
            entries.insert(TimelineEntry(at: moved, kind: .takeover, detail: "from center-a.k1"), at: 0)
        }
        _ = await store.submit(.appendTimeline(record.id, entries))
        #expect(await store.submit(.end(record.closed(kind, at: moved + span), under: survivor)) == .done)
    }

    private var raised: [String] { alarms.alarms.map { "\($0.code.rawValue) \($0.node ?? "-"): \($0.message)" } }

    @Test mutating func aCallLostByItsTakeoverIsAnAlarm() async {
        await watch.look()
        await end(1, .lost, why: "no dialog with the caller")
        await watch.look()
        await watch.look()
        #expect(
            raised == [
                "calls-lost center-b: calls lost that center-b took over from center-a: 1, the last because: "
                    + "no dialog with the caller"
            ])
        await end(2, .lost)
        await end(3, .lost, after: .seconds(40), why: "the caller's phone does not answer")
        for _ in 1...3 { await watch.look() }
        #expect(raised.count == 1)
        #expect(raised.first?.contains("from center-a: 3, the last") == true)
    }

    /// A phone that went out of reach an hour later, or was never taken over, is nothing to wake anybody for.
    @Test mutating func otherEndsAreNone() async {
        await watch.look()
        await end(1, .lost, takeovers: 0, why: "no RTP")
        await end(2, .lost, after: .seconds(61), why: "no RTP")
        await end(3, .caller)
        // Its new center died as well: whoever closed it raises the alarm.
        await end(4, .lost, why: "center-b died")
        for _ in 1...3 { await watch.look() }
        #expect(raised == [])
    }

    @Test mutating func whatEndedBeforeTheFirstLookIsPast() async {
        await end(1, .lost)
        for _ in 1...3 { await watch.look() }
        #expect(raised == [])
    }

    @Test mutating func moreThanAPageBetweenTwoLooksAndAStoreThatWasAwayLoseNone() async {
        await watch.look()
        await end(1, .lost)
        for seed in 2...(UInt64(LossWatch.page) * 2) { await end(seed, .menu) }
        store.setTrouble(StoreTrouble(.locked, "another process holds it"))
        await watch.look()
        store.setTrouble(nil)
        await watch.look()
        store.setTrouble(StoreTrouble(.locked, "another process holds it"))
        await watch.look()
        store.setTrouble(nil)
        for _ in 1...2 { await watch.look() }
        #expect(raised.count == 1)
    }
}
