import Primitives
import Testing

@testable import Master

@Suite struct AlarmBoardTests {
    private static let start = WallTime(milliseconds: 1_000)

    private static func down(_ message: String, at time: WallTime = start, node: String = "center-a") -> Alarm {
        Alarm(.nodeDown, .critical, node: node, message: message, since: time)
    }

    @Test func anAlarmIsRaisedOnceAndKeepsItsBeginning() {
        var board = AlarmBoard()
        #expect(board.raise(Self.down("silent")) == .raised(Self.down("silent")))
        #expect(board.raise(Self.down("silent", at: Self.start + .seconds(5))) == nil)
        let renewed = Self.down("port refused")
        #expect(board.raise(Self.down("port refused", at: Self.start + .seconds(9))) == .changed(renewed))
        #expect(board.alarms == [renewed])
    }

    @Test func clearingTellsOnce() {
        var board = AlarmBoard()
        _ = board.raise(Self.down("silent"))
        #expect(board.clear(.nodeDown, node: "center-b") == nil)
        #expect(board.clear(.nodeDown, node: "center-a") == .cleared(Self.down("silent")))
        #expect(board.clear(.nodeDown, node: "center-a") == nil)
        #expect(board.alarms.isEmpty)
    }

    @Test func aCodeIsClearedWhateverNodeItIsAbout() {
        var board = AlarmBoard()
        for node in ["center-a", "center-b"] {
            _ = board.raise(Alarm(.fenceFailed, .major, node: node, message: "locked", since: Self.start))
        }
        _ = board.raise(Self.down("silent"))
        let cleared = board.clearAll(.fenceFailed)
        #expect(cleared.count == 2)
        let again = board.clearAll(.fenceFailed)
        #expect(again.isEmpty)
        #expect(board.alarms == [Self.down("silent")])
    }

    @Test func whatHappenedClearsItselfWhatLastsDoesNot() {
        var board = AlarmBoard()
        _ = board.raise(Self.down("silent"))
        let lost = Alarm(.callsLost, .critical, node: nil, message: "3 calls", since: Self.start)
        _ = board.raise(lost, until: Self.start + .seconds(60))
        #expect(board.expire(now: Self.start + .milliseconds(59_999)) == [])
        #expect(board.expire(now: Self.start + .seconds(60)) == [.cleared(lost)])
        #expect(board.expire(now: .init(milliseconds: .max)) == [])
        #expect(board.alarms == [Self.down("silent")])
    }

    @Test func theOldestStandsFirst() {
        var board = AlarmBoard()
        _ = board.raise(Self.down("b", at: Self.start + .seconds(1), node: "center-b"))
        _ = board.raise(Self.down("a", at: Self.start + .seconds(2), node: "center-a"))
        _ = board.raise(Alarm(.storeAway, .critical, node: nil, message: "full", since: Self.start))
        #expect(board.alarms.map(\.node) == [nil, "center-b", "center-a"])
    }

    /// I8: every table has a limit.
    @Test func itHoldsNoMoreThanItsLimit() {
        var board = AlarmBoard()
        for number in 0..<AlarmBoard.limit { #expect(board.raise(Self.down("x", node: "n\(number)")) != nil) }
        #expect(board.raise(Self.down("x", node: "one-more")) == nil)
        #expect(board.alarms.count == AlarmBoard.limit)
    }
}
