import ArgumentParser
import Master
import Primitives
import Routing

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "The nodes as the master sees them, and what is wrong.")
    @OptionGroup var options: MasterOptions
    @Flag(help: "The nodes, for programs.") var json = false

    func run() async throws {
        let client = try options.client()
        let nodes = try await client.get([NodeReport].self, "/nodes")
        if json { return try printJSON(nodes) }
        var table = Table("NODE", "ROLE", "STATE", "SINCE", "CALLS", "LIMIT", "LATENCY", "INCARNATION", "REASON")
        for node in nodes {
            table.add(
                .init(node.name), .init(node.role.rawValue), .init(node.state.rawValue, Self.colour(node.state)),
                .init(node.since.description), .optionalNumber(node.calls),
                .optionalNumber(node.limit),
                .optionalNumber(node.latency_ms.map { "\(Self.oneDecimal($0)) ms" }), .optional(node.incarnation),
                .init(node.reason))
        }
        table.printOut()
        let alarms = try await client.get([Alarm].self, "/alarms")
        guard !alarms.isEmpty else { return }
        printNow("")
        AlarmsCommand.table(of: alarms).printOut()
    }

    private static func colour(_ state: NodeState) -> Table.Colour {
        switch state {
        case .up: .green
        case .ramping, .draining, .disabled: .yellow
        case .down: .red
        }
    }

    private static func oneDecimal(_ value: Double) -> String {
        let tenths = Int((min(max(value, 0), 1e9) * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}

struct AlarmsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alarms", abstract: "What is wrong now, the oldest first.")
    @OptionGroup var options: MasterOptions
    @Flag(help: "For programs.") var json = false

    func run() async throws {
        let alarms = try await options.client().get([Alarm].self, "/alarms")
        if json { return try printJSON(alarms) }
        Self.table(of: alarms).printOut()
    }

    static func table(of alarms: [Alarm]) -> Table {
        var table = Table("ALARM", "SEVERITY", "NODE", "SINCE", "MESSAGE")
        for alarm in alarms {
            table.add(
                .init(alarm.code.rawValue), .init(alarm.severity.rawValue, alarm.severity == .warning ? .yellow : .red),
                .optional(alarm.node), .init(alarm.since.description), .init(alarm.message))
        }
        return table
    }
}

extension Table.Cell {
    /// A number aligned right; a dash when it is not known.
    static func optionalNumber(_ value: (some CustomStringConvertible)?) -> Table.Cell {
        Table.Cell(value?.description ?? "–", right: true)
    }
}
