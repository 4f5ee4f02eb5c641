import Speech
import StrictYAML

/// Reads the text of a menu script.
struct ScriptReading {
    let operations: OperationCatalogue

    func tests(_ value: YAMLValue) -> [MenuScript.Test] {
        guard let top = value.mapping("a script") else { return [] }
        defer { top.finish() }
        let time = top.take("at").flatMap(time) ?? WallTime(secondsSince1970: 1_767_000_000)
        let bank = top.take("bank").map(answers) ?? [:]
        var names: Set<String> = []
        return (top.require("tests")?.list("a list of tests") ?? []).compactMap { value in
            guard let map = value.mapping("a test") else { return nil }
            defer { map.finish() }
            let own = map.take("bank").map(answers) ?? [:]
            let queue = map.take("queue").map(queueResults) ?? [.unavailable]
            let ownTime = map.take("at").flatMap(self.time)
            let delay = map.take("bank-delay").flatMap { $0.duration() }
            let steps = (map.require("steps")?.list("a list of steps") ?? []).compactMap(step)
            guard let name = map.require("name")?.text("what the test shows") else { return nil }
            if !names.insert(name).inserted { value.fail("a test \"\(name)\" is there already") }
            return MenuScript.Test(
                name: name, line: value.line, bank: ScriptedBank(bank.merging(own) { _, own in own }), queue: queue,
                time: ownTime ?? time, bankDelay: delay ?? MenuRehearsal.bankDelay, steps: steps)
        }
    }

    private func time(_ value: YAMLValue) -> WallTime? {
        guard let time = WallTime(value.text("a time") ?? "") else {
            value.fail("found \(value.found), expected a time in UTC such as 2026-11-23T02:00:00Z")
            return nil
        }
        return time
    }

    private func queueResults(_ value: YAMLValue) -> [QueueResult] {
        (value.isList ? value.list() ?? [] : [value]).compactMap { value in
            guard let result = QueueResult(rawValue: value.text("a result of waiting") ?? "") else {
                value.fail(
                    "found \(value.found), expected one of \(QueueResult.allCases.map(\.rawValue).joined(separator: ", "))"
                )
                return nil
            }
            return result
        }
    }

    // MARK: The bank's answers

    private func answers(_ value: YAMLValue) -> [String: [BankAnswer?]] {
        var result: [String: [BankAnswer?]] = [:]
        for (key, value) in value.entries("a mapping of operations to answers") ?? [] {
            guard let name = key.text("an operation") else { continue }
            guard let signature = operations.signatures[name] else {
                key.fail("there is no operation \(key.found)")
                continue
            }
            result[name] = (value.isList ? value.list() ?? [] : [value]).map { answer($0, signature) }
        }
        return result
    }

    private func answer(_ value: YAMLValue, _ signature: OperationSignature) -> BankAnswer? {
        if value.isText {
            let name = value.text() ?? ""
            if name == "no-answer" { return nil }
            check(name, value, signature)
            return BankAnswer(name)
        }
        guard let map = value.mapping("a result, or a mapping with \"result\" and its values") else { return nil }
        defer { map.finish() }
        guard let named = map.require("result"), let name = named.text("a result") else { return nil }
        check(name, named, signature)
        var answer = BankAnswer(name)
        for (key, kind) in signature.results[name] ?? [:] {
            if let given = map.require(key), let converted = self.value(given, kind) { answer.values[key] = converted }
        }
        return answer
    }

    private func check(_ name: String, _ value: YAMLValue, _ signature: OperationSignature) {
        if signature.results[name] == nil {
            value.fail(
                "\"\(signature.name)\" has no result \"\(name)\"; it has "
                    + (signature.results.keys.sorted() + ["no-answer"]).joined(separator: ", "))
        }
    }

    private func value(_ value: YAMLValue, _ kind: OperationSignature.Value) -> MenuValue? {
        switch kind {
        case .integer: return value.integer(in: Int.min...Int.max).map { .integer(Int64($0)) }
        case .text, .date: return value.textOrEmpty().map { .text($0) }
        case .oneOf(let known):
            guard let text = value.text(), known.contains(text) else {
                value.fail("found \(value.found), expected one of \(known.joined(separator: ", "))")
                return nil
            }
            return .text(text)
        case .list(let columns):
            return .list(
                (value.list() ?? []).map { row in
                    guard let map = row.mapping("a row") else { return [:] }
                    defer { map.finish() }
                    var values: [String: MenuValue] = [:]
                    for (name, kind) in columns {
                        if let cell = map.require(name) { values[name] = self.value(cell, kind) }
                    }
                    return values
                })
        }
    }

    // MARK: Steps

    private func step(_ value: YAMLValue) -> MenuScript.Step? {
        guard let map = value.mapping("a step") else { return nil }
        defer { map.finish() }
        var step = MenuScript.Step(line: value.line, act: .nothing)
        let acts = ["press", "listen", "silence", "wait", "takeover"].filter(map.keys.contains)
        if acts.count > 1 { value.fail("a step does one thing, this one has \(acts.joined(separator: " and "))") }
        if let keys = map.take("press") { step.act = .press(digits(keys)) }
        if let listen = map.take("listen"), listen.boolean() == true { step.act = .listen }
        if let silence = map.take("silence"), silence.boolean() == true { step.act = .silence }
        if let wait = map.take("wait"), let span = wait.duration() { step.act = .wait(span) }
        if let takeover = map.take("takeover"), takeover.boolean() == true { step.act = .takeOver }
        step.state = map.take("state")?.text()
        step.hears = map.take("hears").map(texts)
        step.says = map.take("says").map(texts) ?? []
        step.silent = map.take("hears-nothing")?.boolean() ?? false
        step.path = map.take("path").map(texts)
        step.language = map.take("language")?.text()
        step.customer = map.take("customer")?.text()
        step.ends = map.take("ends")?.text()
        step.asks = map.take("asks").map { value in
            (value.isList ? value.list() ?? [] : [value]).map { request in
                var result: [String: String] = [:]
                if request.isText { return ["operation": request.text() ?? ""] }
                for (key, value) in request.entries() ?? [] {
                    if let key = key.text(), let value = value.text() { result[key] = value }
                }
                return result
            }
        }
        return step
    }

    private func texts(_ value: YAMLValue) -> [String] {
        (value.isList ? value.list() ?? [] : [value]).compactMap { $0.text() }
    }

    private func digits(_ value: YAMLValue) -> [KeypadDigit] {
        (value.text("digits") ?? "").compactMap { character in
            if character == " " { return nil }
            guard let digit = KeypadDigit(character) else {
                value.fail("\"\(character)\" is no key of a telephone")
                return nil
            }
            return digit
        }
    }
}
