import Speech
import StrictYAML

/// What holds for all states of one menu file.
struct MenuScope {
    /// `""` for the top file, `lost-card/` for an included one.
    var prefix = ""
    var defaults: YAMLValue?
    /// Where a caller goes who answers nothing useful.
    var exhausted: String?
    var login: MenuDefinition.Login?
    var keys: [KeypadDigit: MenuBranch] = [:]
    var hours: [String: OpeningHours] = [:]
    /// Included menu → its start state.
    var includes: [String: String] = [:]
    var isIncluded: Bool { !prefix.isEmpty }
}

/// One pass over a menu and what it includes. Problems go to the collector; what is read lands in the properties.
final class MenuReading {
    struct Header {
        var name: String
        var version: String
        var languages: [String]
        var start: String
        var login: MenuDefinition.Login?
    }

    struct Reference {
        var state: String
        /// The state it leads from; nil for a global key.
        var owner: String?
        var value: YAMLValue
    }

    struct VariableUse {
        var name: String
        var isSecret: Bool
        var value: YAMLValue
    }

    static let includeDepth = 4
    static let stateLimit = 500

    let source: MenuSource
    let operations: OperationCatalogue
    let collector: ProblemCollector

    /// Every state could be read as it is written; names in them may lead nowhere.
    private(set) var isWhole = false
    var languages: [String] = []
    var states: [String: MenuState] = [:]
    var order: [String] = []
    var tables: [String: [[String: MenuValue]]] = [:]
    var branches: [MenuBranch] = []
    var collectors: [String: String] = [:]

    var references: [Reference] = []
    var variables: Set<String> = []
    var variableUses: [VariableUse] = []

    init(source: MenuSource, operations: OperationCatalogue, collector: ProblemCollector) {
        self.source = source
        self.operations = operations
        self.collector = collector
    }

    /// Nil only where there is no menu at all; what is missing or wrong is empty in the header, with an error.
    func read() -> Header? {
        guard let top = document(source.top, asked: nil) else { return nil }
        let name = top.require("menu")?.name("the name of the menu")
        let version = top.require("version")?.text("a version, such as \"2026-11\"")
        languages = (top.require("languages")?.list("a list of languages, the first being the one to begin with") ?? [])
            .compactMap { $0.name("a language, such as en") }
        if languages.isEmpty { top.whole.fail("the menu speaks no language; name at least one under \"languages\"") }
        if Set(languages).count < languages.count { top.whole.fail("a language stands twice in \"languages\"") }
        let body = readBody(top, scope: MenuScope(), depth: 0)
        isWhole = !collector.hasErrors
        MenuRules(reading: self).check()
        return Header(
            name: name ?? "", version: version ?? "", languages: languages, start: body.start ?? "", login: body.login)
    }

    private func document(_ file: String, asked value: YAMLValue?) -> YAMLMapping? {
        guard let text = source.files[file] else {
            let problem = "the menu file \"\(file)\" is not there"
            if let value { value.fail(problem) } else { collector.add(Problem(file: file, line: 0, problem)) }
            return nil
        }
        return YAMLValue.parse(text, file: file, collector: collector)?.mapping("a menu")
    }

    /// Everything that the top file and included ones have in common.
    private func readBody(
        _ top: YAMLMapping, scope inherited: MenuScope, depth: Int
    ) -> (start: String?, login: MenuDefinition.Login?) {
        var scope = inherited
        let startValue = top.require("start")
        let start = startValue.flatMap { reference($0, in: scope, owner: nil) }
        if let value = top.take("exhausted") {
            scope.exhausted = reference(value, in: scope, owner: nil)
        } else if !scope.isIncluded {
            top.whole.fail("the key \"exhausted\" is missing: the state for callers who answer nothing useful")
        }
        if let value = top.take("login") { scope.login = login(value, scope: scope) }
        scope.defaults = top.take("defaults") ?? inherited.defaults
        if scope.isIncluded { scope.keys = [:] }
        scope.hours = hours(top.take("hours"))
        readTables(top.take("tables"), prefix: scope.prefix)
        for (key, value) in top.take("include")?.entries("a mapping of names to menu files") ?? [] {
            include(key, value, into: &scope, depth: depth)
        }
        if let keys = top.take("keys") { scope.keys = self.keys(keys, scope: scope, owner: nil, label: "keys") }
        let entries = top.require("states")?.entries("a mapping of state names to states") ?? []
        top.finish()
        for (key, value) in entries { readState(key, value, scope: scope) }
        return (start, scope.login)
    }

