import Cryptography
import StrictYAML

/// The text of a menu and of the menus that it includes: what is kept in the store by its hash, so that every center
/// can load the menu of any live call.
public struct MenuSource: Hashable, Sendable, Codable {
    /// The name of the top file, a key of `files`.
    public var top: String
    /// File name, relative to the top file's directory → content.
    public var files: [String: String]

    public init(top: String, files: [String: String]) {
        self.top = top
        self.files = files
    }

    /// SHA-256 in hexadecimal over names, lengths and contents of all files, the top one first.
    public var hash: String {
        var bytes: [UInt8] = []
        for name in [top] + files.keys.filter({ $0 != top }).sorted() {
            let content = files[name] ?? ""
            bytes += Array("\(name.utf8.count) \(content.utf8.count) ".utf8) + Array(name.utf8) + Array(content.utf8)
        }
        return SHA256.hexadecimal(of: bytes)
    }
}

/// A menu that was read and found sound; values of it can be shared by any number of calls.
public struct MenuDefinition: Sendable {
    final class Content: Sendable {
        let states: [String: MenuState]
        let order: [String]
        let tables: [String: [[String: MenuValue]]]
        let branches: [MenuBranch]
        /// Secret → the state that collects it.
        let collectors: [String: String]

        init(
            states: [String: MenuState], order: [String], tables: [String: [[String: MenuValue]]],
            branches: [MenuBranch], collectors: [String: String]
        ) {
            self.states = states
            self.order = order
            self.tables = tables
            self.branches = branches
            self.collectors = collectors
        }
    }

    struct Login: Sendable {
        var state: String
        var customerVariable: String
        var otherwise: String
    }

    public let name: String
    /// As the writer numbers it.
    public let version: String
    /// Identifies exactly this text; see `MenuSource.hash`.
    public let hash: String
    public let source: MenuSource
    /// The first one is spoken until the caller chose.
    public let languages: [String]
    public let start: String
    /// Findings that do not keep the menu from running.
    public let warnings: [Problem]
    let login: Login?
    let content: Content

    var states: [String: MenuState] { content.states }

    /// The names of all states in the order of the file; those of an included menu are `include/state`.
    public var stateNames: [String] { content.order }

    /// The name that stands for a state in call records and on the console.
    public func path(of state: String) -> String? { content.states[state]?.path }

    /// Reads and checks a menu. Throws every problem at once, each with its file and line.
    public init(_ source: MenuSource, operations: OperationCatalogue = .banking) throws(Problems) {
        let examined = MenuDefinition.examine(source, operations: operations)
        if examined.problems.contains(where: { $0.severity == .error }) { throw Problems(examined.problems) }
        guard let definition = examined.definition else {
            throw Problems([Problem(file: source.top, line: 0, "the menu cannot be read")])
        }
        self = definition
    }

    /// What reading a menu brought, sound or not.
    struct Examination {
        /// As much as could be read. Not for a call unless no problem is an error.
        var definition: MenuDefinition?
        var problems: [Problem]
        /// Every state could be read, so that what leads to what is known.
        var isWhole: Bool
    }

    /// Reads a menu past its first mistakes, for those who look for all of them.
    static func examine(_ source: MenuSource, operations: OperationCatalogue = .banking) -> Examination {
        let collector = ProblemCollector()
        let reading = MenuReading(source: source, operations: operations, collector: collector)
        let header = reading.read()
        let definition = header.map { MenuDefinition(source, header: $0, reading: reading) }
        return Examination(definition: definition, problems: collector.problems, isWhole: reading.isWhole)
    }

    private init(_ source: MenuSource, header: MenuReading.Header, reading: MenuReading) {
        name = header.name
        version = header.version
        hash = source.hash
        self.source = source
        languages = header.languages
        start = header.start
        login = header.login
        warnings = reading.collector.problems
        content = Content(
            states: reading.states, order: reading.order, tables: reading.tables, branches: reading.branches,
            collectors: reading.collectors)
    }
}
