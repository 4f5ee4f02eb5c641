import Primitives
import Speech
import Testing

@testable import Menu

/// Parts of the format that the shipped menu does not use.
@Suite struct MenuFeatureTests {
    static let hours = """
        hours:
          office: {days: [mon, tue, wed, thu, fri], from: "09:00", to: "17:30", utc-offset: "+08:00", closed-on: ["2026-10-01"]}
          night: {days: [fri], from: "22:00", to: "06:00", utc-offset: "+00:00"}
        """

    @Test(arguments: [
        ("2026-11-23T01:00:00Z", true), ("2026-11-23T00:59:59Z", false), ("2026-11-23T09:29:59Z", true),
        ("2026-11-23T09:30:00Z", false), ("2026-11-21T03:00:00Z", false), ("2026-11-22T17:00:00Z", false),
        ("2026-10-01T03:00:00Z", false), ("1969-12-31T02:00:00Z", true),
    ])
    func hoursBranchOnTheTimeOfDay(_ time: String, _ isOpen: Bool) throws {
        var call = try MenuFixture(
            states: """
                  first:
                    choose:
                      - {if: {open: office}, go: day}
                      - {go: bye}
                  day: {say: [day], keys: {"1": bye}}
                """, extra: Self.hours)
        call.now = try #require(WallTime(time))
        call.send(.entered)
        #expect(call.machine.state == (isOpen ? "day" : "bye"))
    }

    @Test(arguments: [
        ("2026-11-20T23:00:00Z", true), ("2026-11-21T05:59:00Z", true), ("2026-11-21T06:00:00Z", false),
        ("2026-11-20T05:00:00Z", false),
    ])
    func hoursMayRunPastMidnight(_ time: String, _ isOpen: Bool) throws {
        var call = try MenuFixture(
            states: """
                  first:
                    choose:
                      - {if: {closed: night}, go: bye}
                      - {go: night}
                  night: {say: [night], keys: {"1": bye}}
                """, extra: Self.hours)
        call.now = try #require(WallTime(time))
        call.send(.entered)
        #expect(call.machine.state == (isOpen ? "night" : "bye"))
    }

    @Test func branchesOnLanguageAndOnKeptResults() throws {
        var call = try MenuFixture(
            states: """
                  first: {say: [lang], keys: {"1": {language: zh, go: fork}, "2": ask}}
                  ask: {needs: login, say: [ask], keys: {"1": fork}}
                  number: {say: [n], enter: {digits: customer, length: 2}, go: pin}
                  pin: {say: [p], enter: {secret: pin, length: 2}, go: check}
                  check:
                    do:
                      operation: login
                      with: {customer: customer, pin: pin}
                      results:
                        ok: {logged-in: true, go: wanted}
                        wrong-pin: {keep: {left: remaining}, go: fork}
                        else: bye
                  fork:
                    choose:
                      - {if: {language: zh}, go: chinese}
                      - {if: {variable: {left: "1"}, logged-in: false}, go: one}
                      - {go: bye}
                  chinese: {say: [c], keys: {"1": bye}}
                  one: {say: [{count: left}], keys: {"1": bye}}
                """, extra: "login: {state: number, customer: customer, otherwise: ask}")
        var chinese = call
        chinese.send(.entered)
        #expect(chinese.press("1").contains(.languageChosen("zh")))
        #expect(chinese.machine.state == "chinese")
        call.send(.entered)
        call.press("21234")
        _ = call.answer("wrong-pin", ["remaining": 1])
        #expect(call.machine.state == "one")
        #expect(call.heard == ["count(1)"])
    }

    @Test func includedMenusAreCalledAndReturn() throws {
        let top = """
            menu: top
            version: "1"
            languages: [en]
            start: first
            exhausted: bye
            keys: {"0": bye}
            include: {card: card.yaml}
            states:
              first: {say: [first], keys: {"1": lost}}
              lost: {call: card, go: {say: [back], go: first}}
              bye: {say: [goodbye], hang-up: menu}
            """
        let card = """
            start: ask
            keys: {"5": {say: [five], go: return}}
            states:
              ask: {say: [card], keys: {"1": return}}
            """
        let definition = try MenuDefinition(MenuSource(top: "t.yaml", files: ["t.yaml": top, "card.yaml": card]))
        #expect(definition.stateNames == ["card/ask", "first", "lost", "bye"])
        var call = MenuFixture(definition)
        call.send(.entered)
        call.press("1")
        #expect(call.machine.state == "card/ask")
        #expect(call.machine.snapshot().callers == ["lost"])
        var resumed = MenuFixture(definition)
        resumed.send(.resumed(call.machine.snapshot()))
        resumed.send(.fired(.settling))
        resumed.press("1")
        #expect(resumed.heard == ["back"], "a takeover knows the way back")
        call.press("0")
        #expect(call.machine.state == "card/ask", "the caller's global keys do not reach into it")
        call.press("5")
        #expect(call.heard == ["five"])
        _ = call.hearOut()
        #expect(call.heard == ["back"])
        let other = MenuSource(top: "t.yaml", files: ["t.yaml": top, "card.yaml": card + "\n"])
        #expect(other.hash != definition.hash, "the hash covers what is included")
    }

    @Test func aMenuThatIncludesItselfIsRefused() {
        let text = """
            menu: top
            version: "1"
            languages: [en]
            start: a
            exhausted: a
            include: {again: t.yaml}
            states: {a: {say: [x], hang-up: menu}}
            """
        #expect(throws: (any Error).self) { try MenuDefinition(MenuSource(top: "t.yaml", files: ["t.yaml": text])) }
    }

    @Test func theNthRetryHasItsOwnWords() throws {
        var call = try MenuFixture(
            states: """
                  first:
                    say: [ask]
                    no-input: {limit: 4, attempts: [[once], [twice]], repeat: false}
                    keys: {"1": bye}
                """)
        call.send(.entered)
        for words in ["once", "twice", "twice"] {
            _ = call.hearOut()
            call.send(.fired(.firstDigit))
            #expect(call.heard == [words])
        }
    }

    @Test func theQueueIsLeftByAKey() throws {
        var call = try MenuFixture(
            states: """
                  first:
                    say: [wait]
                    keys: {"*": home}
                    queue: {name: loans, results: {else: home}}
                  home: {say: [home], keys: {"1": bye}}
                """)
        call.send(.entered)
        #expect(call.hearOut() == [.transferToQueue("loans")])
        #expect(call.press("5") == [])
        #expect(call.press("*").first == .leaveQueue)
        #expect(call.machine.state == "home")
        #expect(call.send(.queueResult(.busy)) == [], "a late result is ignored")
    }

    @Test func aTakeoverInAQueueAsksForTheQueueAgain() throws {
        var call = try MenuFixture(
            states: """
                  first: {queue: {name: loans, results: {else: bye}}}
                """)
        #expect(call.send(.entered).contains(.transferToQueue("loans")))
        var next = MenuFixture(call.machine.definition)
        #expect(next.send(.resumed(call.machine.snapshot())).contains(.transferToQueue("loans")))
    }
}
