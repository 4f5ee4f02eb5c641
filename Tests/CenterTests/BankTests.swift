import Banking
import Media
import Menu
import Primitives
import SIP
import Session
import Store
import Testing

@testable import Center

@Suite struct BankTests {
    /// English, banking, customer number, PIN.
    private func logIn(_ bench: CenterBench, pin: String = "246810") throws -> Phone {
        let phone = try Phone(bench).establish()
        try bench.press("21")
        try bench.press("10000007")
        try bench.press(pin)
        return phone
    }

    private func answer(_ bench: CenterBench, _ outcome: BankOutcome) throws {
        let asked = try #require(bench.bank.last)
        bench.handle(.bank(asked.call, asked.id, outcome))
    }

    @Test func loginAsksTheBankUnderTheSessionsRight() throws {
        let bench = try CenterBench()
        let phone = try logIn(bench)
        let asked = try #require(bench.bank.first)
        #expect(asked.operation.name == "login")
        #expect(asked.operation.customer.description == "10000007")
        #expect(asked.write.ownership == Ownership(node: try #require(CenterBench.identity)))
        #expect(asked.write.session == bench.opened[0].session)
        #expect(asked.write.checkpoint.callID == phone.callID)
        try answer(bench, .ok)
        #expect(bench.checkpoints.last?.checkpoint.menu?.login?.customer == "10000007")
        #expect(bench.timeline.contains { $0.kind == .bank && $0.detail == "login: ok" })
        #expect(bench.core.liveCalls.first?.authenticated == true)
    }

    /// I6: no secret digit in anything that leaves the core, nor in the core itself.
    @Test func pinIsNowhere() throws {
        let bench = try CenterBench()
        // Digits that nothing else has.
        let phone = try logIn(bench, pin: "857394")
        try answer(bench, .wrongPIN(remaining: 2))
        try bench.press("857394")
        try answer(bench, .ok)
        try phone.hangUp()
        var dumped = ""
        for action in bench.actions { dump(action, to: &dumped) }
        for action in bench.actions {
            if case .send(let bytes, _) = action { dumped += String(decoding: bytes, as: UTF8.self) }
        }
        for write in bench.opened + bench.checkpoints + bench.bank.map(\.write) {
            dumped += String(decoding: try write.checkpoint.encoded(), as: UTF8.self)
        }
        dumped += bench.timeline.map(\.detail).joined(separator: "\n")
        dump(bench.core, to: &dumped)
        // The search finds what is there, and half of the PIN would be found too.
        #expect(dumped.contains("10000007"))
        #expect(!dumped.contains("857394"))
        #expect(!dumped.contains("85739"))
        #expect(!dumped.contains("57394"))
    }

    /// TAKEOVER.md, Money: the id is fixed at the read-back, is in its checkpoint, and the transaction says "executed".
    @Test func transferRunsUnderTheIdOfItsReadBack() throws {
        let bench = try CenterBench()
        _ = try logIn(bench)
        try answer(bench, .ok)
        try bench.press("3")
        try bench.press("10000008")
        #expect(bench.bank.last?.operation.name == "check-payee")
        try answer(bench, .ok)
        try bench.press("12*5#")
        let offered = try #require(bench.checkpoints.last?.checkpoint.menu?.pendingOperation)
        #expect(offered.phase == .offered)
        try bench.press("1")
        let asked = try #require(bench.bank.last)
        guard case .transfer(let id, let payee, let amount) = asked.operation.action else {
            Issue.record("no transfer: \(asked.operation.name)")
            return
        }
        #expect(id.description == offered.id)
        #expect(payee.description == "10000008")
        #expect(amount == 1_250)
        #expect(asked.write.checkpoint.menu?.pendingOperation == PendingOperation(id: offered.id, phase: .executed))
        try answer(bench, .done)
        #expect(bench.timeline.contains { $0.detail == "transfer: done" })
        #expect(bench.bank.filter { $0.operation.name == "transfer" }.count == 1)
    }

    @Test func lateOutcomeIsIgnoredAfterTheEnd() throws {
        let bench = try CenterBench()
        let phone = try logIn(bench)
        try phone.hangUp()
        let before = bench.actions.count
        try answer(bench, .ok)
        #expect(bench.actions.count == before)
    }

    /// The menu goes on after its time-out; the answer is in the timeline all the same.
    @Test func outcomeAfterTheMenusPatienceIsOnlyNoted() throws {
        let bench = try CenterBench()
        _ = try logIn(bench)
        bench.advance(by: .seconds(10))
        try answer(bench, .ok)
        #expect(bench.timeline.contains { $0.detail == "login: ok" })
        #expect(bench.core.liveCalls.first?.authenticated == false)
    }

    @Test func withoutARowInTheStoreNoMoneyMoves() throws {
        let bench = try CenterBench()
        bench.storeMode = .away
        _ = try logIn(bench)
        #expect(bench.bank.isEmpty)
        #expect(bench.timeline.contains { $0.detail == "login: unavailable" })
        #expect(bench.callCount == 1)
    }

    /// TAKEOVER.md, The old owner.
    @Test func callOfAnotherOwnerIsDroppedWithoutBYEAndRecord() throws {
        let bench = try CenterBench()
        _ = try logIn(bench)
        bench.forgetSent()
        try answer(bench, .notOwner)
        #expect(bench.sent.isEmpty)
        #expect(bench.records.isEmpty)
        #expect(bench.callCount == 0)
        #expect(bench.isClosed(bench.lastCall))
        #expect(bench.notes.contains { if case .lostOwnership = $0 { true } else { false } })
    }

    @Test func agentsAreBusyAndTheMenuGoesOn() throws {
        let bench = try CenterBench()
        _ = try Phone(bench).establish()
        try bench.press("2")
        try bench.press("0")
        try bench.listen()
        #expect(bench.core.liveCalls.first?.state == "main")
        #expect(bench.timeline.contains { $0.kind == .queue })
        #expect(bench.callCount == 1)
    }
}
