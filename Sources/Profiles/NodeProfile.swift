import Foundation
import Routing
import Yams

/// One profile: one node of one role.
public enum NodeProfile: Hashable, Sendable {
    case access(AccessProfile)
    case center(CenterProfile)
    case master(MasterProfile)

    public var common: CommonProfile {
        switch self {
        case .access(let profile): profile.common
        case .center(let profile): profile.common
        case .master(let profile): profile.common
        }
    }

    public var role: NodeRole {
        switch self {
        case .access: .access
        case .center: .center
        case .master: .master
        }
    }

    public var name: String { common.name }

    /// Profiles larger than this are refused.
    public static let byteLimit = 1 << 20

    /// Reads a profile's text. `file` is only named in problems. Throws all problems at once.
    public static func decode(yaml text: String, file: String) throws(ProfileProblems) -> NodeProfile {
        let reading = ProfileReading(file: file)
        let root: Node
        do {
            guard let node = try Yams.compose(yaml: text) else {
                throw whole(file, found: "an empty file", expected: "a profile")
            }
            root = node
        } catch let error as YamlError {
            throw syntax(error, file: file)
        } catch let error as ProfileProblems {
            throw error
        } catch {
            throw whole(file, found: "no YAML (\(error))", expected: "a profile")
        }
        guard case .mapping(let mapping) = root else {
            throw whole(file, found: Section.found(root), expected: "a mapping with role, name, sip and http")
        }
        let top = Section(reading: reading, mapping: mapping, path: "", line: root.mark?.line ?? 1)
        // Without a role nothing else can be judged.
        let isRoleKnown = readRole(top)
        guard reading.problems.isEmpty, let role = isRoleKnown else { throw ProfileProblems(reading.problems) }
        let profile = read(top, role: role)
        top.finish()
        guard reading.problems.isEmpty else { throw ProfileProblems(reading.problems) }
        return profile
    }

    /// Reads a profile from disk, and checks that the files it names next to it can be read.
    public static func load(file: String) throws(ProfileProblems) -> NodeProfile {
        guard let data = FileManager.default.contents(atPath: file) else {
            let found = FileManager.default.fileExists(atPath: file) ? "an unreadable file" : "no such file"
            throw whole(file, found: found, expected: "a profile")
        }
        guard data.count <= byteLimit else {
            throw whole(file, found: "\(data.count) bytes", expected: "at most \(byteLimit)")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw whole(file, found: "bytes that are no UTF-8", expected: "a profile in UTF-8")
        }
        let profile = try decode(yaml: text, file: file)
        let missing = profile.unreadableFiles(file: file)
        guard missing.isEmpty else { throw ProfileProblems(missing) }
        return profile
    }

    /// A path that a profile gives relative to its own folder.
    public static func path(_ path: String, besideProfile file: String) -> String {
        guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
        return file[...slash] + path
    }

    /// A path that a profile gives relative to the state directory.
    public static func path(_ path: String, inState state: String) -> String {
        path.hasPrefix("/") ? path : state + (state.hasSuffix("/") ? "" : "/") + path
    }

    static func read(_ top: Section, role: NodeRole) -> NodeProfile {
        if top.reading.isRecording { _ = readRole(top) }
        switch role {
        case .access: return .access(AccessProfile.read(top))
        case .master: return .master(MasterProfile.read(top))
        // Roles without a profile of their own are refused before; what is left is a center.
        case .center, .seats: return .center(CenterProfile.read(top))
        }
    }

    private static func readRole(_ top: Section) -> NodeRole? {
        let role = top.required(
            "role", .choice(placeholder: NodeRole.seats, of: ProfileReference.roles), "What the node is for.")
        return role == .seats ? nil : role
    }

    private func unreadableFiles(file: String) -> [ProfileProblem] {
        guard case .center(let center) = self else { return [] }
        return center.lines.sorted { $0.key < $1.key }.compactMap { number, line in
            guard case .menu(let menu) = line else { return nil }
            let path = Self.path(menu, besideProfile: file)
            guard !FileManager.default.isReadableFile(atPath: path) else { return nil }
            return ProfileProblem(
                file: file, path: "lines.\(number).menu", found: "\"\(menu)\"",
                expected: "a readable file; \(path) is none")
        }
    }

    private static func whole(_ file: String, found: String, expected: String) -> ProfileProblems {
        ProfileProblems([ProfileProblem(file: file, path: "", found: found, expected: expected)])
    }

    private static func syntax(_ error: YamlError, file: String) -> ProfileProblems {
        let (line, found): (Int, String) =
            switch error {
            case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
                .composer(_, let problem, let mark, _):
                (mark.line, problem)
            case .duplicatedKeysInMapping(let keys, let context):
                (context.mark.line, "a key twice: \(keys.sorted().joined(separator: ", "))")
            default: (0, "\(error)")
            }
        return ProfileProblems([
            ProfileProblem(
                file: file, path: line > 0 ? "line \(line)" : "", found: found, expected: "valid YAML", line: line)
        ])
    }
}
