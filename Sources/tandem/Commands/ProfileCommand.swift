import ArgumentParser
import Profiles

struct ProfileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profile", abstract: "Check profiles.", subcommands: [Check.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Every problem of the files, and between them, with its path, what was found, what is allowed.")
        @Argument(help: "Profile files.") var files: [String]

        func run() throws {
            do throws(ProfileProblems) {
                let set = try ProfileSet.load(files: files)
                for item in set.items {
                    printNow("\(item.file): good (\(item.profile.role.rawValue) \(item.profile.name))")
                }
            } catch {
                throw CommandFailure.usage(error.list.map(\.description))
            }
        }
    }
}
