import Routing

/// One key that the decoder knows. The reference in docs/PROFILES.md is made of these, so it says what is decoded.
public struct ProfileKey: Hashable, Sendable {
    /// `[]` stands for an element of a list, `<…>` for a key that the user chooses.
    public var path: String
    /// What is allowed, in the words of the problems.
    public var expected: String
    /// What holds when the key is missing; nil where it must be there.
    public var absent: String?
    public var meaning: String
}

/// Every key of a role, as the decoder itself asks for them.
public enum ProfileReference {
    public static let roles: [NodeRole] = [.access, .center, .master]

    public static func keys(of role: NodeRole) -> [ProfileKey] {
        let reading = ProfileReading(file: "", isRecording: true)
        let section = Section(reading: reading, mapping: nil, path: "", line: 0)
        _ = NodeProfile.read(section, role: role)
        return reading.keys
    }

    /// The generated part of docs/PROFILES.md.
    public static func markdown() -> String {
        var text = ""
        let common = Set(keys(of: .access)).intersection(keys(of: .center)).intersection(keys(of: .master))
        text += "## Keys of every role\n\n" + table(keys(of: .access).filter(common.contains))
        for role in roles {
            text += "\n## Keys of role `\(role.rawValue)`\n\n" + table(keys(of: role).filter { !common.contains($0) })
        }
        return text
    }

    private static func table(_ keys: [ProfileKey]) -> String {
        let rows = keys.map { key in
            let absent = key.absent.map { $0.hasPrefix("(") ? String($0.dropFirst().dropLast()) : "`\($0)`" }
            return "| `\(key.path)` | \(key.expected) | \(absent ?? "**must be given**") | \(key.meaning) |"
        }
        return "| key | allowed | when missing | meaning |\n|---|---|---|---|\n" + rows.joined(separator: "\n") + "\n"
    }
}
