import Speech
import StrictYAML
import Testing

@testable import Menu

/// What a writer of a menu gets wrong, and the line that says so. The states begin at line 8.
@Suite struct MenuCheckTests {
    static let fine = """
          first: {say: [ask], keys: {"1": bye}}
        """

    private func findings(_ states: String, extra: String = "", queues: Set<String>? = nil) throws -> [String] {
        var catalogue = PromptCatalogue()
        try catalogue.add(file: "language: en\nclips: {ask: Ask, goodbye: Bye, other: Other}", named: "en.yaml")
        try catalogue.add(file: "language: zh\nclips: {ask: 问, goodbye: 再见}", named: "zh.yaml")
        let definition = try MenuFixture.definition(states: states, extra: extra)
        return MenuCheck.problems(in: definition, catalogue: catalogue, queues: queues).map(\.description)
    }

    @Test func aSoundMenuHasNoFindings() throws {
        #expect(try findings(Self.fine) == [])
    }

    @Test func allProblemsAreReportedAtOnceWithTheirLines() {
        let problems = MenuFixture.problems(
            states: """
                  first:
                    say: [ask]
                    kees: {"1": bye}
                    keys: {"12": bye, "1": nowhere}
                  dead: {say: [ask]}
                  two: {hang-up: menu, queue: {name: q, results: {else: bye}}}
                """)
        #expect(
            problems == [
                "10: unknown key \"kees\"; allowed here: barge-in, first-digit, global-keys, inter-digit, keys, needs, no-input, path, prepares, say, wrong",
                "11: found \"12\", expected one key of the telephone: \"0\" to \"9\", \"*\" or \"#\"",
                "11: there is no state \"nowhere\"",
                "12: the state leads nowhere; it needs keys, enter, do, queue, choose, call, go or hang-up",
                "13: a state does one thing, this one has queue and hang-up",
            ])
    }

    @Test(arguments: [
        ("first: {do: {operation: loan, results: {else: bye}}}", "there is no operation \"loan\""),
        ("first: {do: {operation: balance, results: {ok: bye}}}", "nothing happens at unavailable"),
        ("first: {do: {operation: balance, results: {ok: bye, done: bye, else: bye}}}", "there is no result \"done\""),
        ("first: {do: {operation: balance, results: {else: bye}}}", "add \"needs: login\""),
        ("first: {do: {operation: balance, with: {customer: x}, results: {else: bye}}}", "is filled in for you"),
        ("first: {do: {operation: check-payee, results: {else: bye}}}", "needs the argument \"payee\""),
        (
            "first: {do: {operation: check-payee, with: {payee: x}, results: {else: bye}}}",
            "nothing fills the variable \"x\""
        ),
        ("first: {enter: {secret: pin, length: 4}, say: [{digits: pin}], go: bye}", "is a secret"),
        ("first: {enter: {digits: a, secret: b, length: 4}, go: bye}", "exactly one of digits, secret or amount"),
        ("first: {enter: {digits: a, length: [5, 2]}, go: bye}", "the least and the largest length"),
        ("first: {enter: {digits: a, length: 40}, go: bye}", "expected a whole number in 1...32"),
        ("first: {enter: {digits: a, length: 4}, keys: {\"5\": bye}, go: bye}", "the entry itself uses the key 5"),
        ("first: {enter: {amount: a, decimal-point: \"#\"}, go: bye}", "are the same key"),
        (
            "first: {enter: {digits: a, length: 4, terminator-required: true}, go: bye}",
            "an entry of fixed length ends at its last digit"
        ),
        (
            "first: {enter: {amount: a, terminator-required: sometimes}, go: bye}",
            "found \"sometimes\", expected true or false"
        ),
        ("first: {say: [ask], first-digit: soon, keys: {\"1\": bye}}", "expected a time such as 500ms"),
        ("first: {say: [ask], first-digit: 0s, keys: {\"1\": bye}}", "no time to press anything; at least 500ms"),
        ("first: {enter: {digits: a, length: 4}, inter-digit: 499ms, say: [ask], go: bye}", "at least 500ms"),
        ("first: {say: {en: [ask]}, keys: {\"1\": bye}}", "nothing is said in \"zh\""),
        ("first: {say: [{in: fr, say: [ask]}], keys: {\"1\": bye}}", "expected a language of this menu"),
        ("first: {say: [{pick: x, clips: {a: ask}}], keys: {\"1\": bye}}", "a pick needs an \"else\""),
        ("first: {say: [{each: rows, say: [ask]}], keys: {\"1\": bye}}", "there is no list or table \"rows\""),
        ("first: {say: [{shout: ask}], keys: {\"1\": bye}}", "unknown key \"shout\""),
        ("first: {choose: [{if: {language: en}, go: bye}]}", "the last choice must have no conditions"),
        ("first: {choose: [{if: {open: never}, go: bye}, {go: bye}]}", "expected one of the hours"),
        ("first: {call: other, go: bye}", "no menu \"other\" is included"),
        ("first: {say: [ask], go: return}", "only in an included menu"),
        ("first: {say: [ask], go: repeat}", "possible only for keys of a question"),
        ("first: {needs: login, say: [ask], keys: {\"1\": bye}}", "has no \"login\" section"),
        ("first: {say: [ask], keys: {\"1\": {say: [ask]}}}", "either \"go\" or \"retry\""),
        ("repeat: {say: [ask], go: bye}", "a word of its own"),
        ("first: {prepares: balance, say: [ask], keys: {\"1\": bye}}", "an operation that moves money: transfer"),
    ])
    func mistakesAreNamed(_ state: String, _ expected: String) {
        let problems = MenuFixture.problems(states: "  " + state)
        #expect(problems.contains { $0.hasPrefix("8: ") && $0.contains(expected) }, "\(problems)")
    }

    @Test func moneyIsReachedOnlyFromItsReadBack() {
        let problems = MenuFixture.problems(
            states: """
                  first: {say: [ask], enter: {digits: payee, length: 4}, go: sum}
                  sum: {say: [ask], enter: {amount: sum}, go: run}
                  run: {needs: login, do: {operation: transfer, with: {payee: payee, amount_minor: sum}, results: {else: bye}}}
                """, extra: "login: {state: first, customer: payee, otherwise: sum}")
        #expect(problems.contains { $0.hasPrefix("9: ") && $0.contains("prepares: transfer") })
    }

    @Test func brokenYAMLIsReportedWithItsLine() {
        let problems = MenuFixture.problems(states: "  first: {say: [ask\n  x")
        #expect(problems.count == 1 && problems[0].contains("no valid YAML"))
        let twice = MenuFixture.problems(states: Self.fine + "\n" + Self.fine)
        #expect(twice.contains { $0.contains("first stand twice") || $0.contains("'first'") || $0.contains("first") })
    }

    /// `1` and `"1"` are two keys to YAML and one to whoever reads the menu: only one of them could count.
    @Test func aKeyThatStandsTwiceIsReportedOnceAtItsLine() {
        let keys = MenuFixture.problems(
            states: """
                  first:
                    say: [ask]
                    keys:
                      1: bye
                      "1": first
                """)
        #expect(keys == ["12: the key \"1\" stands twice in one mapping"])
        let clips = MenuFixture.problems(
            states: "  first: {say: [{pick: x, clips: {1: ask, \"1\": ask}, else: ask}], keys: {\"2\": bye}}")
        #expect(clips.filter { $0.contains("twice") } == ["8: the key \"1\" stands twice in one mapping"])
    }

    @Test func statesThatNobodyReachesAreWarnedOf() throws {
        #expect(
            try findings(Self.fine + "\n  lonely: {say: [ask], go: first}")
                == ["m.yaml:9: warning: the state \"lonely\" is never reached"])
    }

    @Test func aStartThatDoesNotExistIsAllThatIsSaid() throws {
        var catalogue = PromptCatalogue()
        try catalogue.add(file: "language: en\nclips: {ask: Ask, goodbye: Bye}", named: "en.yaml")
        try catalogue.add(file: "language: zh\nclips: {ask: 问, goodbye: 再见}", named: "zh.yaml")
        let source = MenuFixture.source(states: "  second: {say: [ask], keys: {\"1\": bye}}")
        let found = MenuCheck.problems(in: source, catalogue: catalogue).map(\.description)
        #expect(found == ["m.yaml:4: error: there is no state \"first\""])
    }

    @Test func clipsWithoutATextAreNamedForEachLanguage() throws {
        #expect(
            try findings("  first:\n    say: [other]\n    keys: {\"1\": {say: [nobody], go: bye}}")
                == [
                    "m.yaml:10: error: the clip \"nobody\" has no text in \"en\"",
                    "m.yaml:10: error: the clip \"nobody\" has no text in \"zh\"",
                    "m.yaml:9: error: the clip \"other\" has no text in \"zh\"",
                ].sorted { $0.count > $1.count || $0 < $1 }.sorted(by: { Self.line($0) < Self.line($1) }))
    }

    private static func line(_ text: String) -> Int { Int(text.split(separator: ":")[1]) ?? 0 }

    @Test func aClipForOneLanguageOnlyIsAskedForInThatOne() throws {
        #expect(try findings("  first: {say: [{in: en, say: [other]}], keys: {\"1\": bye}}") == [])
    }

    @Test func loopsWithoutInputAreFound() throws {
        let found = try findings("  first: {say: [ask], go: second}\n  second: {say: [ask], go: first}")
        #expect(found.contains("m.yaml:8: error: a caller who presses nothing goes round for ever: first → second"))
        let silent = try findings(
            "  first: {say: [ask], keys: {\"1\": bye}, no-input: {limit: 1, go: second}}\n  second: {say: [ask], go: first}"
        )
        #expect(silent.contains { $0.contains("goes round for ever") })
    }

    @Test func unknownQueuesAreFound() throws {
        let menu = "  first: {queue: {name: loans, results: {else: bye}}}"
        #expect(
            try findings(menu, queues: ["service"]) == [
                "m.yaml:8: error: there is no queue \"loans\"; there are service"
            ])
        #expect(try findings(menu) == [], "where queues are not known, none is missed")
    }

    @Test func aTableWhoseValuesCannotBeSpokenIsFound() throws {
        let found = try findings(
            "  first: {say: [{each: rates, say: [{currency: code}, {decimal: buy}]}], keys: {\"1\": bye}}",
            extra: "tables: {rates: [{code: XAU, buy: \"1.5\"}, {code: USD, buy: much}]}")
        #expect(found.filter { $0.contains("\"XAU\" for \"code\" cannot be spoken") }.count == 2)
        #expect(found.filter { $0.contains("\"much\" for \"buy\" cannot be spoken") }.count == 2)
    }

    @Test func theDrawingNamesStatesAndKeys() throws {
        let dot = MenuDrawing.dot(try MenuFixture.definition(states: Self.fine))
        #expect(dot.contains("digraph \"small\""))
        #expect(dot.contains("\"first\" -> \"bye\" [label=\"no input, wrong, 1\"];"))
        #expect(dot.contains("hangs up"))
    }

    @Test func aFailingScriptNamesItsLineAndWhatItFound() throws {
        let script = try MenuScript(
            "tests:\n  - name: wrong\n    steps:\n      - {press: \"1\", state: first, hears: [ask]}\n",
            file: "m.test.yaml")
        let report = script.run(try MenuFixture.definition(states: Self.fine), catalogue: PromptCatalogue())
        #expect(report.failed == 1 && report.passed == 0)
        #expect(report.problems.first?.line == 4)
        #expect(report.problems.contains { $0.message == "wrong: expected state first, found bye" })
        #expect(report.untaken == ["m.yaml:8: first: no-input", "m.yaml:8: first: wrong"])
    }

    @Test func aScriptWithMistakesIsRefused() {
        #expect(throws: Problems.self) {
            try MenuScript(
                "bank: {login: perhaps}\ntests:\n  - name: x\n    steps: [{pres: \"1\"}]\n", file: "m.test.yaml")
        }
    }

    private func allFindings(_ states: String) throws -> [String] {
        var catalogue = PromptCatalogue()
        try catalogue.add(file: "language: en\nclips: {ask: Ask, goodbye: Bye}", named: "en.yaml")
        try catalogue.add(file: "language: zh\nclips: {ask: 问, goodbye: 再见}", named: "zh.yaml")
        return MenuCheck.problems(in: MenuFixture.source(states: states), catalogue: catalogue).map {
            "\($0.line): \($0.message)"
        }
    }

    @Test func whatCannotBeReadHidesNoMissingPrompt() throws {
        let found = try allFindings(
            """
              first: {say: [unheard-of], kees: {"1": bye}}
              second: {say: [ask], go: unheard-of-too}
            """)
        #expect(found.contains { $0.hasPrefix("8: unknown key \"kees\"") }, "\(found)")
        #expect(found.contains { $0.hasPrefix("9: there is no state \"unheard-of-too\"") }, "\(found)")
        #expect(found.contains("8: the clip \"unheard-of\" has no text in \"zh\""), "\(found)")
    }

    @Test func aNameThatLeadsNowhereHidesNoEndlessLoopAndNoMissingPrompt() throws {
        let found = try allFindings(
            """
              first: {say: [unheard-of], keys: {"1": nowhere}}
              round: {say: [ask], go: again}
              again: {say: [ask], go: round}
            """)
        #expect(found.contains("8: there is no state \"nowhere\""), "\(found)")
        #expect(found.contains("8: the clip \"unheard-of\" has no text in \"zh\""), "\(found)")
        #expect(found.contains { $0.hasPrefix("9: a caller who presses nothing goes round for ever") }, "\(found)")
    }

    @Test func aMissingStartHidesNothingInTheStates() throws {
        var source = MenuFixture.source(states: "  first: {say: [ask], keys: {\"1\": nowhere}}")
        source.files[source.top] = source.files[source.top]?.replacing("start: first\n", with: "")
        let found = MenuCheck.problems(in: source, catalogue: PromptCatalogue()).map(\.message)
        #expect(found.contains("the key \"start\" is missing"), "\(found)")
        #expect(found.contains("there is no state \"nowhere\""), "\(found)")
        #expect(found.contains("the clip \"ask\" has no text in \"en\""), "\(found)")
    }
}
