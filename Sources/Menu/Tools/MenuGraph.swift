import Speech

/// The states of a menu and what leads from one to another, for checks and drawings.
struct MenuGraph {
    struct Edge {
        var from: String
        var to: String
        var label: String
        /// Whether the caller did something for it.
        var needsInput: Bool
        var place: MenuPlace
        var kind = Kind.plain

        enum Kind { case plain, toLogin, wanted }
        var isLogin: Bool { kind != .plain }
    }

    let definition: MenuDefinition
    let edges: [String: [Edge]]

    init(_ definition: MenuDefinition) {
        self.definition = definition
        var edges: [String: [Edge]] = [:]
        for name in definition.stateNames { edges[name] = Self.edges(of: name, definition) }
        // A state behind the login is met by strangers only if something before the login leads to it.
        let open = edges.values.joined().filter { definition.states[$0.from]?.needsLogin != true && !$0.isLogin }
        let guarded = Set(open.map(\.to)).union([definition.start])
        for (name, list) in edges {
            edges[name] = list.filter { edge in
                switch edge.kind {
                case .plain: true
                case .toLogin: guarded.contains(edge.from)
                case .wanted: guarded.contains(edge.to)
                }
            }
        }
        self.edges = edges
    }

    /// What can be reached from the start.
    func reachable() -> Set<String> {
        var seen: Set<String> = []
        var waiting = [definition.start]
        while let name = waiting.popLast() {
            guard seen.insert(name).inserted else { continue }
            waiting += edges[name, default: []].map(\.to)
        }
        return seen
    }

    /// Groups of states among which a caller can go round for ever without pressing a key.
    func idleLoops() -> [[String]] {
        var found: [[String]] = []
        var settled: Set<String> = []
        for name in definition.stateNames where !settled.contains(name) {
            let ahead = reach(from: name)
            guard ahead.contains(name) else { continue }
            let loop = definition.stateNames.filter { ahead.contains($0) && reach(from: $0).contains(name) }
            settled.formUnion(loop)
            found.append(loop)
        }
        return found
    }

    /// What follows without input, the state itself only if it comes round.
    private func reach(from start: String) -> Set<String> {
        var seen: Set<String> = []
        var waiting = [start]
        while let name = waiting.popLast() {
            for edge in edges[name, default: []] where !edge.needsInput && seen.insert(edge.to).inserted {
                waiting.append(edge.to)
            }
        }
        return seen
    }

    private static func edges(of name: String, _ definition: MenuDefinition) -> [Edge] {
        guard let state = definition.states[name] else { return [] }
        var result: [Edge] = []
        func add(_ branch: MenuBranch, _ label: String, input: Bool) {
            for (to, note) in targets(of: branch, from: name, definition) {
                result.append(
                    Edge(
                        from: name, to: to, label: note.isEmpty ? label : "\(label) (\(note))", needsInput: input,
                        place: branch.place, kind: note == "wanted" ? .wanted : .plain))
            }
        }
        func addKeys(_ keys: [KeypadDigit: MenuBranch]) {
            for (digit, branch) in keys.sorted(by: { $0.key.ascii < $1.key.ascii }) {
                add(branch, String(digit.character), input: true)
            }
        }
        if state.needsLogin, let login = definition.login {
            result.append(
                Edge(
                    from: name, to: login.state, label: "not logged in", needsInput: false, place: state.place,
                    kind: .toLogin))
        }
        if let question = state.question {
            add(question.noInput.exhausted, "no input", input: false)
            add(question.wrong.exhausted, "wrong", input: true)
        }
        switch state.kind {
        case .choice(_, let keys): addKeys(keys)
        case .entry(_, let rule, let keys):
            add(rule.then, "entered", input: true)
            if let mismatch = rule.mismatch { add(mismatch, "differs", input: true) }
            addKeys(keys)
        case .operation(let step):
            for (result, branch) in step.results.sorted(by: { $0.key < $1.key }) { add(branch, result, input: false) }
        case .queue(let step):
            for (result, branch) in step.results.sorted(by: { $0.key < $1.key }) { add(branch, result, input: false) }
            addKeys(step.keys)
        case .choose(let choices):
            for choice in choices { add(choice.branch, choice.summary, input: false) }
        case .call(let start, let then):
            result.append(Edge(from: name, to: start, label: "call", needsInput: false, place: state.place))
            add(then, "after the call", input: false)
        case .speak(let then): add(then, "", input: false)
        case .hangUp: break
        }
        return result
    }

    private static func targets(
        of branch: MenuBranch, from name: String, _ definition: MenuDefinition
    ) -> [(String, String)] {
        switch branch.target {
        case .state(let target): return [(target, "")]
        case .again: return [(name, "")]
        case .retry(let target):
            var result = [(target, "retry")]
            if let rule = definition.states[target]?.question?.wrong {
                result += targets(of: rule.exhausted, from: target, definition).map { ($0.0, "too often") }
            }
            return result
        case .wanted(let otherwise):
            return [(otherwise, "")]
                + definition.stateNames.filter { $0 != otherwise && definition.states[$0]?.needsLogin == true }
                .map { ($0, "wanted") }
        case .back:
            let prefix = name.split(separator: "/").dropLast()
            return definition.stateNames.flatMap { caller -> [(String, String)] in
                guard case .call(let start, let then)? = definition.states[caller]?.kind,
                    start.split(separator: "/").dropLast() == prefix
                else { return [] }
                return targets(of: then, from: caller, definition).map { ($0.0, "return") }
            }
        }
    }
}

extension Choice {
    var summary: String {
        if conditions.isEmpty { return "else" }
        return conditions.map { condition in
            switch condition {
            case .hours(_, let isOpen): isOpen ? "open" : "closed"
            case .language(let code): "in \(code)"
            case .loggedIn(let wanted): wanted ? "logged in" : "not logged in"
            case .variable(let name, let text): "\(name) is \(text)"
            }
        }.joined(separator: ", ")
    }
}
