import StrictYAML

extension MenuReading {
    /// Where the branch stands and what it may use.
    struct BranchContext {
        var scope: MenuScope
        var owner: String?
        var label: String
        var locals: LocalValues = [:]
        /// `go: repeat` makes sense only where a question is asked.
        var allowsRepeat = false
        var bargeIn = true
    }

    /// The name of a state, or a mapping with `go` or `retry` and what happens on the way.
    func branch(_ value: YAMLValue, _ context: BranchContext) -> MenuBranch? {
        let place = MenuPlace(file: value.file, line: value.line)
        if value.isText {
            guard let target = target(value, context) else { return nil }
            return newBranchID(MenuBranch(id: 0, label: context.label, place: place, target: target))
        }
        guard let map = value.mapping("the name of a state, or a mapping with \"go\"") else { return nil }
        defer { map.finish() }
        var branch = MenuBranch(id: 0, label: context.label, place: place, target: .again)
        branch.say = say(map.take("say"), scope: context.scope, locals: context.locals)
        branch.bargeIn = map.take("barge-in").flatMap { $0.boolean() } ?? context.bargeIn
        branch.language = map.take("language").flatMap { language(of: $0) }
        branch.marksLogin = map.take("logged-in").flatMap { $0.boolean() } ?? false
        if branch.marksLogin, context.scope.login == nil { value.fail("the menu has no \"login\" section") }
        for (key, source) in map.take("keep")?.entries("a mapping of variables to values of the result") ?? [] {
            guard let name = variableName(key), let from = source.text("a value of the result") else { continue }
            if context.locals[from] == nil {
                source.fail("the result has no value \"\(from)\"; it has \(known(context.locals))")
            }
            branch.keep[name] = from
            variables.insert(name)
        }
        let go = map.take("go"), retry = map.take("retry")
        switch (go, retry) {
        case (let go?, nil):
            guard let target = target(go, context) else { return nil }
            branch.target = target
        case (nil, let retry?):
            guard let state = reference(retry, in: context.scope, owner: context.owner) else { return nil }
            branch.target = .retry(state)
        default:
            value.fail("a branch needs either \"go\" or \"retry\"")
            return nil
        }
        return newBranchID(branch)
    }

    private func known(_ locals: LocalValues) -> String {
        locals.isEmpty ? "none" : locals.keys.sorted().joined(separator: ", ")
    }

    private func target(_ value: YAMLValue, _ context: BranchContext) -> MenuBranch.Target? {
        switch value.text("the name of a state") {
        case "repeat":
            if !context.allowsRepeat { value.fail("\"repeat\" is possible only for keys of a question") }
            return .again
        case "wanted":
            guard let login = context.scope.login else {
                value.fail("\"wanted\" leads on after a login, but the menu has no \"login\" section")
                return nil
            }
            return .wanted(otherwise: login.otherwise)
        case "return":
            if !context.scope.isIncluded { value.fail("\"return\" is possible only in an included menu") }
            return .back
        case nil: return nil
        default: return reference(value, in: context.scope, owner: context.owner).map { .state($0) }
        }
    }

    /// A `keys` section.
    func keys(
        _ value: YAMLValue, scope: MenuScope, owner: String?, label: String, allowsRepeat: Bool = true
    ) -> [KeypadDigit: MenuBranch] {
        var result: [KeypadDigit: MenuBranch] = [:]
        for (key, value) in value.entries("a mapping of keys to states") ?? [] {
            guard let digit = digit(key) else { continue }
            let context = BranchContext(
                scope: scope, owner: owner, label: "\(label): key \(digit.character)", allowsRepeat: allowsRepeat)
            if let branch = branch(value, context) { result[digit] = branch }
        }
        return result
    }

    /// A `results` section: every result has its branch, or there is an `else`.
    func results(
        _ value: YAMLValue?, expected: [String: LocalValues], whole: YAMLValue, context: BranchContext
    ) -> [String: MenuBranch] {
        var result: [String: MenuBranch] = [:]
        var otherwise: MenuBranch?
        for (key, value) in value?.entries("a mapping of results to states") ?? [] {
            guard let name = key.text("a result") else { continue }
            var context = context
            context.label += ": \(name)"
            context.locals = expected[name] ?? [:]
            if name == "else" {
                otherwise = branch(value, context)
            } else if expected[name] == nil {
                key.fail("there is no result \"\(name)\"; there are \(expected.keys.sorted().joined(separator: ", "))")
            } else if let branch = branch(value, context) {
                result[name] = branch
            } else {
                // Its problem is reported; it is not missing as well.
                otherwise = otherwise ?? result.values.first
            }
        }
        let given = Set((value?.isMapping == true ? value?.entries() : nil)?.compactMap { $0.key.text() } ?? [])
        let missing = expected.keys.filter { !given.contains($0) }.sorted()
        if let otherwise {
            for name in missing { result[name] = otherwise }
        } else if !missing.isEmpty, value != nil, !given.contains("else") {
            (value ?? whole).fail("nothing happens at \(missing.joined(separator: ", ")); add branches or an \"else\"")
        }
        return result
    }

    /// A `no-input` or `wrong` section over that of the defaults.
    func retry(_ key: String, _ map: YAMLMapping, defaults: YAMLMapping?, scope: MenuScope, owner: String) -> RetryRule
    {
        let base = defaults?.take(key)?.mapping(), own = map.take(key)?.mapping()
        func taken(_ name: String) -> YAMLValue? {
            let fallback = base?.take(name)
            return own?.take(name) ?? fallback
        }
        let limit = taken("limit")?.integer(in: 1...10) ?? 3
        let ownSay = own?.take("say"), ownList = own?.take("attempts")
        let baseSay = base?.take("say"), baseList = base?.take("attempts")
        let sayValue = ownSay ?? baseSay, listValue = ownSay == nil ? ownList ?? baseList : ownList
        var attempts = [say(sayValue, scope: scope)]
        if let list = listValue?.list("a list of say lists, for the first, second, … time") {
            attempts = list.map { say($0, scope: scope) }
        }
        if attempts.isEmpty { attempts = [[]] }
        let repeats = taken("repeat")?.boolean() ?? true
        let go = taken("go")
        own?.finish()
        base?.finish()
        let label = "\(owner): \(key)"
        var exhausted: MenuBranch?
        if let go {
            exhausted = branch(go, BranchContext(scope: scope, owner: owner, label: label))
        } else if let state = scope.exhausted {
            let place = MenuPlace(file: map.whole.file, line: map.whole.line)
            exhausted = newBranchID(MenuBranch(id: 0, label: label, place: place, target: .state(state)))
        }
        let fallback = MenuBranch(
            id: 0, label: label, place: MenuPlace(file: map.whole.file, line: map.whole.line), target: .again)
        return RetryRule(
            limit: limit, attempts: attempts, repeatsQuestion: repeats, exhausted: exhausted ?? fallback)
    }
}
