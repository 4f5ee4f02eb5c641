import ArgumentParser
import Center
import Foundation
import NodeRuntime
import Profiles
import Prompts

struct PromptsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prompts", abstract: "The clips that menus speak.", subcommands: [Build.self])

    struct Build: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Speak every prompt that nobody recorded; a WAV that you put there wins.")
        @Option(help: "Folder of the profiles.") var profiles = "sip-profiles"
        @OptionGroup var state: StateOption

        func run() async throws {
            let set = try ProfileFolder.load(profiles)
            try await PromptsCommand.build(set, folder: profiles, state: StateDirectory(state.directory), verbose: true)
        }
    }

    /// Speaks what is missing for the centers of a folder, in the languages of their profiles and menus. Two centers
    /// that share the prompts are built once.
    static func build(_ set: ProfileSet, folder: String, state: StateDirectory, verbose: Bool) async throws {
        var done: Set<String> = []
        for case .center(let profile) in set.items.map(\.profile) {
            let engines = CenterVoice.engines(of: profile)
            do throws(NodeFailure) {
                let catalogue = try CenterVoice.catalogue(of: profile, folder: folder)
                let menus = try CenterVoice.menus(of: profile, folder: folder, catalogue: catalogue)
                let languages = Set(menus.values.flatMap(\.languages)).union(engines.keys).sorted()
                let key =
                    "\(profile.builtPromptsPath)|\(profile.ownPromptsPath)|\(languages.joined(separator: ","))|"
                    + engines.map { "\($0.key)=\($0.value.command)" }.sorted().joined(separator: "|")
                guard done.insert(key).inserted else { continue }
                try state.prepare()
                let builder = PromptBuilder(
                    catalogue, languages: languages, engines: engines,
                    directories: CenterVoice.directories(of: profile, folder: folder, state: state))
                let report = await builder.build { finished, total in
                    if finished == 1 || finished % 50 == 0 || finished == total {
                        printNow("speaking prompts: \(finished) of \(total)")
                    }
                }
                if verbose { for warning in report.warnings { printToStandardError(warning.description) } }
                guard report.problems.isEmpty else {
                    throw NodeFailure(report.problems.map(\.description), status: 2)
                }
                if verbose {
                    printNow("\(report.built.count) spoken, \(report.kept) up to date, \(report.own) your own")
                }
            } catch {
                throw CommandFailure(lines: error.lines, status: error.status)
            }
        }
    }
}

/// The profiles of a folder, or all that is wrong with them.
enum ProfileFolder {
    static func load(_ path: String) throws -> ProfileSet {
        do throws(ProfileProblems) { return try ProfileSet.load(directory: path) } catch {
            throw CommandFailure.usage(error.list.map(\.description))
        }
    }

    /// The profiles that are right by themselves, past the mistakes in others.
    static func soundItems(_ path: String) -> [ProfileSet.Item] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return ProfileSet.review(files: names.filter { $0.hasSuffix(".yaml") }.sorted().map { "\(path)/\($0)" }).items
    }
}
