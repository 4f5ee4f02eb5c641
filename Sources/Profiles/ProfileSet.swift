import Foundation
import Primitives
import Routing

/// The profiles of one machine, read together because some rules hold between them.
public struct ProfileSet: Sendable {
    public struct Item: Hashable, Sendable {
        public var file: String
        public var profile: NodeProfile

        public init(file: String, profile: NodeProfile) {
            self.file = file
            self.profile = profile
        }
    }

    /// In the order they were given.
    public let items: [Item]

    /// Reads every file; throws the problems of all of them and between them at once.
    public static func load(files: [String]) throws(ProfileProblems) -> ProfileSet {
        let review = review(files: files)
        guard review.problems.isEmpty else { throw ProfileProblems(review.problems) }
        return ProfileSet(items: review.items)
    }

    /// What reading several files brought, sound or not.
    public struct Review: Sendable {
        /// The profiles that are right by themselves.
        public var items: [Item]
        /// Of each file, and between those that are right.
        public var problems: [ProfileProblem]
        /// The menus that lines name and that are there, those of profiles with problems too.
        public var menus: [NamedMenu]
    }

    /// A menu as a center's profile names it.
    public struct NamedMenu: Hashable, Sendable {
        public var path: String
        /// The folder with the texts of its prompts.
        public var prompts: String
    }

    /// Reads every file past the mistakes in others.
    public static func review(files: [String]) -> Review {
        var review = Review(items: [], problems: [], menus: [])
        for file in files {
            let read = NodeProfile.review(file: file)
            review.problems += read.problems
            guard let profile = read.profile else { continue }
            if read.problems.isEmpty { review.items.append(Item(file: file, profile: profile)) }
            for menu in profile.readableMenus(file: file) where !review.menus.contains(menu) {
                review.menus.append(menu)
            }
        }
        review.problems += problems(between: review.items)
        return review
    }

