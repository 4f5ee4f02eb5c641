import ArgumentParser
import Profiles

struct ProfileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profile", abstract: "Check profiles.", subcommands: [Check.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Every problem of the files, between them and in the menus that they name, with its place.")
        @Argument(help: "Profile files.") var files: [String]

        func run() throws {
            let check = ProfileCheck(files: files)
            for warning in check.warnings { printToStandardError(warning) }
            guard check.errors.isEmpty else { throw CommandFailure.usage(check.errors) }
            for item in check.items {
                printNow("\(item.file): good (\(item.profile.role.rawValue) \(item.profile.name))")
            }
        }
    }
}
