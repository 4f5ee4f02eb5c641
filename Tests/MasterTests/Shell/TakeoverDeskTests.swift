import Logging
import Primitives
import Session
import Telemetry
import Testing

@testable import Master

@Suite struct TakeoverDeskTests {
    private let alarms: AlarmDesk
    private let desk: TakeoverDesk
    private let dead: NodeIdentity

    init() throws {
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let feed = EventFeed()
        alarms = AlarmDesk(feed: feed, log: log) { Given.start }
        desk = TakeoverDesk(
            feed: feed, alarms: alarms, metrics: MasterMetrics(NodeMetrics(MetricRegistry())), log: log)
        dead = try Given.node("center-a")
    }

    /// I4: never silently. Sessions that the store can neither give away nor close stand in the alarms until they are gone.
    @Test func sessionsThatCannotBeClosedAreAnAlarmUntilTheyAre() {
        let refused = SessionCloser.Outcome(
            lost: 2, isComplete: false, refused: [Given.session(1), Given.session(2), Given.session(3)],
            reason: "a row of the store holds no readable Checkpoint")
        desk.lost(dead, .nobodyTook, refused)
        #expect(alarms.alarms.map(\.code) == [.callsLost, .callsStuck])
        let stuck = alarms.alarms.first { $0.code == .callsStuck }
        #expect(stuck?.severity == .major && stuck?.node == "center-a")
        #expect(
            stuck?.message
                == "3 calls of center-a can be neither taken over nor closed: a row of the store holds no readable Checkpoint"
        )
        desk.lost(dead, .nobodyTook, SessionCloser.Outcome(lost: 3))
        #expect(alarms.alarms.map(\.code) == [.callsLost])
    }

    /// With the store away there is an alarm for that.
    @Test func aStoreThatIsAwayIsNoSuchAlarm() {
        desk.lost(dead, .nobodyTook, SessionCloser.Outcome(isComplete: false))
        #expect(alarms.alarms.isEmpty)
    }
}
