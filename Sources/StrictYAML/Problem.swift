/// One thing wrong in a file that a person wrote, with the place to look at.
public struct Problem: Error, Hashable, Sendable, Comparable, CustomStringConvertible {
    public enum Severity: String, Sendable, Comparable {
        /// The file is usable, but probably not what its writer meant.
        case warning
        /// The file is refused.
        case error

        public static func < (left: Self, right: Self) -> Bool { left == .warning && right == .error }
    }

    public var severity: Severity
    public var file: String
    /// Counted from 1; 0 when the file as a whole is meant.
    public var line: Int
    /// Says what was found and what is allowed.
    public var message: String
    /// Nothing of the file could be read: what it lacks need not be said as well.
    public var isOfWholeFile: Bool

    public init(
        _ severity: Severity = .error, file: String, line: Int, _ message: String, isOfWholeFile: Bool = false
    ) {
        self.severity = severity
        self.file = file
        self.line = line
        self.message = message
        self.isOfWholeFile = isOfWholeFile
    }

    /// `main.yaml:12: error: …`, the form that editors jump to.
    public var description: String {
        (line > 0 ? "\(file):\(line)" : file) + ": \(severity.rawValue): \(message)"
    }

    /// In reading order.
    public static func < (left: Self, right: Self) -> Bool {
        (left.file, left.line, left.message) < (right.file, right.line, right.message)
    }
}

/// Every problem found while reading one or several files; thrown when at least one is an error.
public struct Problems: Error, Sendable, CustomStringConvertible {
    public var list: [Problem]

    public init(_ list: [Problem]) { self.list = list.sorted() }

    public var description: String { list.map(\.description).joined(separator: "\n") }
}
