import ArgumentParser

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

private func order(_ word: String, _ node: String, _ options: MasterOptions) async throws {
    try await options.client().send("POST", "/nodes/\(pathPart(node))/\(word)")
    printNow("\(node): \(word) ordered")
}
