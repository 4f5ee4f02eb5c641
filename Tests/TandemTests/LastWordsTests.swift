import Testing

@testable import tandem

@Suite struct LastWordsTests {
    static let record = "2026-11-23T02:00:00.123Z notice center-a speaking prompts done=1 of=2\n"

    @Test func whatANodeSaysOfItselfIsItsReasonAndNotTheLogAroundIt() {
        let text = Self.record + "center-a: http: 127.0.0.1:8081: the port is in use by another process\n" + Self.record
        #expect(LastWords.reason(in: text) == "center-a: http: 127.0.0.1:8081: the port is in use by another process")
    }

    @Test func ofSeveralReasonsTheFirstIsSaidAndTheOthersCounted() {
        #expect(LastWords.reason(in: "a: wrong\nb: wrong\nc: wrong\n") == "a: wrong (and 2 more)")
    }

    @Test func withoutAReasonTheLastRecordIsSaidAndWithoutAnythingNothing() {
        #expect(LastWords.reason(in: Self.record) == "speaking prompts done=1 of=2")
        #expect(LastWords.reason(in: "") == nil)
    }
}
