import StrictYAML

extension MenuReading {
    private static let reserved: Set<String> = ["repeat", "wanted", "return"]
    /// What a queue answers, in the words of `QueueResult`.
    private static let queueResults = Dictionary(
        uniqueKeysWithValues: QueueResult.allCases.map { ($0.rawValue, LocalValues()) })

    func readState(_ key: YAMLValue, _ value: YAMLValue, scope: MenuScope) {
        guard let short = key.name("the name of a state"), let map = value.mapping("a state") else { return }
        defer { map.finish() }
        if Self.reserved.contains(short) { return key.fail("\"\(short)\" is a word of its own and names no state") }
        guard states.count < Self.stateLimit else { return key.fail("a menu has at most \(Self.stateLimit) states") }
        let name = scope.prefix + short
        let defaults = scope.defaults?.mapping()
        let path = map.take("path")?.name("a name for the call record") ?? short
        let needsLogin: Bool
        if let needs = map.take("needs") {
            needsLogin = needs.text() == "login"
            if !needsLogin { needs.fail("found \(needs.found), expected login") }
            if scope.login == nil { needs.fail("the menu has no \"login\" section") }
        } else {
            needsLogin = false
        }
        let bargeInDefault = defaults?.take("barge-in").flatMap { $0.boolean() } ?? true
        let bargeIn = map.take("barge-in").flatMap { $0.boolean() } ?? bargeInDefault
        let prepares = map.take("prepares").flatMap(moneyOperation)
        var state = MenuState(
            name: name, place: MenuPlace(file: key.file, line: key.line), path: path, needsLogin: needsLogin, say: [],
            bargeIn: bargeIn, prepares: prepares, kind: .hangUp(reason: "menu"))
        if let kind = kind(map, name: name, scope: scope, defaults: defaults, state: &state) {
            state.kind = kind
            if states[name] != nil { key.fail("the state \"\(name)\" is there already") }
            states[name] = state
            order.append(name)
        } else {
            // Named all the same, so that what leads here is not reported as well.
            states[name] = state
        }
        checkDefaults(scope.defaults)
    }

    /// The defaults are read anew for each state; unknown keys in them are reported once.
    private func checkDefaults(_ value: YAMLValue?) {
        guard let map = value?.mapping() else { return }
        for key in ["barge-in", "first-digit", "inter-digit", "swallow-hash", "operation", "no-input", "wrong"] {
            _ = map.take(key)
        }
        map.finish()
    }

    private func moneyOperation(_ value: YAMLValue) -> String? {
        guard let name = value.text("an operation") else { return nil }
        guard operations.signatures[name]?.movesMoney == true else {
            let known = operations.signatures.values.filter(\.movesMoney).map(\.name).sorted()
            value.fail("found \(value.found), expected an operation that moves money: \(known.joined(separator: ", "))")
            return nil
        }
        return name
    }

    private func kind(
        _ map: YAMLMapping, name: String, scope: MenuScope, defaults: YAMLMapping?, state: inout MenuState
    ) -> MenuState.Kind? {
        let present = ["enter", "do", "queue", "choose", "call", "hang-up"].filter(map.keys.contains)
        guard present.count <= 1 else {
            map.whole.fail("a state does one thing, this one has \(present.joined(separator: " and "))")
            for key in present + ["say", "keys", "go"] { _ = map.take(key) }
            return nil
        }
        let context = BranchContext(scope: scope, owner: name, label: name, bargeIn: state.bargeIn)
        if present.first != "do", present.first != "choose", present.first != "call" {
            state.say = say(map.take("say"), scope: scope)
        }
        switch present.first {
        case "enter": return entry(map, name: name, scope: scope, defaults: defaults)
        case "do": return operation(map, context, defaults: defaults, state: &state)
        case "queue": return queue(map, context)
        case "choose": return choose(map, context)
        case "call":
            guard let value = map.require("call"), let menu = value.text("an included menu") else { return nil }
            guard let start = scope.includes[menu] else {
                value.fail("no menu \"\(menu)\" is included")
                return nil
            }
            var inner = context
            inner.label += ": after \(menu)"
            return map.require("go").flatMap { branch($0, inner) }.map { .call(start: start, then: $0) }
        case "hang-up": return map.require("hang-up")?.name("a reason").map { .hangUp(reason: $0) }
        default:
            if map.keys.contains("keys") { return choice(map, name: name, scope: scope, defaults: defaults) }
            guard let go = map.take("go") else {
                map.whole.fail("the state leads nowhere; it needs keys, enter, do, queue, choose, call, go or hang-up")
                return nil
            }
            var inner = context
            inner.label += ": go"
            return branch(go, inner).map { .speak(then: $0) }
        }
    }

