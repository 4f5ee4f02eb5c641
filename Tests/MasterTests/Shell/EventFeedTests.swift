import HTTPKit
import Testing

@testable import Master

@Suite struct EventFeedTests {
    @Test func whatHoldsComesBeforeWhatHappens() async {
        let feed = EventFeed()
        // More than any buffer takes, and something happens while it is collected.
        let many = EventFeed.backlogLimit * 2
        let stream = feed.subscribe {
            feed.publish("node", many)
            return (0..<many).map { ServerSentEvent("\($0)", name: "node") }
        }
        feed.publish("node", many + 1)
        var heard: [String] = []
        for await event in stream {
            heard.append(event.data)
            if heard.count == many + 2 { feed.close() }
        }
        #expect(heard.prefix(many) == (0..<many).map(String.init)[...])
        #expect(Set(heard.dropFirst(many)) == ["\(many)", "\(many + 1)"])
    }

    /// I8: a listener over the limit is turned away, not queued.
    @Test func listenersAreLimited() async {
        let feed = EventFeed()
        let streams = (0..<EventFeed.listenerLimit).map { _ in feed.subscribe() }
        #expect(feed.isFull)
        for await _ in feed.subscribe() { Issue.record("it listens") }
        #expect(feed.listenerCount == streams.count)
        feed.close()
        #expect(feed.listenerCount == 0)
    }

    @Test func whoFallsBehindIsCutOff() async {
        let feed = EventFeed()
        let stream = feed.subscribe()
        for number in 0..<(EventFeed.backlogLimit + 10) { feed.publish("node", number) }
        #expect(feed.listenerCount == 0)
        var heard = 0
        for await _ in stream { heard += 1 }
        #expect(heard == EventFeed.backlogLimit)
    }

    // MARK: Waiting for another thread

    @Test func aQuestionThatIsNotTakenHasNoAnswer() async {
        let refused: Int? = await answer(within: .seconds(60)) { _ in false }
        #expect(refused == nil)
    }

    @Test func onlyTheFirstAnswerCounts() async {
        let given: Int? = await answer(within: .seconds(60)) { give in
            give(1)
            give(2)
            return true
        }
        #expect(given == 1)
    }

    @Test func aQuestionThatIsForgottenEnds() async {
        let forgotten: Int? = await answer(within: .milliseconds(1)) { _ in true }
        #expect(forgotten == nil)
    }
}
