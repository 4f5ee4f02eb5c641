import Banking
import Primitives
import SIP
import Session
import Store
import Testing

@testable import Center

/// TAKEOVER.md, Money: an unknown outcome "is resolved by asking for the id, never by a second run under a new id".
@Suite struct BankDoubtTests {
    /// A transfer that was confirmed, and whose outcome the bank cannot tell.
    private func doubtful(_ bench: CenterBench) throws -> (Phone, OperationID) {
        let phone = try Phone(bench).establish()
        try bench.press("21")
        try bench.press("10000007")
        try bench.press("246810")
        try answer(bench, .ok)
        try bench.press("3")
        try bench.press("10000008")
        try answer(bench, .ok)
        try bench.press("500#")
        try bench.press("1")
        let id = try #require(bench.bank.last?.operation.id)
        try answer(bench, .unknown)
        return (phone, id)
    }

    private func answer(_ bench: CenterBench, _ outcome: BankOutcome) throws {
        let asked = try #require(bench.bank.last)
        bench.handle(.bank(asked.call, asked.id, outcome))
    }

    private func questions(_ bench: CenterBench, _ id: OperationID) -> Int {
        bench.requests.filter { $0 == .bankResult(id) }.count
    }

    private func resolutions(_ bench: CenterBench) -> [String] {
        bench.timeline.map(\.detail).filter { $0.contains("resolved") || $0.contains("given up") }
    }

    @Test func unknownOutcomeIsAskedForByItsID() throws {
        let bench = try CenterBench()
        let (_, id) = try doubtful(bench)
        bench.replies = { if case .bankResult = $0 { .bankResult(.done) } else { nil } }
        bench.advance(by: BankDoubts.firstDelay)
        #expect(questions(bench, id) == 1)
        #expect(resolutions(bench) == ["transfer \(id): resolved, done"])
        // No second run.
        #expect(bench.bank.filter { $0.operation.name == "transfer" }.count == 1)
        bench.advance(by: .seconds(600))
        #expect(questions(bench, id) == 1)
    }

    @Test func resolvedOutcomeIsInTheCheckpoint() throws {
        let bench = try CenterBench()
        let (_, id) = try doubtful(bench)
        bench.replies = { if case .bankResult = $0 { .bankResult(.done) } else { nil } }
        bench.advance(by: BankDoubts.firstDelay)
        let handle = try #require(bench.lastCall)
        var phase: PendingOperation.Phase?
        bench.core.withCall(handle) { phase = $1.operationPhase.flatMap { $0.id == id.description ? $0.phase : nil } }
        #expect(phase == .executed)
    }

    /// Each doubt has the id of its own operation, whatever was asked before or meanwhile.
    @Test func anotherOperationInDoubtIsAskedForByItsOwnID() throws {
        let bench = try CenterBench()
        let (_, transfer) = try doubtful(bench)
        try bench.listen()
        try bench.press("5")
        try bench.press("975318")
        try bench.press("975318")
        let change = try #require(bench.bank.last?.operation.id)
        #expect(bench.bank.last?.operation.name == "change-pin" && change != transfer)
        try answer(bench, .unknown)
        bench.replies = { if case .bankResult(let id) = $0 { .bankResult(id == transfer ? .done : nil) } else { nil } }
        bench.advance(by: BankDoubts.firstDelay)
        #expect(questions(bench, transfer) == 1 && questions(bench, change) == 1)
        #expect(resolutions(bench) == ["transfer \(transfer): resolved, done"])
        bench.advance(by: .seconds(600))
        #expect(resolutions(bench).last == "change-pin \(change): resolved, it never ran")
    }

    @Test func anAnswerToAnotherOperationSaysNothingOfTheTransfer() throws {
        let bench = try CenterBench()
        let (_, transfer) = try doubtful(bench)
        try bench.listen()
        try bench.press("1")
        #expect(bench.bank.last?.operation.name == "balance")
        try answer(bench, .unavailable)
        let handle = try #require(bench.lastCall)
        var phase: (id: String, phase: PendingOperation.Phase)?
        bench.core.withCall(handle) { phase = $1.operationPhase }
        #expect(phase?.id == transfer.description && phase?.phase == .submitted)
    }

    /// The session's timeline says what became of it although nobody is there to hear it.
    @Test func callThatEndedMeanwhileIsResolvedToo() throws {
        let bench = try CenterBench()
        let (phone, id) = try doubtful(bench)
        try phone.hangUp()
        bench.replies = { if case .bankResult = $0 { .bankResult(.refused(.insufficient)) } else { nil } }
        bench.advance(by: BankDoubts.firstDelay)
        #expect(resolutions(bench) == ["transfer \(id): resolved, \(BankOutcome.refused(.insufficient).detailedName)"])
    }

    /// Absent may mean not yet.
    @Test func absentOperationIsAskedForWithBackOffAndALimit() throws {
        let bench = try CenterBench()
        let (phone, id) = try doubtful(bench)
        try phone.hangUp()
        bench.replies = { if case .bankResult = $0 { .bankResult(nil) } else { nil } }
        bench.advance(by: .seconds(4))
        #expect(questions(bench, id) == 3)
        #expect(resolutions(bench).isEmpty)
        bench.advance(by: .seconds(600))
        #expect(questions(bench, id) == BankDoubts.absenceLimit)
        #expect(resolutions(bench) == ["transfer \(id): resolved, it never ran"])
        #expect(bench.timerCount == 0)
    }

    @Test func storeThatIsAwayIsAskedUntilItIsBack() throws {
        let bench = try CenterBench()
        let (phone, id) = try doubtful(bench)
        try phone.hangUp()
        bench.storeMode = .away
        bench.advance(by: .seconds(1_200))
        #expect(questions(bench, id) > BankDoubts.absenceLimit)
        #expect(resolutions(bench).isEmpty)
        bench.storeMode = .answers
        bench.replies = { if case .bankResult = $0 { .bankResult(.done) } else { nil } }
        bench.advance(by: BankDoubts.longestDelay)
        #expect(resolutions(bench) == ["transfer \(id): resolved, done"])
    }

    @Test func doubtsEndAfterAnHour() throws {
        let bench = try CenterBench()
        let (phone, id) = try doubtful(bench)
        try phone.hangUp()
        bench.storeMode = .away
        bench.advance(by: BankDoubts.longest + BankDoubts.longestDelay)
        let asked = questions(bench, id)
        bench.advance(by: .seconds(600))
        #expect(questions(bench, id) == asked)
        #expect(bench.notes.count { if case .doubtBegan = $0 { true } else { false } } == 1)
        #expect(bench.notes.contains { if case .doubtEnded = $0 { true } else { false } })
    }

    @Test func doubtsAreBounded() throws {
        var doubts = BankDoubts()
        var random = SeededRandom(seed: 1)
        var first: OperationID?
        for number in 0..<BankDoubts.limit {
            #expect(doubts.surplus == nil)
            let id = OperationID(using: &random)
            first = first ?? id
            doubts[id] = .init(
                session: SessionID(using: &random), call: CallHandle(rawValue: UInt64(number)), name: "transfer",
                since: .zero + .seconds(number))
        }
        #expect(doubts.surplus == first)
    }
}
