import ArgumentParser

/// Wrong usage in one line that says what to do.
enum UsageProblem {
    /// - Parameters:
    ///   - message: ArgumentParser's own words.
    ///   - arguments: as they were typed, without the program.
    static func line(
        for message: String, arguments: [String], of root: any ParsableCommand.Type
    ) -> String {
        var path = ["tandem"]
        var command = root
        for word in arguments {
            guard !word.hasPrefix("-"), !command.configuration.subcommands.isEmpty else { break }
            guard let next = command.configuration.subcommands.first(where: { name(of: $0) == word }) else {
                let known = command.configuration.subcommands.map(name).joined(separator: ", ")
                let noun =
                    path.count == 1 ? "unknown command" : "\(path.dropFirst().joined(separator: " ")): unknown command"
                return "tandem: \(noun) \"\(word)\", expected one of \(known)"
            }
            path.append(word)
            command = next
        }
        let first = message.split(separator: "\n").first.map(String.init) ?? "wrong usage"
        let said = first.hasPrefix("Error: ") ? String(first.dropFirst(7)) : first
        let words = path.joined(separator: " ")
        return "\(words): \(lowered(said)); see \(words) --help"
    }

    /// What is said to `tandem bank`, which does nothing by itself; nil for a command that does something.
    static func missingCommand(_ command: any ParsableCommand.Type) -> String? {
        let known = command.configuration.subcommands.map(name)
        guard !known.isEmpty else { return nil }
        let words = "tandem \(name(of: command))"
        return "\(words): what to do is missing, expected one of \(known.joined(separator: ", ")); see \(words) --help"
    }

    private static func name(of command: any ParsableCommand.Type) -> String {
        command.configuration.commandName ?? command._commandName
    }

    /// ArgumentParser's sentences begin with a capital and end with a full stop, a question mark or nothing.
    private static func lowered(_ sentence: String) -> String {
        var text = sentence
        while text.hasSuffix(".") || text.hasSuffix("?") { text.removeLast() }
        return text.prefix(1).lowercased() + text.dropFirst()
    }
}
