import Foundation

/// A program that speaks a text into a WAV file.
public struct PromptEngine: Sendable, Hashable {
    public enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        case emptyCommand
        case noOutputPlace
        case notInstalled(String)
        case failed(String, status: Int32)
        case tooSlow(String, Duration)
        case cannotStart(String, String)

        public var description: String {
            switch self {
            case .emptyCommand: "the command is empty"
            case .noOutputPlace: "the command does not say where {output} goes"
            // Of the shipped engine the package is known; of another program nobody knows one.
            case .notInstalled("espeak-ng"): "the command espeak-ng is not there; on Debian: apt-get install espeak-ng"
            case .notInstalled(let program):
                "the command \(program) is not there; install it or set another as languages.LANG.voice in the profile"
            case .failed(let program, let status): "the command \(program) ended with status \(status)"
            case .tooSlow(let program, let limit): "the command \(program) took longer than \(limit)"
            case .cannotStart(let program, let reason): "the command \(program) cannot be started: \(reason)"
            }
        }
    }

    /// The command as the profile has it: words with `{output}` for the WAV file and `{text}` for what to say. Without
    /// `{text}` the text goes to standard input. It is not given to a shell.
    public let command: String
    /// A text that takes longer counts as failed.
    public let limit: Duration

    public init(command: String, limit: Duration = .seconds(60)) {
        self.command = command
        self.limit = limit
    }

    /// espeak-ng with a voice such as `en` or `cmn`.
    public static func espeak(voice: String) -> PromptEngine {
        PromptEngine(command: "espeak-ng -v \(voice) -s 155 -w {output} {text}")
    }

    /// The engines of the shipped languages.
    public static let standard: [String: PromptEngine] = ["en": espeak(voice: "en"), "zh": espeak(voice: "cmn")]

    /// The command's words; double quotes keep blanks together.
    func words() throws(Failure) -> [String] {
        var words: [String] = []
        var word: String?
        var quoted = false
        for character in command {
            if character == "\"" {
                quoted.toggle()
                word = word ?? ""
            } else if character == " ", !quoted {
                if let done = word { words.append(done) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if let last = word { words.append(last) }
        guard !words.isEmpty else { throw .emptyCommand }
        guard words.contains(where: { $0.contains("{output}") }) else { throw .noOutputPlace }
        return words
    }

    /// Where the program is, by its path or by PATH.
    func program() throws(Failure) -> String {
        let name = try words()[0]
        let files = FileManager.default
        if name.contains("/") {
            guard files.isExecutableFile(atPath: name) else { throw .notInstalled(name) }
            return name
        }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        guard let found = path.split(separator: ":").map({ "\($0)/\(name)" }).first(where: files.isExecutableFile)
        else { throw .notInstalled(name) }
        return found
    }

    /// Speaks one text. The file is complete when this returns.
    func speak(_ text: String, to output: String) async throws(Failure) {
        let words = try words(), program = try program()
        // A text must not be taken for an option.
        let spoken = text.hasPrefix("-") ? " " + text : text
        let arguments = words.dropFirst().map {
            $0.replacing("{output}", with: output).replacing("{text}", with: spoken)
        }
        // A file, not a pipe: an engine that ends without reading must not end us by SIGPIPE.
        let input = words.contains { $0.contains("{text}") } ? nil : output + ".txt"
        defer { if let input { try? FileManager.default.removeItem(atPath: input) } }
        let status: Int32?
        do {
            if let input { try Data(spoken.utf8).write(to: URL(fileURLWithPath: input)) }
            status = try await ChildProcess(program: program, arguments: arguments, input: input).run(limit: limit)
        } catch {
            throw .cannotStart(words[0], "\(error)")
        }
        guard let status else { throw .tooSlow(words[0], limit) }
        guard status == 0 else { throw .failed(words[0], status: status) }
    }
}
