import Speech
import StrictYAML

/// The clips that could not be made, by why: one line a reason, however many clips it cost.
struct UnspokenPrompts {
    private struct Group {
        var reason: String
        var clips: [ClipReference] = []
    }

    private var groups: [Group] = []
    private var engineFailures: [String: PromptEngine.Failure] = [:]

    /// The failure of the language's engine, if it failed before.
    func engineFailure(of language: String) -> PromptEngine.Failure? { engineFailures[language] }

    mutating func add(_ clip: ClipReference, _ error: any Error) {
        if let failure = error as? PromptEngine.Failure { engineFailures[clip.language] = failure }
        let reason = "\(error)"
        if let known = groups.firstIndex(where: { $0.reason == reason }) {
            groups[known].clips.append(clip)
        } else {
            groups.append(Group(reason: reason, clips: [clip]))
        }
    }

    func problems(in directory: String) -> [Problem] {
        groups.map { group in
            let first = group.clips.min { ($0.language, $0.name) < ($1.language, $1.name) }
            let which =
                group.clips.count == 1
                ? "\(first.map(\.description) ?? "") is not spoken" : "\(group.clips.count) prompts are not spoken"
            return Problem(file: directory, line: 0, "\(which): \(group.reason)")
        }
    }
}
