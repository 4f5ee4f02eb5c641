import ArgumentParser
import Foundation
import Menu
import Primitives
import Prompts
import Speech
import StrictYAML

struct MenuCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "menu", abstract: "Check, draw, try and test menu files.",
        subcommands: [Check.self, Draw.self, Try.self, Test.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find all that is wrong with menus, with file:line; exit 1 if any has an error.")
        @Argument(help: "Menu files.") var files: [String]

        func run() throws {
            var hasErrors = false
            let unreadable = files.filter { !FileManager.default.isReadableFile(atPath: $0) }
            for file in files where !unreadable.contains(file) {
                // A shell's `menus/*.yaml` names them too.
                guard !file.hasSuffix(MenuFile.scriptSuffix) else {
                    printNow("\(file): test calls, which tandem menu test runs")
                    continue
                }
                let (catalogue, inPrompts) = MenuFile.catalogue(of: file)
                let known = inPrompts.contains(where: \.isOfWholeFile) ? nil : catalogue
                let problems = inPrompts + MenuCheck.problems(inFile: file, catalogue: known)
                for problem in problems { printToStandardError(problem.description) }
                if problems.contains(where: { $0.severity == .error }) {
                    hasErrors = true
                } else {
                    printNow("\(file): good\(problems.isEmpty ? "" : ", \(problems.count) warnings")")
                }
            }
            guard unreadable.isEmpty else {
                throw CommandFailure.usage(unreadable.map { "\($0): no readable menu file" })
            }
            if hasErrors { throw CommandFailure(lines: [], status: 1) }
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
                throw CommandFailure.failed("\(output): cannot be written: \(fileReason(error))")
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
                definition, catalogue: try MenuFile.soundCatalogue(of: file), bank: RehearsalBank(today: today),
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
        static let configuration = CommandConfiguration(
            abstract: "Run the test calls beside menus (NAME.test.yaml beside NAME.yaml); exit 1 if any fails.")
        @Argument(help: "Menu files.") var files: [String]

        func run() throws {
            // What cannot be run is said for all before the first call.
            let scripts = try files.map { try MenuFile.tests(of: $0) }
            var hasFailed = false
            for (file, (definition, tests)) in zip(files, scripts) {
                let report = tests.run(definition, catalogue: try MenuFile.soundCatalogue(of: file))
                for problem in report.problems { printToStandardError(problem.description) }
                for branch in report.untaken { printNow("not taken by any test: \(branch)") }
                printNow("\(file): \(report.passed) passed, \(report.failed) failed")
                if report.failed > 0 || !report.problems.isEmpty { hasFailed = true }
            }
            if hasFailed { throw CommandFailure(lines: [], status: 1) }
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

    static let scriptSuffix = ".test.yaml"

    static func script(of path: String) -> String {
        (path.hasSuffix(".yaml") ? String(path.dropLast(5)) : path) + scriptSuffix
    }

    /// A menu with its test calls.
    static func tests(of path: String) throws -> (MenuDefinition, MenuScript) {
        let definition = try definition(of: path)
        let script = script(of: path)
        guard FileManager.default.fileExists(atPath: script) else {
            throw CommandFailure.usage("\(path): has no test calls; they are expected in \(script)")
        }
        guard let text = try? String(contentsOfFile: script, encoding: .utf8) else {
            throw CommandFailure.usage("\(script): the test calls cannot be read")
        }
        do throws(Problems) { return (definition, try MenuScript(text, file: script)) } catch {
            throw CommandFailure.usage(error.list.map(\.description))
        }
    }

    /// The sentences of `prompts/*.yaml` beside the menu or one folder up, as far as they can be read, and what is wrong
    /// with them.
    static func catalogue(of path: String) -> (PromptCatalogue, [Problem]) {
        var catalogue = PromptCatalogue()
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        for candidate in [folder, folder.deletingLastPathComponent()] {
            let prompts = candidate.appendingPathComponent("prompts").path
            guard FileManager.default.fileExists(atPath: prompts) else { continue }
            let problems = catalogue.add(folder: prompts)
            return (catalogue, problems)
        }
        return (catalogue, [])
    }

    /// The same for those who can do nothing with half of it.
    static func soundCatalogue(of path: String) throws -> PromptCatalogue {
        let (catalogue, problems) = catalogue(of: path)
        guard problems.isEmpty else { throw CommandFailure.usage(problems.map(\.description)) }
        return catalogue
    }
}
