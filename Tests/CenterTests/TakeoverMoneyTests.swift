import Banking
import Primitives
import SIP
import Session
import Store
import Testing

@testable import Center

/// TAKEOVER.md, Money: what a caller in the middle of a transfer hears at the next center.
@Suite struct TakeoverMoneyTests {
    /// English, logged in, a transfer of 12.50 read back.
    private func atReadBack(_ cluster: Cluster) throws -> Phone {
        let bench = try cluster["a"]
        let phone = try Phone(bench).establish()
        for keys in ["21", "10000007", "246810", "3", "10000008", "12*5#"] { try bench.press(keys) }
        try #require(bench.call?.menu?.state == "transfer-confirm")
        return phone
    }

    private func confirm(_ bench: CenterBench) throws {
        bench.advance(by: .seconds(1))
        try bench.press("1")
    }

    /// "a caller killed out of the transfer's read-back hears the read-back again at the other center and can confirm it".
    @Test func readBackIsHeardAgainAndConfirmed() throws {
        let cluster = try Cluster(["a", "b"])
        let phone = try atReadBack(cluster)
        let id = try #require(cluster["a"].checkpoints.last?.checkpoint.menu?.pendingOperation?.id)
        try cluster.move(phone, from: "a", to: "b")
        let bench = try cluster["b"]
        #expect(bench.call?.menu?.state == "transfer-confirm")
        #expect(bench.bank.isEmpty)
        try confirm(bench)
        #expect(cluster.store.transfers.map(\.id.description) == [id])
        #expect(cluster.store.transfers.map(\.amountMinor) == [1_250])
        #expect(bench.call?.menu?.state == "transfer-execute")
        #expect(bench.timeline.contains { $0.detail == "transfer: done" })
        try phone.answerInvite()
    }

    /// The money moved, and the center died before the caller heard of it.
    @Test func resultThatTheCallerNeverHeardIsTold() throws {
        let cluster = try Cluster(["a", "b"])
        let phone = try atReadBack(cluster)
        try cluster["a"].press("1")
        #expect(cluster.store.transfers.count == 1)
        try cluster.move(phone, from: "a", to: "b")
        let bench = try cluster["b"]
        #expect(cluster.store.transfers.count == 1)
        #expect(bench.bank.isEmpty, "asked by its id, not told again")
        #expect(bench.timeline.contains { $0.detail == "transfer: done" })
        #expect(bench.call?.menu?.state == "transfer-execute")
        try bench.listen()
        #expect(bench.call?.menu?.state == "banking")
        try phone.answerInvite()
    }

    /// The caller confirmed, and the center died before the bank ran it: "an id that is absent never ran and never will".
    @Test func transferThatNeverRanIsReadBackAgain() throws {
        let cluster = try Cluster(["a", "b"])
        let phone = try atReadBack(cluster)
        let a = try cluster["a"]
        a.bankAnswers = false
        try a.press("1")
        let late = try #require(a.bank.last)
        try #require(cluster.store.session(late.write.session)?.checkpoint.menu?.pendingOperation?.phase == .submitted)
        try cluster.move(phone, from: "a", to: "b")
        let bench = try cluster["b"]
        #expect(bench.call?.menu?.state == "transfer-confirm")
        #expect(bench.timeline.contains { $0.detail == "transfer: never ran" })
        // What was on its way from a comes too late: the claim took the row.
        #expect(cluster.store.perform(late.operation, under: late.write, at: bench.now) == .notOwner)
        #expect(cluster.store.transfers.isEmpty)
        try confirm(bench)
        #expect(cluster.store.transfers.count == 1)
        #expect(bench.bank.map(\.operation.name) == ["transfer"])
        guard case .transfer(let id, _, _)? = bench.bank.last?.operation.action else {
            Issue.record("no transfer")
            return
        }
        #expect(late.write.checkpoint.menu?.pendingOperation?.id == id.description)
    }

    /// Refused is a result like any other.
    @Test func refusalThatTheCallerNeverHeardIsTold() throws {
        let cluster = try Cluster(["a", "b"])
        let bench = try cluster["a"]
        let phone = try Phone(bench).establish()
        for keys in ["21", "10000007", "246810", "3", "10000008", "99999*5#"] { try bench.press(keys) }
        try bench.press("1")
        #expect(bench.bank.last?.operation.name == "transfer")
        try cluster.move(phone, from: "a", to: "b")
        #expect(try cluster["b"].timeline.contains { $0.detail.hasPrefix("transfer: refused") })
        #expect(cluster.store.transfers.allSatisfy { $0.result != "done" })
    }

    /// The store is away just then: asked again, and "spoken as 'we cannot confirm this yet'" if it stays so.
    @Test(arguments: [2, 20])
    func outcomeIsAskedUntilTheMenusPatienceIsOver(_ seconds: Int) throws {
        let cluster = try Cluster(["a", "b"])
        let phone = try atReadBack(cluster)
        try cluster["a"].press("1")
        let bench = try cluster["b"]
        bench.replies = { if case .bankResult = $0 { .unavailable(StoreTrouble(.locked, "away")) } else { nil } }
        try cluster.move(phone, from: "a", to: "b")
        try phone.answerInvite()
        bench.advance(by: .seconds(seconds))
        #expect(bench.bank.isEmpty)
        bench.replies = { _ in nil }
        bench.advance(by: .seconds(1))
        #expect(bench.timeline.contains { $0.detail == "transfer: done" })
        #expect(cluster.store.transfers.count == 1)
    }

    /// Twice: the second survivor asks again.
    @Test func secondTakeoverTellsTheResultToo() throws {
        let cluster = try Cluster(["a", "b", "c"])
        let phone = try atReadBack(cluster)
        try cluster["a"].press("1")
        try cluster.move(phone, from: "a", to: "b")
        try cluster.move(phone, from: "b", to: "c")
        #expect(try cluster["c"].timeline.contains { $0.detail == "transfer: done" })
        #expect(cluster.store.transfers.count == 1)
    }

    /// Callers whose money is on its way come first (TAKEOVER.md, Order of a takeover).
    @Test func phaseOfTheOperationIsInTheCheckpoint() throws {
        let cluster = try Cluster(["a"])
        _ = try atReadBack(cluster)
        let bench = try cluster["a"]
        #expect(bench.checkpoints.last?.checkpoint.menu?.pendingOperation?.phase == .offered)
        bench.bankAnswers = false
        try bench.press("1")
        #expect(bench.checkpoints.last?.checkpoint.menu?.pendingOperation?.phase == .submitted)
        let asked = try #require(bench.bank.last)
        bench.handle(.bank(asked.call, asked.id, .done))
        #expect(bench.checkpoints.last?.checkpoint.menu?.pendingOperation?.phase == .executed)
    }

    /// A secret is gone with the center that held it: the PIN is asked for again, nothing else.
    @Test func loginInTheMiddleAsksForThePINAgain() throws {
        let cluster = try Cluster(["a", "b"])
        let bench = try cluster["a"]
        let phone = try Phone(bench).establish()
        bench.bankAnswers = false
        for keys in ["21", "10000007", "246810"] { try bench.press(keys) }
        try cluster.move(phone, from: "a", to: "b")
        let survivor = try cluster["b"]
        #expect(survivor.bank.isEmpty)
        survivor.advance(by: .seconds(1))
        try survivor.press("246810")
        #expect(survivor.call?.menu?.customer == "10000007")
    }
}
