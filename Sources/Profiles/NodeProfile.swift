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
        let review = review(yaml: text, file: file)
        guard review.problems.isEmpty, let profile = review.profile else { throw ProfileProblems(review.problems) }
        return profile
    }

    /// Reads a profile from disk, and checks that the files it names next to it can be read.
    public static func load(file: String) throws(ProfileProblems) -> NodeProfile {
        let review = review(file: file)
        guard review.problems.isEmpty, let profile = review.profile else { throw ProfileProblems(review.problems) }
        return profile
    }

    /// What reading one profile brought, sound or not.
    struct Review {
        /// As much as could be read, with stand-ins for the rest; nil where not even a role could be. Not for a node
        /// unless there are no problems.
        var profile: NodeProfile?
        var problems: [ProfileProblem]
    }

    /// Reads a profile from disk past its first mistakes, and checks that the files it names next to it can be read.
    static func review(file: String) -> Review {
        guard let data = FileManager.default.contents(atPath: file) else {
            var isFolder: ObjCBool = false
            let exists = FileManager.default.fileExists(atPath: file, isDirectory: &isFolder)
            let found = isFolder.boolValue ? "a folder" : exists ? "an unreadable file" : "no such file"
            let expected = isFolder.boolValue ? "profiles, as in \(file)/*.yaml" : "a profile"
            return Review(problems: whole(file, found: found, expected: expected).list)
        }
        guard data.count <= byteLimit else {
            return Review(
                problems: whole(file, found: "\(data.count) bytes", expected: "at most \(byteLimit)").list)
        }
        guard let text = String(data: data, encoding: .utf8) else {
            return Review(
                problems: whole(file, found: "bytes that are no UTF-8", expected: "a profile in UTF-8").list)
        }
        var review = review(yaml: text, file: file)
        // A path that is no good has its problem already.
        let told = Set(review.problems.map(\.path))
        review.problems += (review.profile?.unreadableFiles(file: file) ?? []).filter { !told.contains($0.path) }
        return review
    }

    private static func review(yaml text: String, file: String) -> Review {
        let reading = ProfileReading(file: file)
        let root: Node
        do {
            guard let node = try Yams.compose(yaml: text) else {
                return Review(problems: whole(file, found: "an empty file", expected: "a profile").list)
            }
            root = node
        } catch let error as YamlError {
            return Review(problems: syntax(error, file: file).list)
        } catch {
            return Review(problems: whole(file, found: "no YAML (\(error))", expected: "a profile").list)
        }
        guard case .mapping(let mapping) = root else {
            return Review(
                problems: whole(
                    file, found: Section.found(root), expected: "a mapping with role, name, sip and http"
                ).list)
        }
        let top = Section(reading: reading, mapping: mapping, path: "", line: root.mark?.line ?? 1)
        // Without a role nothing else can be judged.
        let isRoleKnown = readRole(top)
        guard reading.problems.isEmpty, let role = isRoleKnown else { return Review(problems: reading.problems) }
        let profile = read(top, role: role)
        top.finish()
        return Review(profile: profile, problems: reading.problems)
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

    /// The menus of the lines, in the order of their numbers.
    func readableMenus(file: String) -> [ProfileSet.NamedMenu] {
        guard case .center(let center) = self else { return [] }
        return center.lines.sorted { $0.key < $1.key }.compactMap { _, line in
            guard case .menu(let menu) = line else { return nil }
            let path = Self.path(menu, besideProfile: file)
            guard FileManager.default.isReadableFile(atPath: path) else { return nil }
            return ProfileSet.NamedMenu(
                path: path, prompts: Self.path(center.ownPromptsPath, besideProfile: file))
        }
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
                (mark.line, "broken YAML (\(problem))")
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