    private func include(_ key: YAMLValue, _ value: YAMLValue, into scope: inout MenuScope, depth: Int) {
        guard let name = key.name("the name of an included menu"), let file = value.text("a menu file") else { return }
        guard depth < Self.includeDepth else {
            return value.fail("menus are included at most \(Self.includeDepth) deep; does one include itself?")
        }
        guard let top = document(file, asked: value) else { return }
        // An included file says which menu it is, so that it can be checked alone, but adopts the languages.
        _ = top.take("menu")
        _ = top.take("version")
        _ = top.take("languages")
        var inner = scope
        inner.prefix = scope.prefix + name + "/"
        inner.includes = [:]
        if let start = readBody(top, scope: inner, depth: depth + 1).start { scope.includes[name] = start }
    }

    private func login(_ value: YAMLValue, scope: MenuScope) -> MenuDefinition.Login? {
        guard let map = value.mapping() else { return nil }
        let state = map.require("state").flatMap { reference($0, in: scope, owner: nil) }
        let customer = map.require("customer").flatMap { variable($0) }
        let otherwise = map.require("otherwise").flatMap { reference($0, in: scope, owner: nil) }
        map.finish()
        guard let state, let customer, let otherwise else { return nil }
        return MenuDefinition.Login(state: state, customerVariable: customer, otherwise: otherwise)
    }

    private func readTables(_ value: YAMLValue?, prefix: String) {
        for (key, rows) in value?.entries("a mapping of table names to lists") ?? [] {
            guard let name = key.name("the name of a table"), let list = rows.list("a list of rows") else { continue }
            var table: [[String: MenuValue]] = []
            for row in list {
                var values: [String: MenuValue] = [:]
                for (column, cell) in row.entries("a row: names and values") ?? [] {
                    guard let name = column.text("a name"), let text = cell.text("a value") else { continue }
                    values[name] = .text(text)
                }
                if let first = table.first, first.keys.sorted() != values.keys.sorted() {
                    row.fail("every row of a table has the same names: \(first.keys.sorted().joined(separator: ", "))")
                }
                table.append(values)
            }
            if table.isEmpty { rows.fail("the table has no rows") }
            tables[prefix + name] = table
        }
    }

    // MARK: Names

    /// Notes that something leads to a state; whether it exists is known once all states are read.
    func reference(_ value: YAMLValue, in scope: MenuScope, owner: String?) -> String? {
        guard let name = value.name("the name of a state") else { return nil }
        let full = scope.prefix + name
        references.append(Reference(state: full, owner: owner, value: value))
        return full
    }

    /// Notes a use of a variable by its name.
    func variable(_ value: YAMLValue, isSecret: Bool = false) -> String? {
        guard let name = variableName(value) else { return nil }
        variableUses.append(VariableUse(name: name, isSecret: isSecret, value: value))
        return name
    }

    func variableName(_ value: YAMLValue) -> String? {
        guard let text = value.text("the name of a variable") else { return nil }
        guard YAMLValue.isName(text.split(separator: "_").joined(separator: "-")) else {
            value.fail("found \(value.found), expected the name of a variable: lower-case letters, digits, - and _")
            return nil
        }
        return text
    }

    func digit(_ value: YAMLValue) -> KeypadDigit? {
        guard let text = value.text("a key of the telephone"), text.count == 1, let character = text.first,
            let digit = KeypadDigit(character)
        else {
            value.fail("found \(value.found), expected one key of the telephone: \"0\" to \"9\", \"*\" or \"#\"")
            return nil
        }
        return digit
    }

    func newBranchID(_ branch: MenuBranch) -> MenuBranch {
        var branch = branch
        branch.id = branches.count
        branches.append(branch)
        return branch
    }
}
