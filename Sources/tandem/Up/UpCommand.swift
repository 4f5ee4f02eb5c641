import ArgumentParser
import Foundation
import NodeRuntime
import Profiles

#if canImport(Glibc)
    import Glibc
#endif

struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Start every profile of a folder as a process of its own.",
        discussion: """
            Prints `ready` when every node serves. SIGINT or SIGTERM stops all: centers first, which wait for their calls, \
            a second signal stops at once. SIGHUP is passed on: centers read menus and prompts again. A node that Tandem \
            itself killed, or that `tandem roll` restarts, is started again also without --respawn.
            """)
    @Option(help: "Folder of the profiles.") var profiles = "sip-profiles"
    @OptionGroup var state: StateOption
    @Flag(help: "Start a node again that ended without being told to.") var respawn = false

    func run() async throws {
        // A terminal that went away must not end the system.
        signal(SIGPIPE, SIG_IGN)
        let set = try ProfileFolder.load(profiles)
        let state = StateDirectory(state.directory)
        let supervisor = try Supervisor(set, state: state, respawn: respawn)
        do throws(NodeFailure) {
            try state.prepare()
            try supervisor.refuseIfRunning()
        } catch {
            throw CommandFailure(lines: error.lines, status: error.status)
        }
        try await PromptsCommand.build(set, folder: profiles, state: state, verbose: false)
        try await supervisor.run()
    }
}
