import Banking
import Primitives
import Session
import Testing

@testable import Store

/// What every engine must do with money (I2, I3).
@Suite struct BankContractTests {
    func opened(_ kind: EngineKind, _ balances: [Int64], rules: BankRules = .standard) throws -> StoreUnderTest {
        var store = try StoreUnderTest(kind, rules: rules)
        let customers = try balances.enumerated().map { try Given.opening($0 + 1, minor: $1) }
        #expect(store.ask(.seed(customers)) == .done)
        return store
    }

    @Test(arguments: EngineKind.allCases) func aTransferMovesMoneyOnceHoweverOftenItIsAsked(_ kind: EngineKind) throws {
        var store = try opened(kind, [1000, 500])
        let transfer = StoreRequest.bank(BankRequest(try Given.transfer("op-1", from: 1, to: 2, 300)))
        for _ in 0..<3 { #expect(store.ask(transfer) == .bank(.done)) }
        #expect(store.ask(.accounts(includingBank: true)).accounts.map(\.balanceMinor) == [-1500, 700, 800])
        #expect(store.ask(.bankResult(try #require(OperationID("op-1")))) == .bankResult(.done))
        #expect(store.ask(.bankResult(try #require(OperationID("op-2")))) == .bankResult(nil))
        #expect(store.ask(.audit).audit?.ok == true)
    }

    @Test(arguments: EngineKind.allCases) func theFirstResultStandsEvenARefusal(_ kind: EngineKind) throws {
        var store = try opened(kind, [100, 1000])
        let small = StoreRequest.bank(BankRequest(try Given.transfer("op-1", from: 1, to: 2, 300)))
        #expect(store.ask(small) == .bank(.refused(.insufficient)))
        #expect(store.ask(.bank(BankRequest(try Given.transfer("op-2", from: 2, to: 1, 900)))) == .bank(.done))
        #expect(store.ask(small) == .bank(.refused(.insufficient)))
    }

    @Test(arguments: EngineKind.allCases) func anIDIsNeverUsedForAnotherRequest(_ kind: EngineKind) throws {
        var store = try opened(kind, [1000, 500, 0])
        #expect(store.ask(.bank(BankRequest(try Given.transfer("op", from: 1, to: 2, 300)))) == .bank(.done))
        let others = [
            try Given.transfer("op", from: 1, to: 2, 301), try Given.transfer("op", from: 1, to: 3, 300),
            try Given.transfer("op", from: 2, to: 1, 300),
            LedgerRequest(customer: try Given.customer(1), .reportCard(try #require(OperationID("op")))),
        ]
        for other in others { #expect(store.ask(.bank(BankRequest(other))) == .bank(.refused(.differentRequest))) }
        #expect(store.ask(.accounts(includingBank: false)).accounts.map(\.balanceMinor) == [700, 800, 0])
    }

    @Test(arguments: EngineKind.allCases) func eachRefusalChangesNothing(_ kind: EngineKind) throws {
        let rules = BankRules(singleLimitMinor: 500, dailyLimitMinor: 800)
        var store = try opened(kind, [1000, 500, 0], rules: rules)
        #expect(store.ask(.setAccountStatus(AccountNumber(first: try Given.customer(3)), .frozen)) == .done)
        let cases: [(Int, Int, Int64, RefusalReason)] = [
            (1, 2, 0, .invalidAmount), (1, 2, -5, .invalidAmount), (1, 9, 5, .unknownPayee), (1, 1, 5, .sameAccount),
            (1, 3, 5, .frozen), (3, 1, 5, .frozen), (1, 2, 1001, .insufficient), (1, 2, 501, .singleLimit),
            (9, 1, 5, .noAccount),
        ]
        for (index, (from, to, amount, reason)) in cases.enumerated() {
            let request = try Given.transfer("op-\(index)", from: from, to: to, amount)
            #expect(store.ask(.bank(BankRequest(request))) == .bank(.refused(reason)), "\(request)")
        }
        #expect(store.ask(.accounts(includingBank: false)).accounts.map(\.balanceMinor) == [1000, 500, 0])
        #expect(store.ask(.transfers(limit: 99)).transfers.map(\.result).first == "refused-no-account")
        #expect(store.ask(.audit).audit?.ok == true)
    }

    @Test(arguments: EngineKind.allCases) func theDailyLimitTurnsWithTheBanksDay(_ kind: EngineKind) throws {
        let rules = BankRules(singleLimitMinor: 500, dailyLimitMinor: 800)
        var store = try opened(kind, [5000, 0], rules: rules)
        store.now.wall = try #require(WallTime("2026-03-01T15:59:59.000Z"))
        #expect(store.ask(.bank(BankRequest(try Given.transfer("a", from: 1, to: 2, 500)))) == .bank(.done))
        #expect(
            store.ask(.bank(BankRequest(try Given.transfer("b", from: 1, to: 2, 301)))) == .bank(.refused(.dailyLimit)))
        #expect(store.ask(.bank(BankRequest(try Given.transfer("c", from: 1, to: 2, 300)))) == .bank(.done))
        store.pass(.seconds(1))
        #expect(store.ask(.bank(BankRequest(try Given.transfer("d", from: 1, to: 2, 500)))) == .bank(.done))
    }

    @Test(arguments: EngineKind.allCases) func moneyMovesOnlyForTheSessionsOwner(_ kind: EngineKind) throws {
        var store = try opened(kind, [1000, 500])
        let (old, new) = (try Given.node("center-a"), try Given.node("center-b"))
        let submitted = PendingOperation(id: "op-1", phase: .submitted)
        let executed = PendingOperation(id: "op-1", phase: .executed)
        #expect(store.ask(.open(Given.write(Given.checkpoint(1, pending: submitted), old))) == .done)
        #expect(store.ask(.fence(old, under: nil)) == .done)
        _ = store.ask(.claim(Given.session(1), from: Ownership(node: old), by: new, ground: .fenced))
        let request = try Given.transfer("op-1", from: 1, to: 2, 300)
        let after = Given.checkpoint(1, pending: executed)
        #expect(store.ask(.bank(BankRequest(request, under: Given.write(after, old)))) == .notOwner)
        #expect(store.ask(.bank(BankRequest(request, under: Given.write(after, new, epoch: 1)))) == .notOwner)
        #expect(store.ask(.bankResult(try #require(OperationID("op-1")))) == .bankResult(nil))
        #expect(store.ask(.accounts(includingBank: false)).accounts.map(\.balanceMinor) == [1000, 500])
        #expect(store.ask(.session(Given.session(1))).head?.checkpoint.menu?.pendingOperation == submitted)

        #expect(store.ask(.bank(BankRequest(request, under: Given.write(after, new, epoch: 2)))) == .bank(.done))
        #expect(store.ask(.accounts(includingBank: false)).accounts.map(\.balanceMinor) == [700, 800])
        #expect(store.ask(.session(Given.session(1))).head?.checkpoint.menu?.pendingOperation == executed)
    }

    @Test(arguments: EngineKind.allCases) func anUnknownCustomerSoundsLikeAWrongPIN(_ kind: EngineKind) throws {
        var store = try opened(kind, [1000])
        var heard: [[BankOutcome]] = [[], []]
        for (index, customer) in [1, 999].enumerated() {
            for _ in 0..<4 {
                if case .bank(let outcome) = store.ask(try Given.login(customer, "135790")) {
                    heard[index].append(outcome)
                }
            }
        }
        #expect(heard[0] == heard[1])
        #expect(heard[0].map(\.name) == ["wrong-pin", "wrong-pin", "locked", "locked"])
        guard case .attempts(let attempts) = store.ask(.attempts(limit: 3)) else { return unexpectedReply() }
        #expect(attempts.allSatisfy { $0.outcome == "unknown-customer" && $0.customer == "10000999" })
    }

    @Test(arguments: EngineKind.allCases) func loginOpensWithTheRightPINAndForgetsTheWrongOnes(_ kind: EngineKind)
        throws
    {
        var store = try opened(kind, [1000, 0])
        #expect(store.ask(try Given.login(1, "135790")) == .bank(.wrongPIN(remaining: 2)))
        #expect(store.ask(try Given.login(1, "246810")) == .bank(.ok))
        #expect(store.ask(try Given.login(1, "135790")) == .bank(.wrongPIN(remaining: 2)))
        for _ in 0..<2 { _ = store.ask(try Given.login(1, "135790")) }
        #expect(store.ask(try Given.login(1, "246810")) == .bank(.locked(until: Given.start + .seconds(900))))
        #expect(store.ask(try Given.login(2, "246810")) == .bank(.ok))
        store.pass(.seconds(900))
        #expect(store.ask(try Given.login(1, "246810")) == .bank(.ok))
    }

    @Test(arguments: EngineKind.allCases) func aChangedPINIsTheOnlyOneThatOpens(_ kind: EngineKind) throws {
        var store = try opened(kind, [1000])
        let customer = try Given.customer(1)
        let id = try #require(OperationID("pin-1"))
        let weak = LedgerRequest(customer: customer, .changePIN(id, nil))
        #expect(store.ask(.bank(BankRequest(weak))) == .bank(.weak))
        let change = LedgerRequest(customer: customer, .changePIN(id, try Given.digest("730194", of: customer)))
        #expect(store.ask(.bank(BankRequest(change))) == .bank(.done))
        #expect(store.ask(try Given.login(1, "246810")) == .bank(.wrongPIN(remaining: 2)))
        #expect(store.ask(try Given.login(1, "730194")) == .bank(.ok))
        #expect(store.ask(.seed([try Given.opening(1, minor: 1000)])) == .done)
        #expect(store.ask(try Given.login(1, "730194")) == .bank(.ok))
    }

    @Test(arguments: EngineKind.allCases) func aCardIsReportedOnce(_ kind: EngineKind) throws {
        var store = try opened(kind, [1000, 5])
        func report(_ id: String) throws -> StoreReply {
            store.ask(
                .bank(
                    BankRequest(
                        LedgerRequest(customer: try Given.customer(1), .reportCard(try #require(OperationID(id)))))))
        }
        #expect(try report("a") == .bank(.done))
        #expect(try report("b") == .bank(.already))
        #expect(try report("a") == .bank(.done))
        #expect(store.ask(.accounts(includingBank: false)).accounts.map(\.status) == ["card-reported", "open"])
    }

    @Test(arguments: EngineKind.allCases) func balanceStatementAndPayee(_ kind: EngineKind) throws {
        var store = try opened(kind, [1000, 500])
        let customer = try Given.customer(1)
        for n in 1...6 {
            store.pass(.seconds(1))
            let (from, to) = n.isMultiple(of: 2) ? (2, 1) : (1, 2)
            _ = store.ask(.bank(BankRequest(try Given.transfer("t\(n)", from: from, to: to, Int64(n)))))
        }
        #expect(
            store.ask(.bank(BankRequest(LedgerRequest(customer: customer, .balance))))
                == .bank(.balance(Money(minor: 1003, currency: .cny))))
        guard
            case .bank(.statement(let entries)) = store.ask(
                .bank(BankRequest(LedgerRequest(customer: customer, .statement))))
        else { return unexpectedReply() }
        #expect(entries.map(\.amountMinor) == [6, -5, 4, -3, 2])
        #expect(entries.map(\.kind) == [.transferIn, .transferOut, .transferIn, .transferOut, .transferIn])
        #expect(entries.allSatisfy { $0.counterparty == "10000002" })
        #expect(entries.first?.at == Given.start + .seconds(6))
        // The bank's own day, eight hours east of Greenwich, not that of UTC.
        #expect(entries.allSatisfy { $0.day == $0.at.day(offset: BankRules.standard.dayOffset) })
        func payee(_ number: Int) throws -> StoreReply {
            store.ask(.bank(BankRequest(LedgerRequest(customer: customer, .checkPayee(try Given.customer(number))))))
        }
        #expect(try payee(2) == .bank(.ok))
        #expect(try payee(1) == .bank(.refused(.sameAccount)))
        #expect(try payee(3) == .bank(.refused(.unknownPayee)))
        #expect(
            store.ask(.bank(BankRequest(LedgerRequest(customer: .bank, .balance)))) == .bank(.refused(.noAccount)))
    }

    @Test(arguments: EngineKind.allCases) func everyAttemptIsAudited(_ kind: EngineKind) throws {
        var store = try opened(kind, [1000, 500])
        let node = try Given.node("center-a")
        let write = Given.write(Given.checkpoint(1), node)
        _ = store.ask(.open(write))
        _ = store.ask(try Given.login(1, "246810"))
        _ = store.ask(.bank(BankRequest(try Given.transfer("op-1", from: 1, to: 2, 5000), under: write)))
        #expect(
            store.ask(.attempts(limit: 9))
                == .attempts([
                    BankAttempt(
                        at: Given.start, customer: "10000001", operation: "transfer", id: "op-1",
                        outcome: "refused-insufficient", session: Given.session(1).description),
                    BankAttempt(
                        at: Given.start, customer: "10000001", operation: "login", id: nil, outcome: "ok",
                        session: nil),
                ]))
    }

    @Test(arguments: EngineKind.allCases) func transfersAreListedNewestFirstWithTheirAccounts(_ kind: EngineKind) throws
    {
        var store = try opened(kind, [1000, 500])
        _ = store.ask(.bank(BankRequest(try Given.transfer("op-1", from: 1, to: 2, 10))))
        _ = store.ask(.bank(BankRequest(try Given.transfer("op-2", from: 1, to: 7, 10))))
        let rows = store.ask(.transfers(limit: 9)).transfers
        #expect(rows.map(\.id) == ["op-2", "op-1"])
        #expect(rows.map(\.to) == [nil, "100000020001"])
        #expect(rows.map(\.from) == ["100000010001", "100000010001"])
        #expect(rows.map(\.result) == ["refused-unknown-payee", "done"])
        #expect(store.ask(.transfers(limit: 1)).transfers.count == 1)
    }

    /// Random operations from a seed: money is neither made nor lost, every result can be asked again, and a second
    /// run of the same requests changes nothing.
    @Test(arguments: EngineKind.allCases, [1, 2, 3] as [UInt64])
    func whateverIsAskedTheSumStaysZero(_ kind: EngineKind, _ seed: UInt64) throws {
        let rules = BankRules(singleLimitMinor: 700, dailyLimitMinor: 3000)
        var store = try opened(kind, (0..<8).map { _ in 1000 }, rules: rules)
        var random = SeededRandom(seed: seed)
        var requests: [StoreRequest] = []
        for index in 0..<200 {
            let from = Int.random(in: 1...9, using: &random)
            let to = Int.random(in: 1...9, using: &random)
            let amount = Int64.random(in: -10...900, using: &random)
            // Some ids repeat, with the same or another request.
            let id = "op-\(Bool.random(using: &random) ? index : index / 2)"
            requests.append(.bank(BankRequest(try Given.transfer(id, from: from, to: to, amount))))
        }
        let first = try store.ask(all: requests)
        let balances = store.ask(.accounts(includingBank: true)).accounts
        #expect(balances.reduce(0) { $0 + $1.balanceMinor } == 0)
        #expect(balances.dropFirst().allSatisfy { $0.balanceMinor >= 0 })
        #expect(first.contains(.bank(.done)))
        #expect(first.contains(.bank(.refused(.differentRequest))))
        let report = try #require(store.ask(.audit).audit)
        #expect(report.ok, "\(report)")

        store.pass(.seconds(3600))
        #expect(try store.ask(all: requests) == first)
        #expect(store.ask(.accounts(includingBank: true)).accounts == balances)
    }

    @Test func allEnginesGiveTheSameAnswers() throws {
        var replies: [[StoreReply]] = []
        for kind in EngineKind.allCases {
            var store = try opened(kind, (0..<6).map { Int64($0) * 500 })
            var random = SeededRandom(seed: 99)
            var requests: [StoreRequest] = []
            for index in 0..<150 {
                let customer = try Given.customer(Int.random(in: 1...7, using: &random))
                let id = try #require(OperationID("op-\(index - Int.random(in: 0...2, using: &random))"))
                switch Int.random(in: 0..<6, using: &random) {
                case 0: requests.append(.bank(BankRequest(LedgerRequest(customer: customer, .statement))))
                case 1: requests.append(.bank(BankRequest(LedgerRequest(customer: customer, .reportCard(id)))))
                case 2: requests.append(try Given.login(Int.random(in: 1...7, using: &random), "135790"))
                default:
                    let payee = try Given.customer(Int.random(in: 1...7, using: &random))
                    let amount = Int64.random(in: 1...900, using: &random)
                    requests.append(
                        .bank(
                            BankRequest(
                                LedgerRequest(customer: customer, .transfer(id, payee: payee, amountMinor: amount)))))
                }
            }
            requests += [.transfers(limit: 500), .accounts(includingBank: true), .attempts(limit: 500), .audit]
            replies.append(try store.ask(all: requests))
        }
        for other in replies.dropFirst() { #expect(other == replies[0]) }
    }
}
