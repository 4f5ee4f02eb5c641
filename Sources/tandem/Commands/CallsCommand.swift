import ArgumentParser
import Primitives
import Session

struct CallsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "calls", abstract: "The calls that are live now.")
    @OptionGroup var options: MasterOptions
    @Flag(help: "For programs.") var json = false

    func run() async throws {
        let calls = try await options.client().get([LiveCall].self, "/calls")
        if json { return try printJSON(calls) }
        var table = Table("STARTED", "LINE", "FROM", "CENTER", "STATE", "LANGUAGE", "LOGIN", "TAKEOVERS", "ID")
        for call in calls {
            table.add(
                .init(call.started.description), .init(call.line), .init(call.from), .init(call.center),
                .optional(call.state), .optional(call.language), .init(call.authenticated ? "yes" : "no"),
                .number(call.takeovers), .init(call.id.description))
        }
        table.printOut()
    }
}

struct CallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call", abstract: "One call, live or ended, and what happened in it.")
    @OptionGroup var options: MasterOptions
    @Argument(help: "The call's id, as in calls and cdr.") var id: String
    @Flag(help: "For programs.") var json = false

    func run() async throws {
        guard !id.isEmpty else { throw CommandFailure.usage("call: found no id, expected one as in calls and cdr") }
        let detail = try await options.client().get(CallDetail.self, "/calls/\(pathPart(id))")
        if json { return try printJSON(detail) }
        let call = detail.call
        printNow("call     \(call.id)")
        printNow("line     \(call.line), from \(call.from.visible)")
        printNow("center   \(call.center), \(call.takeovers) takeover\(call.takeovers == 1 ? "" : "s")")
        printNow("started  \(call.started)")
        let menu = [call.menu, call.state, call.language].compactMap { $0 }
        if !menu.isEmpty {
            printNow("menu     \(menu.joined(separator: ", "))\(call.authenticated ? ", logged in" : "")")
        }
        guard !detail.timeline.isEmpty else { return }
        printNow("")
        var table = Table("AFTER", "KIND", "DETAIL")
        for entry in detail.timeline {
            table.add(
                .number("\(Self.seconds(entry.at - call.started)) s"), .init(entry.kind.rawValue), .init(entry.detail))
        }
        table.printOut()
    }

    private static func seconds(_ span: Duration) -> String {
        let milliseconds = span.wholeMilliseconds
        let fraction = String(1_000 + milliseconds.magnitude % 1_000).dropFirst()
        return "\(milliseconds < 0 ? "-" : "")\(milliseconds.magnitude / 1_000).\(fraction)"
    }
}
