import Primitives
import Testing

@testable import Menu

/// The menu at another center: from a snapshot, in the same state (TAKEOVER.md, Checkpoints).
@Suite struct MenuResumingTests {
    @Test func digitsOfTheFirstSecondAfterATakeoverDoNotCount() throws {
        let call = try MenuMachineTests.loggedIn()
        var next = MenuFixture(call.machine.definition)
        next.send(.resumed(call.machine.snapshot()))
        #expect(next.heard == ["home"])
        #expect(next.last.contains(.schedule(.settling, .seconds(1))))
        #expect(next.last.contains(.enteredState("home", path: "home", extendsPath: false)))
        #expect(next.press("1") == [])
        next.send(.fired(.settling))
        next.press("1")
        #expect(next.operation?.arguments["customer"] == .text("1234"), "still logged in")
    }

    @Test func aTakeoverDuringTheLoginAsksForThePINAgain() throws {
        var call = try MenuFixture(states: MenuMachineTests.bank, extra: MenuMachineTests.login)
        call.send(.entered)
        call.press("1234135790")
        #expect(call.machine.state == "check")
        var next = MenuFixture(call.machine.definition)
        next.send(.resumed(call.machine.snapshot()))
        #expect(next.machine.state == "pin")
        #expect(next.operation == nil)
    }

    @Test func aSnapshotOfAStateThatIsGoneGoesToWhereTheCallerBelongs() throws {
        let call = try MenuMachineTests.loggedIn()
        var snapshot = call.machine.snapshot()
        snapshot.state = "no-longer-here"
        var next = MenuFixture(call.machine.definition)
        next.send(.resumed(snapshot))
        #expect(next.machine.state == "home")
    }

    @Test func retriesSurviveATakeover() throws {
        var call = try MenuFixture(states: MenuMachineTests.question)
        call.send(.entered)
        call.press("99")
        var next = MenuFixture(call.machine.definition)
        next.send(.resumed(call.machine.snapshot()))
        next.send(.fired(.settling))
        next.press("9")
        #expect(next.machine.state == "bye")
    }

    // MARK: Money

    @Test func aTakeoverKeepsTheOperationIDAtTheReadBackAndWhileItRuns() throws {
        var call = try MenuMachineTests.atReadBack()
        for state in ["confirm", "run"] {
            let snapshot = call.machine.snapshot()
            #expect(snapshot.state == state)
            var next = MenuFixture(call.machine.definition, seed: 99)
            next.send(.resumed(snapshot))
            #expect(next.machine.snapshot().pendingOperation == snapshot.pendingOperation)
            #expect(next.operation == nil, "nothing runs unasked")
            call.press("1")
        }
    }

    /// TAKEOVER.md, Money: "one that is present has its result".
    @Test func aTakeoverWhileMoneyMovesAsksTheBankAndTellsItsResult() throws {
        var call = try MenuMachineTests.atReadBack()
        call.press("1")
        let snapshot = call.machine.snapshot()
        let pending = try #require(snapshot.pendingOperation)
        var next = MenuFixture(call.machine.definition, seed: 99)
        next.send(.resumed(snapshot))
        let asked = try #require(
            next.last.compactMap { action -> OperationCall? in
                if case .askOutcome(let call, "transfer", pending.id) = action { call } else { nil }
            }.first)
        #expect(next.heard.isEmpty)
        next.send(.operationResult(asked, name: "done"))
        #expect(next.heard == ["done"])
    }

    /// Money that never moved is read back again where it was, not where other money is read back.
    @Test func ofTwoReadBacksTheCallersOwnIsHeardAgain() throws {
        let twoFlows = MenuMachineTests.bank.replacing(
            "  confirm:\n",
            with: "  also: {needs: login, prepares: transfer, say: [other], keys: {\"1\": run}}\n  confirm:\n")
        var call = try MenuFixture(states: twoFlows, extra: MenuMachineTests.login)
        call.send(.entered)
        call.press("1234135790")
        _ = call.answer("ok")
        call.press("2")
        call.press("5678")
        call.press("25#")
        #expect(call.machine.state == "confirm")
        call.press("1")
        let snapshot = call.machine.snapshot()
        var next = MenuFixture(call.machine.definition, seed: 99)
        next.send(.resumed(snapshot))
        let asked = next.last.compactMap { action -> OperationCall? in
            if case .askOutcome(let call, _, _) = action { call } else { nil }
        }.first
        next.send(.operationNeverRan(try #require(asked)))
        #expect(next.machine.state == "confirm")
        #expect(next.machine.snapshot().pendingOperation == snapshot.pendingOperation)
    }

    /// Nobody can say: it is spoken as in doubt, and not run again.
    @Test func aTakeoverWhoseBankIsSilentSpeaksOfDoubt() throws {
        var call = try MenuMachineTests.atReadBack()
        call.press("1")
        var next = MenuFixture(call.machine.definition, seed: 99)
        next.send(.resumed(call.machine.snapshot()))
        next.send(.fired(.operation))
        #expect(next.heard == ["doubt"])
        #expect(next.operation == nil)
    }
}
