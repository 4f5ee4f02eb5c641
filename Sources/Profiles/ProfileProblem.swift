/// One thing wrong in a profile: where, what was found, what is allowed.
public struct ProfileProblem: Error, Hashable, Sendable {
    public var file: String
    /// Dotted path of the key, `media.ports` or `nodes[2].sip`; empty when the file as a whole is meant.
    public var path: String
    /// What stands there, quoted if it is a text.
    public var found: String
    public var expected: String
    /// Counted from 1; 0 when it is not known.
    public var line: Int

    public init(file: String, path: String, found: String, expected: String, line: Int = 0) {
        self.file = file
        self.path = path
        self.found = found
        self.expected = expected
        self.line = line
    }
}

extension ProfileProblem: CustomStringConvertible {
    /// `sip-profiles/center-a.yaml: media.ports: found "70000-80000", expected two ports in 1024...65534`
    public var description: String {
        "\(file): \(path.isEmpty ? "" : path + ": ")found \(found), expected \(expected)"
    }
}

/// Every problem of one profile or of a set, in the order of the files.
public struct ProfileProblems: Error, Equatable, Sendable, CustomStringConvertible {
    public let list: [ProfileProblem]

    public init(_ list: [ProfileProblem]) { self.list = list }

    /// One line each.
    public var description: String { list.map(\.description).joined(separator: "\n") }
}