    /// Reads all `*.yaml` of a folder, by name; its subfolders hold menus and are passed over.
    public static func load(directory: String) throws(ProfileProblems) -> ProfileSet {
        func refuse(_ found: String) -> ProfileProblems {
            ProfileProblems([
                ProfileProblem(file: directory, path: "", found: found, expected: "a folder with profiles (*.yaml)")
            ])
        }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory) else {
            throw refuse("no readable folder")
        }
        let files = names.filter { $0.hasSuffix(".yaml") }.sorted()
        guard !files.isEmpty else { throw refuse("no profile") }
        return try load(files: files.map { NodeProfile.path($0, inState: directory) })
    }

    /// A set of profiles that are already read; throws what is wrong between them.
    public init(checking items: [Item]) throws(ProfileProblems) {
        let problems = Self.problems(between: items)
        guard problems.isEmpty else { throw ProfileProblems(problems) }
        self.items = items
    }

    private init(items: [Item]) { self.items = items }

    /// What is wrong between profiles that are each right.
    static func problems(between items: [Item]) -> [ProfileProblem] {
        var problems: [ProfileProblem] = []
        for (index, item) in items.enumerated() {
            for other in items[..<index] {
                if other.profile.name == item.profile.name {
                    problems.append(
                        ProfileProblem(
                            file: item.file, path: "name", found: "\"\(item.profile.name)\" as in \(other.file)",
                            expected: "a name of its own"))
                }
                problems += clashes(item, with: other)
            }
        }
        problems += stores(of: items)
        for case (let file, .master(let master)) in items.map({ ($0.file, $0.profile) }) {
            problems += watched(by: master, file: file, items: items)
        }
        for case (let file, .access(let access)) in items.map({ ($0.file, $0.profile) }) {
            problems += known(to: access, file: file, items: items)
        }
        return problems
    }

    /// Centers and masters work on one store: another one would be another bank, whose calls nobody sees or takes over.
    private static func stores(of items: [Item]) -> [ProfileProblem] {
        let users = items.filter { $0.profile.role == .center || $0.profile.role == .master }
        guard let first = users.first else { return [] }
        return users.dropFirst().filter { $0.profile.common.store != first.profile.common.store }.map { item in
            ProfileProblem(
                file: item.file, path: "store", found: "\"\(item.profile.common.store)\"",
                expected: "\(first.profile.common.store), as in \(first.file)")
        }
    }

    private struct Bound {
        var path: String
        var isUDP: Bool
        var endpoint: Endpoint
    }

    private static func bound(_ profile: NodeProfile) -> [Bound] {
        profile.common.sip.listeners.map {
            Bound(path: "sip.listen", isUDP: $0.transport == .udp, endpoint: $0.endpoint)
        } + [Bound(path: "http", isUDP: false, endpoint: profile.common.http)]
    }

    /// Ports that two nodes of one machine cannot both have; one line for each pair of keys.
    private static func clashes(_ item: Item, with other: Item) -> [ProfileProblem] {
        var problems: [ProfileProblem] = []
        for mine in bound(item.profile) {
            let taken = bound(other.profile).first {
                $0.isUDP == mine.isUDP && $0.endpoint.clashes(with: mine.endpoint)
            }
            guard let taken else { continue }
            let problem = ProfileProblem(
                file: item.file, path: mine.path,
                found: "\"\(mine.endpoint)\", taken by \(taken.path) of \(other.file)",
                expected: "a port of its own")
            if !problems.contains(problem) { problems.append(problem) }
        }
        for (one, two) in [(item, other), (other, item)] {
            guard case .center(let center) = one.profile else { continue }
            let listener = bound(two.profile).first {
                $0.isUDP && center.media.ports.contains($0.endpoint.port)
                    && sameAddress($0.endpoint.address, center.media.address)
            }
            if let listener {
                problems.append(
                    ProfileProblem(
                        file: one.file, path: "media.ports",
                        found: "\"\(center.media.ports)\", which holds \(listener.endpoint) of \(two.file)",
                        expected: "ports of its own"))
            }
        }
        if case .center(let mine) = item.profile, case .center(let theirs) = other.profile,
            sameAddress(mine.media.address, theirs.media.address), mine.media.ports.overlaps(theirs.media.ports)
        {
            problems.append(
                ProfileProblem(
                    file: item.file, path: "media.ports",
                    found: "\"\(mine.media.ports)\", which overlaps \(theirs.media.ports) of \(other.file)",
                    expected: "ports of its own"))
        }
        return problems
    }

    private static func sameAddress(_ one: IPAddress, _ two: IPAddress) -> Bool {
        one == two || (one.isV6 == two.isV6 && (one.isUnspecified || two.isUnspecified))
    }

    /// A master watches every node of its machine, where it really is. Nodes of other machines cannot be checked.
    private static func watched(by master: MasterProfile, file: String, items: [Item]) -> [ProfileProblem] {
        var problems: [ProfileProblem] = []
        for item in items where item.profile.name != master.common.name {
            let name = item.profile.name
            guard let index = master.nodes.firstIndex(where: { $0.name == name }) else {
                problems.append(
                    ProfileProblem(
                        file: file, path: "nodes", found: "no \(name)",
                        expected: "every node of the machine; \(name) is in \(item.file)"))
                continue
            }
            let node = master.nodes[index]
            if node.role != item.profile.role {
                problems.append(
                    ProfileProblem(
                        file: file, path: "nodes[\(index)].role", found: "\"\(node.role.rawValue)\"",
                        expected: "\(item.profile.role.rawValue), as in \(item.file)"))
            }
            if !listens(item.profile, at: node.sip) {
                problems.append(
                    ProfileProblem(
                        file: file, path: "nodes[\(index)].sip", found: "\"\(node.sip)\"",
                        expected: "a UDP listener of \(item.file): \(udpListeners(item.profile))"))
            }
            if let http = node.http, !item.profile.common.http.clashes(with: http) {
                problems.append(
                    ProfileProblem(
                        file: file, path: "nodes[\(index)].http", found: "\"\(http)\"",
                        expected: "\(item.profile.common.http), as in \(item.file)"))
            }
        }
        return problems
    }

    private static func known(to access: AccessProfile, file: String, items: [Item]) -> [ProfileProblem] {
        access.centers.enumerated().compactMap { index, center in
            guard let item = items.first(where: { $0.profile.name == center.name }) else { return nil }
            guard item.profile.role == .center else {
                return ProfileProblem(
                    file: file, path: "centers[\(index)].name", found: "\"\(center.name)\"",
                    expected: "a center; in \(item.file) it is a node of role \(item.profile.role.rawValue)")
            }
            guard !listens(item.profile, at: center.sip) else { return nil }
            return ProfileProblem(
                file: file, path: "centers[\(index)].sip", found: "\"\(center.sip)\"",
                expected: "a UDP listener of \(item.file): \(udpListeners(item.profile))")
        }
    }

    private static func listens(_ profile: NodeProfile, at endpoint: Endpoint) -> Bool {
        profile.common.sip.listeners.contains { $0.transport == .udp && $0.endpoint.clashes(with: endpoint) }
    }

    private static func udpListeners(_ profile: NodeProfile) -> String {
        profile.common.sip.listeners.filter { $0.transport == .udp }.map(\.endpoint.description)
            .joined(separator: ", ")
    }
}
