import Yams

/// Collects problems while a file is read, so that all of them are reported at once.
public final class ProblemCollector {
    public private(set) var problems: [Problem] = []
    private var seen: Set<Problem> = []

    public init() {}

    public var hasErrors: Bool { problems.contains { $0.severity == .error } }

    public func add(_ problem: Problem) {
        if seen.insert(problem).inserted { problems.append(problem) }
    }

    public func throwErrors() throws(Problems) {
        if hasErrors { throw Problems(problems) }
    }
}

/// One node of a YAML file together with where it stands. Reading it as the wrong kind reports a problem and gives nil.
public struct YAMLValue {
    let node: Node
    public let file: String
    public let collector: ProblemCollector

    /// Parses `text`; nil with a problem reported when it is no YAML or empty.
    public static func parse(_ text: String, file: String, collector: ProblemCollector) -> YAMLValue? {
        do {
            guard let node = try Yams.compose(yaml: text) else {
                collector.add(Problem(file: file, line: 0, "the file is empty"))
                return nil
            }
            return YAMLValue(node: node, file: file, collector: collector)
        } catch let error as YamlError {
            let (line, message) = describe(error)
            collector.add(Problem(file: file, line: line, "no valid YAML: \(message)", isOfWholeFile: true))
        } catch {
            collector.add(Problem(file: file, line: 0, "no valid YAML: \(error)", isOfWholeFile: true))
        }
        return nil
    }

    private static func describe(_ error: YamlError) -> (Int, String) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            (mark.line, problem)
        case .duplicatedKeysInMapping(let duplicates, let context):
            (context.mark.line, "the keys \(duplicates.sorted().joined(separator: ", ")) stand twice in one mapping")
        default: (0, "\(error)")
        }
    }

    public var line: Int { node.mark?.line ?? 0 }

    public func fail(_ message: String) {
        collector.add(Problem(file: file, line: line, message))
    }

    public func warn(_ message: String) {
        collector.add(Problem(.warning, file: file, line: line, message))
    }

    /// A short rendering for messages.
    public var found: String {
        switch node {
        case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : "\"\(scalar.string)\""
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }

    public var isMapping: Bool { node.mapping != nil }
    public var isList: Bool { node.sequence != nil }
    public var isText: Bool { node.scalar != nil }

    /// Any scalar as it is written.
    public func text(_ expected: String = "a text") -> String? {
        guard case .scalar(let scalar) = node, !scalar.string.isEmpty else {
            fail("found \(found), expected \(expected)")
            return nil
        }
        return scalar.string
    }

    /// Any scalar, an empty one too.
    public func textOrEmpty() -> String? { node.scalar.map(\.string) ?? text() }

    /// `[a-z][a-z0-9-]*`, at most 64 long: the form of every name in our files.
    public func name(_ expected: String = "a name") -> String? {
        guard let text = text(expected) else { return nil }
        guard YAMLValue.isName(text) else {
            fail("found \"\(text)\", expected \(expected): lower-case letters, digits and hyphens, a letter first")
            return nil
        }
        return text
    }

    public static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, (97...122).contains(first), text.utf8.count <= 64 else { return false }
        return text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
    }

    public func integer(in range: ClosedRange<Int>) -> Int? {
        guard case .scalar(let scalar) = node, let value = Int(scalar.string), range.contains(value) else {
            fail("found \(found), expected a whole number in \(range.lowerBound)...\(range.upperBound)")
            return nil
        }
        return value
    }

    public func boolean() -> Bool? {
        switch node.scalar?.string {
        case "true", "yes", "on": return true
        case "false", "no", "off": return false
        default:
            fail("found \(found), expected true or false")
            return nil
        }
    }

    /// `500ms`, `2s` or `1m`, at most `limit`.
    public func duration(limit: Duration = .seconds(600)) -> Duration? {
        if let text = node.scalar?.string {
            for (suffix, milliseconds) in [("ms", 1), ("s", 1000), ("m", 60_000)] {
                guard text.hasSuffix(suffix), let count = Double(text.dropLast(suffix.count)), count >= 0, count <= 1e6
                else { continue }
                let value = Duration.milliseconds(Int64(count * Double(milliseconds)))
                if value <= limit { return value }
            }
        }
        fail("found \(found), expected a time such as 500ms or 6s, at most \(limit)")
        return nil
    }

    public func list(_ expected: String = "a list") -> [YAMLValue]? {
        guard case .sequence(let sequence) = node else {
            fail("found \(found), expected \(expected)")
            return nil
        }
        return sequence.map(wrap)
    }

    /// The entries in the order of the file. Nothing is asked of the keys but that none stands twice: YAML takes `1`
    /// and `"1"` for two, whoever reads the file does not. The second one is reported and left out.
    public func entries(_ expected: String = "a mapping") -> [(key: YAMLValue, value: YAMLValue)]? {
        guard case .mapping(let mapping) = node else {
            fail("found \(found), expected \(expected)")
            return nil
        }
        var entries: [(key: YAMLValue, value: YAMLValue)] = []
        var seen: Set<String> = []
        for entry in mapping {
            let key = wrap(entry.key)
            if let text = entry.key.scalar?.string, !seen.insert(text).inserted {
                key.fail("the key \"\(text)\" stands twice in one mapping")
            } else {
                entries.append((key, wrap(entry.value)))
            }
        }
        return entries
    }

    /// A mapping with known keys: call `finish()` on it, which refuses those nobody asked for.
    public func mapping(_ expected: String = "a mapping") -> YAMLMapping? {
        entries(expected).map { YAMLMapping(whole: self, entries: $0) }
    }

    private func wrap(_ child: Node) -> YAMLValue { YAMLValue(node: child, file: file, collector: collector) }
}

/// A mapping whose keys are taken one by one; the rest is refused.
public final class YAMLMapping {
    public let whole: YAMLValue
    private let entries: [(key: YAMLValue, value: YAMLValue)]
    private var known: [String] = []

    init(whole: YAMLValue, entries: [(key: YAMLValue, value: YAMLValue)]) {
        self.whole = whole
        self.entries = entries
    }

    /// The keys as they are written.
    public var keys: [String] { entries.compactMap { $0.key.node.scalar?.string } }

    /// The value of an optional key.
    public func take(_ key: String) -> YAMLValue? {
        known.append(key)
        return entries.first { $0.key.node.scalar?.string == key }?.value
    }

    /// The value of a required key; reports a problem when it is missing.
    public func require(_ key: String) -> YAMLValue? {
        let value = take(key)
        if value == nil { whole.fail("the key \"\(key)\" is missing") }
        return value
    }

    /// Refuses keys that nobody asked for, saying which are allowed.
    public func finish() {
        for entry in entries {
            guard let key = entry.key.node.scalar?.string else {
                entry.key.fail("found \(entry.key.found) as a key, expected a text")
                continue
            }
            if !known.contains(key) {
                entry.key.fail("unknown key \"\(key)\"; allowed here: \(known.sorted().joined(separator: ", "))")
            }
        }
    }
}
