import Glibc
import Testing

@testable import NetworkIO

struct ProcessIdentityTests {
    @Test func ownIdentityIsRunning() throws {
        let own = try #require(ProcessIdentity.current())
        #expect(own.pid == getpid())
        #expect(own.isRunning)
    }

    @Test func sameNumberWithAnotherStartIsAnotherProcess() throws {
        var other = try #require(ProcessIdentity.current())
        other.startTicks += 1
        #expect(!other.isRunning)
        other = try #require(ProcessIdentity.current())
        other.bootID = "another boot"
        #expect(!other.isRunning)
    }

    /// proc(5): the command is in parentheses and may contain spaces and parentheses itself.
    @Test func commandWithParenthesesAndSpacesDoesNotShiftTheFields() {
        let stat = "12 (a) R (b)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21"
        #expect(ProcessIdentity.startTicks(inStat: stat) == 4711)
        #expect(ProcessIdentity.startTicks(inStat: "12 (a) S 1 2") == nil)
        #expect(ProcessIdentity.startTicks(inStat: "") == nil)
    }

    @Test func clockMovesForward() {
        let first = NodeClock.now()
        #expect(NodeClock.now() >= first)
        #expect(first.nanoseconds > 0)
    }
}
