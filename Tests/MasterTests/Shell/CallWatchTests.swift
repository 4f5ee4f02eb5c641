import HTTPKit
import Primitives
import Session
import Store
import Synchronization
import Testing

@testable import Master

/// What listeners hear of calls. Nothing here runs by itself: each look is asked for.
@Suite struct CallWatchTests {
    private let store = MemoryStore(id: "store-1")
    private let feed = EventFeed()
    private let owner: Ownership
    private let watch: CallWatch

    init() async throws {
        owner = Ownership(node: try Given.node("center-a"))
        watch = CallWatch(store: store, feed: feed)
        _ = await store.submit(.register(Given.registration(owner.node)))
    }

    private func open(_ seed: UInt64) async {
        #expect(await store.submit(.open(SessionWrite(Given.checkpoint(seed), under: owner))) == .done)
    }

    private func end(_ seed: UInt64) async {
        let record = Given.checkpoint(seed).record.closed(.caller, at: Given.start + .seconds(60))
        #expect(await store.submit(.end(record, under: owner)) == .done)
    }

    /// The names of what was told since, and of which call.
    private func told(to stream: AsyncStream<ServerSentEvent>) async -> [String] {
        feed.close()
        var told: [String] = []
        for await event in stream {
            let id = (1...9 as ClosedRange<UInt64>).first { event.data.contains(Given.session($0).description) }
            told.append("\(event.name ?? "") \(id ?? 0)")
        }
        return told
    }

    @Test func aListenerIsGivenTheLiveCallsAndHearsWhatHappensAfterThem() async {
        await open(1)
        await open(2)
        let stream = feed.subscribe()
        #expect(await watch.holding().map(\.id) == [Given.session(1), Given.session(2)])
        await open(3)
        await end(1)
        #expect(await watch.holding().map(\.id) == [Given.session(2), Given.session(3)])
        #expect(await told(to: stream) == ["call-started 3", "call-ended 1"])
    }

    /// The store was away when somebody began to listen: the calls are told as soon as it can be asked.
    @Test func callsThatCouldNotBeGivenAreToldLater() async {
        await open(1)
        let stream = feed.subscribe()
        store.setTrouble(StoreTrouble(.locked, "another process holds it"))
        #expect(await watch.holding() == [])
        store.setTrouble(nil)
        _ = await watch.holding()
        #expect(await told(to: stream) == ["call-started 1"])
    }
}
