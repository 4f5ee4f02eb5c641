import Foundation
import Speech
import StrictYAML

/// Looks at a menu as a whole: what can never be reached, what cannot be said, where a caller goes round for ever.
public enum MenuCheck {
    /// All findings of a menu's text: what cannot be read and, as far as the rest lets see it, what is wrong with the
    /// whole. Without a catalogue nothing is said of texts. `queues` are the names of the queues that exist; nil when not
    /// known.
    static func problems(in source: MenuSource, catalogue: PromptCatalogue?, queues: Set<String>? = nil) -> [Problem] {
        let examined = MenuDefinition.examine(source)
        guard let definition = examined.definition else { return examined.problems.sorted() }
        var result = examined.problems
        result += queueProblems(in: definition, queues: queues)
        if let catalogue { result += PromptGaps(definition: definition, catalogue: catalogue).problems() }
        // With a state that could not be read, what leads where is a guess.
        if examined.isWhole { result += pathProblems(in: definition) }
        return Array(Set(result)).sorted()
    }

    /// The findings of a sound definition.
    public static func problems(
        in definition: MenuDefinition, catalogue: PromptCatalogue, queues: Set<String>? = nil
    ) -> [Problem] {
        let result =
            definition.warnings + queueProblems(in: definition, queues: queues)
            + PromptGaps(definition: definition, catalogue: catalogue).problems() + pathProblems(in: definition)
        return Array(Set(result)).sorted()
    }

    /// What no caller reaches, where callers stay for ever, and questions without an answer.
    private static func pathProblems(in definition: MenuDefinition) -> [Problem] {
        // A start that does not exist is said where it stands; from nowhere, nothing is reached.
        guard definition.states[definition.start] != nil else { return [] }
        let graph = MenuGraph(definition)
        var result: [Problem] = []
        let reachable = graph.reachable()
        for name in definition.stateNames where !reachable.contains(name) {
            if let state = definition.states[name] {
                result.append(state.problem(.warning, "the state \"\(name)\" is never reached"))
            }
        }
        for loop in graph.idleLoops() {
            if let name = loop.first, let state = definition.states[name] {
                result.append(
                    state.problem(
                        .error, "a caller who presses nothing goes round for ever: \(loop.joined(separator: " → "))"))
            }
        }
        for state in definition.states.values {
            if case .choice(_, let keys) = state.kind, keys.isEmpty {
                result.append(state.problem(.error, "the question \"\(state.name)\" has no key that leads on"))
            }
        }
        return result
    }

    private static func queueProblems(in definition: MenuDefinition, queues: Set<String>?) -> [Problem] {
        guard let queues else { return [] }
        return definition.states.values.compactMap { state in
            guard case .queue(let step) = state.kind, !queues.contains(step.queue) else { return nil }
            return state.problem(
                .error, "there is no queue \"\(step.queue)\"; there are \(queues.sorted().joined(separator: ", "))")
        }
    }

    /// Reads and checks a file; the names in the findings are paths as the user gave them. Blocks on the disk.
    public static func problems(
        inFile path: String, catalogue: PromptCatalogue?, queues: Set<String>? = nil
    ) -> [Problem] {
        do throws(Problems) {
            return place(problems(in: try MenuSource.read(path), catalogue: catalogue, queues: queues), beside: path)
        } catch {
            return place(error.list, beside: path)
        }
    }

    private static func place(_ problems: [Problem], beside path: String) -> [Problem] {
        let directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        return problems.map { problem in
            var problem = problem
            if !directory.isEmpty, !problem.file.hasPrefix("/"), problem.file != path {
                problem.file = directory + "/" + problem.file
            }
            return problem
        }
    }
}

extension MenuState {
    func problem(_ severity: Problem.Severity, _ message: String) -> Problem {
        Problem(severity, file: place.file, line: place.line, message)
    }
}

/// Finds clips that a menu speaks and the catalogue does not know.
struct PromptGaps {
    let definition: MenuDefinition
    let catalogue: PromptCatalogue

    func problems() -> [Problem] {
        var result: [Problem] = []
        // Those too that lead nowhere and so have no name in the definition's order.
        for state in definition.states.values {
            result += gaps(state.say, definition.languages)
            for rule in [state.question?.noInput, state.question?.wrong] {
                for attempt in rule?.attempts ?? [] { result += gaps(attempt, definition.languages) }
            }
        }
        for branch in definition.content.branches { result += gaps(branch.say, definition.languages) }
        return result
    }

    private func gaps(_ items: [SayTemplate], _ languages: [String], rows: [[String: MenuValue]] = []) -> [Problem] {
        items.flatMap { item -> [Problem] in
            switch item {
            case .clip(let name, let place): return clip(name, place, languages)
            case .pick(_, let clips, let otherwise, let place):
                return (clips.values.sorted() + (otherwise.map { [$0] } ?? [])).flatMap { clip($0, place, languages) }
            case .inLanguage(let language, let items): return gaps(items, [language], rows: rows)
            case .perLanguage(let lists):
                return lists.sorted { $0.key < $1.key }.flatMap { gaps($0.value, [$0.key], rows: rows) }
            case .each(let name, let items, let empty, _):
                return gaps(items, languages, rows: definition.content.tables[name] ?? []) + gaps(empty, languages)
            case .value(let form, let variable, let place):
                return values(form, variable, place, languages, rows)
            }
        }
    }

    private func clip(_ name: String, _ place: MenuPlace, _ languages: [String]) -> [Problem] {
        languages.filter { !catalogue.contains(ClipReference(language: $0, name: name)) }.map {
            Problem(file: place.file, line: place.line, "the clip \"\(name)\" has no text in \"\($0)\"")
        }
    }

    /// Values of a table are known beforehand, so that what cannot be spoken is found here.
    private func values(
        _ form: SayTemplate.Form, _ variable: String, _ place: MenuPlace, _ languages: [String],
        _ rows: [[String: MenuValue]]
    ) -> [Problem] {
        let contents: [(String, PromptItem.Content)] = rows.compactMap { row in
            guard let text = row[variable]?.asText else { return nil }
            switch form {
            case .currencyName: return (text, .currencyName(text))
            case .decimal: return (text, .decimal(text))
            case .amount, .number, .count, .date, .monthDay, .digits: return nil
            }
        }
        return contents.flatMap { text, content in
            languages.filter { catalogue.clips(for: PromptItem(content, language: $0)).isEmpty }.map {
                Problem(
                    file: place.file, line: place.line, "\"\(text)\" for \"\(variable)\" cannot be spoken in \"\($0)\"")
            }
        }
    }
}