    private func question(
        _ map: YAMLMapping, name: String, scope: MenuScope, defaults: YAMLMapping?
    ) -> Question {
        func time(_ key: String, _ fallback: Duration) -> Duration {
            let base = defaults?.take(key)
            guard let value = map.take(key) ?? base, let time = value.duration() else { return fallback }
            if time < Question.shortestTime {
                value.fail("\"\(key)\" gives a caller no time to press anything; at least 500ms is expected")
            }
            return time
        }
        return Question(
            firstDigit: time("first-digit", .seconds(6)), interDigit: time("inter-digit", .seconds(4)),
            noInput: retry("no-input", map, defaults: defaults, scope: scope, owner: name),
            wrong: retry("wrong", map, defaults: defaults, scope: scope, owner: name))
    }

    private func choice(
        _ map: YAMLMapping, name: String, scope: MenuScope, defaults: YAMLMapping?
    ) -> MenuState.Kind? {
        let useGlobal = map.take("global-keys").flatMap { $0.boolean() } ?? true
        let own = map.require("keys").map { keys($0, scope: scope, owner: name, label: name) } ?? [:]
        let all = useGlobal ? scope.keys.merging(own) { _, own in own } : own
        return .choice(question(map, name: name, scope: scope, defaults: defaults), keys: all)
    }

    private func entry(
        _ map: YAMLMapping, name: String, scope: MenuScope, defaults: YAMLMapping?
    ) -> MenuState.Kind? {
        let useGlobal = map.take("global-keys").flatMap { $0.boolean() } ?? true
        let own = map.take("keys").map { keys($0, scope: scope, owner: name, label: name) } ?? [:]
        let question = question(map, name: name, scope: scope, defaults: defaults)
        let then = map.require("go").flatMap {
            branch($0, BranchContext(scope: scope, owner: name, label: "\(name): entered"))
        }
        let swallow = defaults?.take("swallow-hash").flatMap { $0.duration() } ?? .seconds(2)
        guard let value = map.require("enter"), let then,
            let rule = EntryReading(reading: self, state: name, swallow: swallow, then: then).rule(value, scope: scope)
        else { return nil }
        for (digit, branch) in own.sorted(by: { $0.key.ascii < $1.key.ascii }) where rule.uses(digit) {
            collector.add(
                Problem(
                    file: branch.place.file, line: branch.place.line, "the entry itself uses the key \(digit.character)"
                ))
        }
        let usable = useGlobal ? scope.keys.filter { !rule.uses($0.key) } : [:]
        return .entry(question, rule, keys: usable.merging(own) { _, own in own })
    }

    private func queue(_ map: YAMLMapping, _ context: BranchContext) -> MenuState.Kind? {
        let own = map.take("keys").map {
            keys($0, scope: context.scope, owner: context.owner, label: context.label, allowsRepeat: false)
        }
        guard let value = map.require("queue")?.mapping("a queue: name and results") else { return nil }
        defer { value.finish() }
        let queue = value.require("name")?.name("the name of a queue")
        let branches = results(
            value.require("results"), expected: Self.queueResults, whole: value.whole, context: context)
        return queue.map { .queue(QueueStep(queue: $0, keys: own ?? [:], results: branches)) }
    }

    private func choose(_ map: YAMLMapping, _ context: BranchContext) -> MenuState.Kind? {
        guard let list = map.require("choose")?.list("a list of branches with conditions") else { return nil }
        var choices: [Choice] = []
        for (index, value) in list.enumerated() {
            var conditions: [Choice.Condition] = []
            guard let inner = value.mapping() else { continue }
            for (key, condition) in inner.take("if")?.entries("conditions") ?? [] {
                conditions += self.condition(key, condition, context.scope)
            }
            var context = context
            context.label += ": choice \(index + 1)"
            if let go = inner.require("go"), let branch = branch(go, context) {
                choices.append(Choice(conditions: conditions, branch: branch))
            }
            inner.finish()
            if conditions.isEmpty, index < list.count - 1, !inner.keys.contains("if") {
                value.fail("what follows a choice without conditions is never reached")
            }
        }
        if let last = choices.last, !last.conditions.isEmpty {
            map.whole.fail("the last choice must have no conditions, so that there is always a way on")
        }
        return choices.isEmpty ? nil : .choose(choices)
    }

    private func condition(_ key: YAMLValue, _ value: YAMLValue, _ scope: MenuScope) -> [Choice.Condition] {
        switch key.text() {
        case "open", "closed":
            guard let name = value.text("the name of hours"), let hours = scope.hours[name] else {
                value.fail(
                    "found \(value.found), expected one of the hours: \(scope.hours.keys.sorted().joined(separator: ", "))"
                )
                return []
            }
            return [.hours(hours, isOpen: key.text() == "open")]
        case "language": return language(of: value).map { [.language($0)] } ?? []
        case "logged-in": return value.boolean().map { [.loggedIn($0)] } ?? []
        case "variable":
            return (value.entries("variables and their values") ?? []).compactMap { key, value in
                guard let name = variable(key), let text = value.text("a value") else { return nil }
                return .variable(name, is: text)
            }
        default:
            key.fail("found \(key.found), expected a condition: open, closed, language, logged-in or variable")
            return []
        }
    }
}
