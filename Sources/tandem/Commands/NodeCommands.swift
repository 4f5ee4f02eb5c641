import Access
import ArgumentParser
import Center
import Master
import NodeRuntime
import Profiles

/// One node in the foreground.
struct NodeOptions: ParsableArguments {
    @Option(help: "The node's profile.") var profile: String
    @OptionGroup var state: StateOption

    /// The profile, which must be of that role.
    func load<Profile>(_ role: String, _ pick: (NodeProfile) -> Profile?) throws -> Profile {
        let read: NodeProfile
        do throws(ProfileProblems) { read = try NodeProfile.load(file: profile) } catch {
            throw CommandFailure.usage(error.list.map(\.description))
        }
        guard let found = pick(read) else {
            throw CommandFailure.usage("\(profile): role: found \"\(read.role.rawValue)\", expected \"\(role)\"")
        }
        return found
    }

    func run(
        _ common: CommonProfile, role: String,
        start: (NodeProcess.Surroundings) async throws(NodeFailure) -> any RunningNode
    ) async throws {
        do throws(NodeFailure) {
            try await NodeProcess.run(common, role: role, state: StateDirectory(state.directory), start: start)
        } catch {
            throw CommandFailure(lines: error.lines, status: error.status)
        }
    }
}

struct AccessCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "access", abstract: "Run an access node: where calls enter.")
    @OptionGroup var node: NodeOptions

    func run() async throws {
        let profile = try node.load("access") { if case .access(let profile) = $0 { profile } else { nil } }
        try await node.run(profile.common, role: "access") { around throws(NodeFailure) in
            try await AccessNode.start(
                profile, state: around.state, registry: around.registry, log: around.log)
        }
    }
}

struct CenterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "center", abstract: "Run a call-system center: it answers calls.")
    @OptionGroup var node: NodeOptions

    func run() async throws {
        let profile = try node.load("center") { if case .center(let profile) = $0 { profile } else { nil } }
        let file = node.profile
        try await node.run(profile.common, role: "center") { around throws(NodeFailure) in
            try await CenterNode.start(
                profile, file: file, state: around.state, registry: around.registry, log: around.log)
        }
    }
}

struct MasterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "master", abstract: "Run a master: it watches, steers and shows all nodes.")
    @OptionGroup var node: NodeOptions

    func run() async throws {
        let profile = try node.load("master") { if case .master(let profile) = $0 { profile } else { nil } }
        let file = node.profile
        try await node.run(profile.common, role: "master") { around throws(NodeFailure) in
            try await MasterNode.start(
                profile, file: file, state: around.state, registry: around.registry, log: around.log)
        }
    }
}
