import Yams

/// What is shared while one file is read: its problems, and the keys that were asked for.
final class ProfileReading {
    let file: String
    /// Reads an imaginary file in which every section and one element of every list is there, to learn the keys.
    let isRecording: Bool
    private(set) var problems: [ProfileProblem] = []
    private(set) var keys: [ProfileKey] = []

    init(file: String, isRecording: Bool = false) {
        self.file = file
        self.isRecording = isRecording
    }

    func problem(_ path: String, found: String, expected: String, line: Int) {
        guard !isRecording else { return }
        problems.append(ProfileProblem(file: file, path: path, found: found, expected: expected, line: line))
    }

    func record(_ key: ProfileKey) {
        if isRecording { keys.append(key) }
    }
}

/// One mapping of a profile. Keys are asked for one by one, each with its kind, default and meaning; `finish` refuses
/// the ones that nobody asked for.
final class Section {
    let reading: ProfileReading
    let path: String
    let line: Int
    private let mapping: Node.Mapping?
    private var known: [String] = []

    init(reading: ProfileReading, mapping: Node.Mapping?, path: String, line: Int) {
        self.reading = reading
        self.mapping = mapping
        self.path = path
        self.line = line
    }

    /// Whether the file has the key.
    func has(_ key: String) -> Bool { node(key) != nil }

    func lineOf(_ key: String) -> Int { node(key)?.mark?.line ?? line }

