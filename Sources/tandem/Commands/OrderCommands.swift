import ArgumentParser
import Primitives
import Routing
import Store

struct DrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Move a node's calls away and give it no new ones.")
    @OptionGroup var options: MasterOptions
    @Argument(help: "The node's name, as in status.") var node: String

    func run() async throws { try await order("drain", node, options) }
}

struct EnableCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable", abstract: "Put a drained or disabled node back into use.")
    @OptionGroup var options: MasterOptions
    @Argument(help: "The node's name, as in status.") var node: String

    func run() async throws { try await order("enable", node, options) }
}

struct DisableCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable", abstract: "Take a node out of use until it is enabled again.")
    @OptionGroup var options: MasterOptions
    @Argument(help: "The node's name, as in status.") var node: String

    func run() async throws { try await order("disable", node, options) }
}

struct OrdersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "orders", abstract: "Who drained, enabled or disabled which node, newest first.")
    @OptionGroup var options: MasterOptions
    @Flag(help: "For programs.") var json = false
    @Option(help: "At most so many.") var limit = 100

    func run() async throws {
        guard (1...1_000).contains(limit) else {
            throw CommandFailure.usage("--limit: found \(limit), expected 1 to 1000")
        }
        let orders = try await options.client().get([AdministrativeChange].self, "/orders?limit=\(limit)")
        if json { return try printJSON(orders) }
        var table = Table("AT", "NODE", "STATE", "BY")
        for order in orders {
            table.add(
                .init(order.at.description), .init(order.node),
                .init(order.state.rawValue, order.state == .enabled ? .green : .yellow), .init(order.by))
        }
        table.printOut()
    }
}

private func order(_ word: String, _ node: String, _ options: MasterOptions) async throws {
    try await options.client().send("POST", "/nodes/\(pathPart(node))/\(word)")
    printNow("\(node): \(word) ordered")
}
