import StrictYAML
import Testing

@Suite struct YAMLValueTests {
    private func read(_ text: String, _ body: (YAMLMapping) -> Void) -> [String] {
        let collector = ProblemCollector()
        if let map = YAMLValue.parse(text, file: "f.yaml", collector: collector)?.mapping() {
            body(map)
            map.finish()
        }
        return Problems(collector.problems).list.map(\.description)
    }

    @Test func unknownAndMissingKeysAreReportedWithWhatIsAllowed() {
        let problems = read("a: 1\nc: 2\n") { map in
            _ = map.require("a")
            _ = map.require("b")
        }
        #expect(
            problems == [
                "f.yaml:1: error: the key \"b\" is missing",
                "f.yaml:2: error: unknown key \"c\"; allowed here: a, b",
            ])
    }

    @Test(arguments: [
        ("500ms", Duration.milliseconds(500)), ("6s", .seconds(6)), ("1.5s", .milliseconds(1500)),
        ("2m", .seconds(120)),
    ])
    func times(_ text: String, _ expected: Duration) {
        var found: Duration?
        let problems = read("a: \(text)") { found = $0.require("a")?.duration() }
        #expect(problems == [])
        #expect(found == expected)
    }

    @Test(arguments: ["6", "-1s", "s", "ten", "1e9s", "11m", "nans", "infs"])
    func whatIsNoTimeIsRefused(_ text: String) {
        var found: Duration?
        let problems = read("a: \(text)") { found = $0.require("a")?.duration() }
        #expect(problems.count == 1)
        #expect(found == nil)
    }

    @Test func wrongKindsSayWhatWasFound() {
        let problems = read("a: [1]\nb: x\nc: {d: 1}\ne: maybe\nf: 11\ng: Upper\nh:\n") { map in
            _ = map.require("a")?.text()
            _ = map.require("b")?.list()
            _ = map.require("c")?.text("a name")
            _ = map.require("e")?.boolean()
            _ = map.require("f")?.integer(in: 1...10)
            _ = map.require("g")?.name()
            _ = map.require("h")?.text()
        }
        #expect(
            problems.map { $0.split(separator: "found ").last.map(String.init) ?? $0 } == [
                "a list, expected a text", "\"x\", expected a list", "a mapping, expected a name",
                "\"maybe\", expected true or false", "\"11\", expected a whole number in 1...10",
                "\"Upper\", expected a name: lower-case letters, digits and hyphens, a letter first",
                "nothing, expected a text",
            ])
    }

    @Test(arguments: ["a: [1", "a: 1\na: 2", "\t", "a: b: c", ""])
    func textsThatAreNoYAMLAreOneProblem(_ text: String) {
        #expect(read(text) { _ in }.count == 1)
    }

    @Test func aProblemIsReportedOnce() {
        let collector = ProblemCollector()
        for _ in 1...3 { collector.add(Problem(file: "f", line: 1, "x")) }
        #expect(collector.problems.count == 1 && collector.hasErrors)
        #expect(throws: Problems.self) { try collector.throwErrors() }
    }

    @Test func warningsDoNotRefuse() throws {
        let collector = ProblemCollector()
        collector.add(Problem(.warning, file: "f", line: 0, "x"))
        try collector.throwErrors()
        #expect(Problems(collector.problems).description == "f: warning: x")
    }
}
