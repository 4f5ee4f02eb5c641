import ArgumentParser
import Foundation
import Menu
import Primitives
import Speech
import StrictYAML

struct MenuCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "menu", abstract: "Check, draw, try and test menu files.",
        subcommands: [Check.self, Draw.self, Try.self, Test.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Find what is wrong with a menu, with file:line.")
        @Argument(help: "Menu file.") var file: String

        func run() throws {
            try MenuFile.mustBeReadable(file)
            let problems = MenuCheck.problems(inFile: file, catalogue: try MenuFile.catalogue(of: file))
            for problem in problems { printToStandardError(problem.description) }
            let errors = problems.filter { $0.severity == .error }.count
            guard errors == 0 else { throw CommandFailure(lines: [], status: 1) }
            let warnings = problems.isEmpty ? "" : ", \(problems.count) warnings"
            printNow("\(file): good\(warnings)")
        }
    }

    struct Draw: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Draw the menu's states as SVG, by Graphviz.")
        @Argument(help: "Menu file.") var file: String
        @Option(name: .shortAndLong, help: "Where the picture goes; standard output by default.") var output: String?
        @Flag(help: "The graph in the DOT language instead of a picture.") var dot = false

        func run() throws {
            let definition = try MenuFile.definition(of: file)
            var text = MenuDrawing.dot(definition)
            if !dot {
                do throws(MenuDrawing.Failure) { text = try MenuDrawing.svg(dot: text) } catch {
                    throw CommandFailure.failed("menu draw: \(error)")
                }
            }
            guard let output else { return printNow(text) }
            do { try text.write(toFile: output, atomically: true, encoding: .utf8) } catch {
                throw CommandFailure.failed("\(output): cannot be written: \(error.localizedDescription)")
            }
        }
    }

    struct Try: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Walk through the menu in the terminal: type digits, read what a caller hears.")
        @Argument(help: "Menu file.") var file: String

        func run() throws {
            let definition = try MenuFile.definition(of: file)
            let now = Date()
            let today = String(now.ISO8601Format().prefix(10))
            var walk = MenuWalk(
                definition, catalogue: try MenuFile.catalogue(of: file), bank: RehearsalBank(today: today),
                at: WallTime(milliseconds: Int64(now.timeIntervalSince1970 * 1000)),
                seed: UInt64.random(in: .min ... .max))
            printNow(MenuWalk.help)
            for line in walk.start() { printNow(line) }
            while !walk.hasEnded, let input = readLine(), input.trimmingCharacters(in: .whitespaces) != "q" {
                for line in walk.enter(input) { printNow(line) }
            }
        }
    }

    struct Test: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Run the test calls beside a menu (NAME.test.yaml).")
        @Argument(help: "Menu file.") var file: String

        func run() throws {
            let definition = try MenuFile.definition(of: file)
            let script = MenuFile.script(of: file)
            guard let text = try? String(contentsOfFile: script, encoding: .utf8) else {
                throw CommandFailure.usage("\(script): the test calls cannot be read")
            }
            let tests: MenuScript
            do throws(Problems) { tests = try MenuScript(text, file: script) } catch {
                throw CommandFailure.usage(error.list.map(\.description))
            }
            let report = tests.run(definition, catalogue: try MenuFile.catalogue(of: file))
            for problem in report.problems { printToStandardError(problem.description) }
            for branch in report.untaken { printNow("not taken by any test: \(branch)") }
            printNow("\(file): \(report.passed) passed, \(report.failed) failed")
            guard report.failed == 0, report.problems.isEmpty else { throw CommandFailure(lines: [], status: 1) }
        }
    }
}

/// A menu file and what lies around it: its test calls, and the prompt files of the profiles' folder.
enum MenuFile {
    static func mustBeReadable(_ path: String) throws {
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw CommandFailure.usage("\(path): no readable menu file")
        }
    }

    static func definition(of path: String) throws -> MenuDefinition {
        try mustBeReadable(path)
        do throws(Problems) { return try MenuDefinition(MenuSource.read(path)) } catch {
            throw CommandFailure(lines: error.list.map(\.description), status: 1)
        }
    }

    static func script(of path: String) -> String {
        (path.hasSuffix(".yaml") ? String(path.dropLast(5)) : path) + ".test.yaml"
    }

    /// The sentences of `prompts/*.yaml` beside the menu or one folder up.
    static func catalogue(of path: String) throws -> PromptCatalogue {
        var catalogue = PromptCatalogue()
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        for candidate in [folder, folder.deletingLastPathComponent()] {
            let prompts = candidate.appendingPathComponent("prompts").path
            guard let names = try? FileManager.default.contentsOfDirectory(atPath: prompts) else { continue }
            for name in names.filter({ $0.hasSuffix(".yaml") }).sorted() {
                let file = "\(prompts)/\(name)"
                guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
                    throw CommandFailure.usage("\(file): cannot be read")
                }
                do throws(Problems) { try catalogue.add(file: text, named: file) } catch {
                    throw CommandFailure.usage(error.list.map(\.description))
                }
            }
            return catalogue
        }
        return catalogue
    }
}
