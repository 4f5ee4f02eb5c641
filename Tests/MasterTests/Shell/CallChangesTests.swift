import Primitives
import Session
import Testing

@testable import Master

@Suite struct CallChangesTests {
    private static func call(_ seed: UInt64, state: String = "main") -> LiveCall {
        var call = LiveCall(Given.checkpoint(seed).record)
        call.state = state
        return call
    }

    private static func record(_ seed: UInt64) -> CallRecord {
        Given.checkpoint(seed).record.closed(.caller, at: Given.start + .seconds(60))
    }

    @Test func theFirstLookOnlyRemembers() {
        var changes = CallChanges()
        #expect(changes.look(live: [Self.call(1)], records: [Self.record(2)]) == [])
        #expect(changes.look(live: [Self.call(1)], records: [Self.record(2)]) == [])
    }

    @Test func callsStartChangeAndEnd() {
        var changes = CallChanges()
        _ = changes.look(live: [], records: [])
        #expect(changes.look(live: [Self.call(1)], records: []) == [.started(Self.call(1))])
        #expect(
            changes.look(live: [Self.call(1, state: "login")], records: []) == [.changed(Self.call(1, state: "login"))])
        #expect(changes.look(live: [], records: [Self.record(1)]) == [.ended(Self.record(1))])
        #expect(changes.look(live: [], records: [Self.record(1)]) == [])
    }

    @Test func aCallBetweenTwoLooksIsToldWhole() {
        var changes = CallChanges()
        _ = changes.look(live: [], records: [])
        #expect(
            changes.look(live: [], records: [Self.record(4), Self.record(3)]) == [
                .started(LiveCall(Self.record(3))), .ended(Self.record(3)),
                .started(LiveCall(Self.record(4))), .ended(Self.record(4)),
            ])
    }
}
