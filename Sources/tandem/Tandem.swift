import ArgumentParser
import Cryptography
import Foundation
import Primitives

@main
struct Tandem: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tandem",
        abstract: "A SIP softswitch for telephone banking that keeps serving when a whole center dies.",
        discussion: "`tandem up` starts every profile of a folder; `tandem status` shows what the master knows.",
        version: "tandem \(Release.version)",
        subcommands: [
            Up.self, AccessCommand.self, CenterCommand.self, MasterCommand.self,
            StatusCommand.self, AlarmsCommand.self, CallsCommand.self, CallCommand.self, CDRCommand.self,
            DrainCommand.self, EnableCommand.self, DisableCommand.self, OrdersCommand.self, RollCommand.self,
            MenuCommand.self, ProfileCommand.self, PromptsCommand.self, BankCommand.self, CallersCommand.self,
        ])

    /// Exit 0 done, 1 the thing asked for failed, 2 wrong usage or profile: ArgumentParser's own 64 becomes 2.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if let problem = UsageProblem.missingCommand(type(of: command)), !(command is Tandem) {
                throw CommandFailure.usage(problem)
            }
            guard OpenSSL.isUsable else {
                throw CommandFailure.usage(
                    "OpenSSL offers no SHA-256 or no HMAC: see its openssl.cnf, or the file that OPENSSL_CONF names")
            }
            if var asynchronous = command as? AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            failure.report()
            leave(failure.status)
        } catch {
            let code = exitCode(for: error)
            guard code != .success else { exit(withError: error) }
            if code == .validationFailure || code.rawValue == 64 {
                let arguments = Array(CommandLine.arguments.dropFirst())
                printToStandardError(UsageProblem.line(for: message(for: error), arguments: arguments, of: Tandem.self))
                leave(2)
            }
            printToStandardError("tandem: \(message(for: error))")
            leave(code.rawValue == 0 ? 1 : code.rawValue)
        }
    }
}

/// Ends the process; a command's own `exit` is ArgumentParser's.
private func leave(_ status: Int32) -> Never { exit(status) }

/// Why a command did not do what it was asked: one line a problem on standard error, and the exit status.
struct CommandFailure: Error {
    var lines: [String]
    /// 1 the thing asked for failed, 2 wrong usage or profile.
    var status: Int32

    static func failed(_ line: String) -> Self { Self(lines: [line], status: 1) }
    static func usage(_ line: String) -> Self { Self(lines: [line], status: 2) }
    static func usage(_ lines: [String]) -> Self { Self(lines: lines, status: 2) }

    func report() { for line in lines { printToStandardError(line) } }
}

func printToStandardError(_ line: String) { try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8)) }

/// Writes at once also where standard output is a pipe: scripts wait for these lines.
func printNow(_ line: String) { try? FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8)) }

/// Where a system keeps its store, logs, secrets and prompts.
struct StateOption: ParsableArguments {
    @Option(name: .customLong("state"), help: "Folder of the store, logs, pids, secrets and built prompts.")
    var directory = "./var"
}
