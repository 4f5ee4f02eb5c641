import Speech
import StrictYAML

/// A file of test calls beside a menu, `NAME.test.yaml`: digits in, expected states, prompts and bank requests out.
public struct MenuScript {
    public struct Report: Sendable {
        public var passed = 0
        public var failed = 0
        /// Failed expectations at their lines, or what makes the script unreadable.
        public var problems: [Problem] = []
        /// Branches of the menu that no test took, with their places.
        public var untaken: [String] = []
    }

    struct Step {
        enum Act {
            case press([KeypadDigit])
            case listen
            case silence
            case wait(Duration)
            case takeOver
            case nothing
        }

        var line: Int
        var act: Act
        var state: String?
        var hears: [String]?
        var says: [String] = []
        var silent = false
        var asks: [[String: String]]?
        var path: [String]?
        var language: String?
        var customer: String?
        var ends: String?
    }

    struct Test {
        var name: String
        var line: Int
        var bank: ScriptedBank
        var queue: [QueueResult]
        var time: WallTime
        var bankDelay: Duration
        var steps: [Step]
    }

    let file: String
    let tests: [Test]

    /// Reads a script; throws every problem at once.
    public init(_ text: String, file: String, operations: OperationCatalogue = .banking) throws(Problems) {
        let collector = ProblemCollector()
        let reading = ScriptReading(operations: operations)
        tests = YAMLValue.parse(text, file: file, collector: collector).map(reading.tests) ?? []
        self.file = file
        try collector.throwErrors()
    }

    /// Runs all tests, each as a call of its own.
    public func run(_ definition: MenuDefinition, catalogue: PromptCatalogue) -> Report {
        var report = Report()
        var taken: Set<Int> = []
        for test in tests {
            var call = MenuRehearsal(
                definition, bank: test.bank, queueResults: test.queue, at: test.time, taken: [])
            call.bankDelay = test.bankDelay
            call.start()
            var failures: [Problem] = []
            for step in test.steps where failures.isEmpty {
                failures = perform(step, on: &call, catalogue).map {
                    Problem(file: file, line: step.line, "\(test.name): \($0)")
                }
            }
            taken.formUnion(call.machine.taken ?? [])
            if failures.isEmpty { report.passed += 1 } else { report.failed += 1 }
            report.problems += failures
        }
        report.untaken = definition.content.branches.filter { !taken.contains($0.id) }.map {
            "\($0.place.file):\($0.place.line): \($0.label)"
        }
        return report
    }

    private func perform(_ step: Step, on call: inout MenuRehearsal, _ catalogue: PromptCatalogue) -> [String] {
        switch step.act {
        case .press(let digits): for digit in digits { call.press(digit) }
        case .listen: call.listen()
        case .silence: call.keepSilent()
        case .wait(let span): call.wait(span)
        case .takeOver:
            do { try call.takeOver(seed: 7) } catch { return ["the checkpoint cannot be read back: \(error)"] }
        case .nothing: break
        }
        defer { call.notes = [] }
        return ScriptExpectations(step: step, call: call, catalogue: catalogue).failures()
    }
}

/// Compares what happened in one step with what the script expects.
struct ScriptExpectations {
    let step: MenuScript.Step
    let call: MenuRehearsal
    let catalogue: PromptCatalogue

    func failures() -> [String] {
        var result: [String] = []
        func compare(_ what: String, _ expected: String?, _ found: String?) {
            if let expected, expected != found ?? "nothing" {
                result.append("expected \(what) \(expected), found \(found ?? "nothing")")
            }
        }
        compare("state", step.state, call.machine.state)
        compare("language", step.language, call.machine.language)
        compare("customer", step.customer, call.machine.customer ?? "none")
        compare("the end", step.ends, call.ending ?? "the call goes on")
        if let path = step.path { compare("path", "\(path)", "\(call.path)") }
        result += prompts()
        if let asks = step.asks { result += requests(asks) }
        return result
    }

    private var spoken: [PromptItem] {
        call.notes.flatMap { note -> [PromptItem] in if case .spoke(let items) = note { items } else { [] } }
    }

    private func prompts() -> [String] {
        var result: [String] = []
        let items = spoken
        if step.silent, !items.isEmpty { result.append("expected silence, heard: \(catalogue.text(for: items))") }
        if let hears = step.hears {
            // In this order; other prompts may stand between.
            var clips = items.flatMap { catalogue.clips(for: $0).map(\.name) }[...]
            for wanted in hears {
                guard let at = clips.firstIndex(of: wanted) else {
                    let heard = items.flatMap { catalogue.clips(for: $0).map(\.name) }.joined(separator: " ")
                    result.append("expected to hear \(wanted), heard: \(heard.isEmpty ? "nothing" : heard)")
                    break
                }
                clips = clips[clips.index(after: at)...]
            }
        }
        let text = catalogue.text(for: items)
        for words in step.says where !text.contains(words) {
            result.append("expected to hear \"\(words)\", heard: \"\(text)\"")
        }
        return result
    }

    private func requests(_ expected: [[String: String]]) -> [String] {
        let asked = call.notes.compactMap { note -> MenuOperation? in
            if case .asked(let operation, _) = note { operation } else { nil }
        }
        let summaries = asked.map(\.summary).joined(separator: "; ")
        guard asked.count == expected.count else {
            return ["expected \(expected.count) bank requests, found \(asked.count): \(summaries)"]
        }
        for (wanted, operation) in zip(expected, asked) {
            for (key, value) in wanted.sorted(by: { $0.key < $1.key }) {
                let found: String? =
                    switch key == "operation" ? MenuArgument.text(operation.name) : operation.arguments[key] {
                    case .text(let text): text
                    case .integer(let number): String(number)
                    case .secret(let digits): "\(digits.count) secret digits"
                    case nil: nil
                    }
                if found != value {
                    return [
                        "expected the bank to be asked with \(key) \(value), found \(found ?? "nothing") in \(operation.summary)"
                    ]
                }
            }
        }
        return []
    }
}