    func pathOf(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// A rule across fields that does not hold, told at one of them.
    func refuse(_ key: String, found: String, expected: String) {
        reading.problem(pathOf(key), found: found, expected: expected, line: lineOf(key))
    }

    // MARK: Scalars

    func required<Value>(_ key: String, _ kind: ValueKind<Value>, _ meaning: String) -> Value {
        ask(key, kind.expected, absent: nil, meaning)
        guard let node = node(key) else {
            reading.problem(pathOf(key), found: "nothing", expected: kind.expected, line: line)
            return kind.placeholder
        }
        return scalar(node, kind, path: pathOf(key))
    }

    func value<Value>(_ key: String, _ kind: ValueKind<Value>, default absent: Value, _ meaning: String) -> Value {
        ask(key, kind.expected, absent: kind.show(absent), meaning)
        return node(key).map { scalar($0, kind, path: pathOf(key)) } ?? absent
    }

    /// `absent` says what holds instead, in words.
    func optional<Value>(_ key: String, _ kind: ValueKind<Value>, absent: String, _ meaning: String) -> Value? {
        ask(key, kind.expected, absent: "(\(absent))", meaning)
        return node(key).map { scalar($0, kind, path: pathOf(key)) }
    }

    private func scalar<Value>(_ node: Node, _ kind: ValueKind<Value>, path: String) -> Value {
        guard case .scalar(let scalar) = node, let value = kind.parse(scalar.string) else {
            reading.problem(path, found: Self.found(node), expected: kind.expected, line: node.mark?.line ?? line)
            return kind.placeholder
        }
        return value
    }

    // MARK: Lists

    /// A list of scalars. Nil as default: it must be there.
    func list<Value>(
        _ key: String, _ kind: ValueKind<Value>, count: ClosedRange<Int>, default absent: [Value]?, _ meaning: String
    ) -> [Value] {
        let expected = "a list of \(count.lowerBound) to \(count.upperBound): \(kind.expected)"
        let shown = absent.map { "[" + $0.map(kind.show).joined(separator: ", ") + "]" }
        ask(key, expected, absent: shown, meaning)
        guard let nodes = elements(key, count: count, expected: expected, isRequired: absent == nil) else {
            return absent ?? []
        }
        return nodes.enumerated().map { scalar($1, kind, path: "\(pathOf(key))[\($0)]") }
    }

    /// A list of mappings.
    func sections<Value>(
        _ key: String, of what: String, count: ClosedRange<Int>, isRequired: Bool = false, _ meaning: String,
        read: (Section) -> Value
    ) -> [Value] {
        let expected = "a list of \(count.lowerBound) to \(count.upperBound) mappings, each \(what)"
        ask(key, expected, absent: isRequired ? nil : "[]", meaning)
        if reading.isRecording { _ = inside(nil, path: "\(pathOf(key))[]", read: read) }
        guard let nodes = elements(key, count: count, expected: expected, isRequired: isRequired) else { return [] }
        return nodes.enumerated().compactMap { index, node in
            let path = "\(pathOf(key))[\(index)]"
            guard case .mapping = node else {
                reading.problem(
                    path, found: Self.found(node), expected: "a mapping, \(what)", line: node.mark?.line ?? line)
                return nil
            }
            return inside(node, path: path, read: read)
        }
    }

    private func elements(_ key: String, count: ClosedRange<Int>, expected: String, isRequired: Bool) -> [Node]? {
        guard let node = node(key) else {
            if isRequired { reading.problem(pathOf(key), found: "nothing", expected: expected, line: line) }
            return nil
        }
        guard case .sequence(let sequence) = node else {
            reading.problem(pathOf(key), found: Self.found(node), expected: expected, line: lineOf(key))
            return nil
        }
        guard count.contains(sequence.count) else {
            reading.problem(
                pathOf(key), found: "a list of \(sequence.count)", expected: expected, line: lineOf(key))
            return nil
        }
        return Array(sequence)
    }

    // MARK: Mappings

    /// A mapping with keys of our own; missing means that all its defaults hold.
    func section<Value>(_ key: String, read: (Section) -> Value) -> Value {
        known.append(key)
        if let node = node(key), node.mapping == nil {
            reading.problem(
                pathOf(key), found: Self.found(node), expected: "a mapping with keys of its own", line: lineOf(key))
            // What is inside is unknown, so nothing that it should hold is missed.
            return read(
                Section(
                    reading: ProfileReading(file: reading.file), mapping: nil, path: pathOf(key), line: lineOf(key)))
        }
        return inside(node(key), path: pathOf(key), read: read)
    }

    /// A mapping whose keys the user chooses. The order of the file is kept.
    func map<Value>(
        _ key: String, keys kind: ValueKind<String>, of what: String, count: ClosedRange<Int>, absent: String?,
        _ meaning: String, read: (String, Section) -> Value
    ) -> [(key: String, value: Value)]? {
        let expected = "a mapping of \(count.lowerBound) to \(count.upperBound) keys, each \(kind.expected), to \(what)"
        ask(key, expected, absent: absent, meaning)
        if reading.isRecording {
            _ = inside(nil, path: "\(pathOf(key)).<\(key.hasSuffix("s") ? String(key.dropLast()) : key)>") {
                read(kind.placeholder, $0)
            }
        }
        guard let node = node(key) else {
            if absent == nil { reading.problem(pathOf(key), found: "nothing", expected: expected, line: line) }
            return nil
        }
        guard case .mapping(let mapping) = node, count.contains(mapping.count) else {
            let found = node.mapping.map { "a mapping of \($0.count)" } ?? Self.found(node)
            reading.problem(pathOf(key), found: found, expected: expected, line: lineOf(key))
            return nil
        }
        return entries(of: mapping, path: pathOf(key)).compactMap { entry in
            // As it is written, also where it is no good: the user must find it again.
            let name = entry.key.scalar.map { String($0.string.prefix(80)) } ?? "?"
            let path = "\(pathOf(key)).\(name)"
            if entry.key.scalar.flatMap({ kind.parse($0.string) }) == nil {
                reading.problem(
                    path, found: "a key that is not allowed", expected: kind.expected,
                    line: entry.key.mark?.line ?? line)
            }
            guard case .mapping = entry.value else {
                reading.problem(
                    path, found: Self.found(entry.value), expected: "a mapping, \(what)",
                    line: entry.value.mark?.line ?? line)
                return nil
            }
            return (name, inside(entry.value, path: path) { read(name, $0) })
        }
    }

    /// The entries in the order of the file. YAML takes `95533` and `"95533"` for two keys, whoever reads the file does
    /// not: the second one is told and left out.
    private func entries(of mapping: Node.Mapping, path: String) -> [(key: Node, value: Node)] {
        var entries: [(key: Node, value: Node)] = []
        var seen: Set<String> = []
        for entry in mapping {
            guard let key = entry.key.scalar?.string, !seen.insert(key).inserted else {
                entries.append(entry)
                continue
            }
            let name = String(key.prefix(80))
            reading.problem(
                path.isEmpty ? name : "\(path).\(name)", found: "a key that stands twice", expected: "each key once",
                line: entry.key.mark?.line ?? line)
        }
        return entries
    }

    private func inside<Value>(_ node: Node?, path: String, read: (Section) -> Value) -> Value {
        let section = Section(reading: reading, mapping: node?.mapping, path: path, line: node?.mark?.line ?? line)
        let value = read(section)
        section.finish()
        return value
    }

    /// Refuses keys that nobody asked for.
    func finish() {
        guard let mapping else { return }
        for entry in entries(of: mapping, path: path) {
            if let key = entry.key.scalar?.string, known.contains(key) { continue }
            let name = entry.key.scalar?.string ?? "?"
            reading.problem(
                pathOf(name), found: "an unknown key", expected: "one of \(known.sorted().joined(separator: ", "))",
                line: entry.key.mark?.line ?? line)
        }
    }

    // MARK: Parts

    private func ask(_ key: String, _ expected: String, absent: String?, _ meaning: String) {
        known.append(key)
        reading.record(ProfileKey(path: pathOf(key), expected: expected, absent: absent, meaning: meaning))
    }

    private func node(_ key: String) -> Node? {
        mapping?.first { $0.key.scalar?.string == key }?.value
    }

    static func found(_ node: Node) -> String {
        switch node {
        case .scalar(let scalar):
            // A password is in no problem, wherever a URL was written by mistake.
            let text = StoreLocation.withoutPassword(scalar.string)
            return text.isEmpty ? "nothing" : "\"\(text.prefix(80))\""
        case .mapping: return "a mapping"
        case .sequence: return "a list"
        case .alias: return "an alias"
        }
    }
}
