import StrictYAML

/// What every clip says, per language: the sentences of the menus from prompt files, and the atoms of the languages.
public struct PromptCatalogue: Sendable {
    public let languages: [String: any SpokenLanguage]
    /// Language code → clip name → text. An empty text is a short pause.
    public private(set) var texts: [String: [String: String]]
    /// Where a sentence of a prompt file stands.
    private var places: [ClipReference: (file: String, line: Int)] = [:]

    /// A catalogue with the languages' own atoms.
    public init(languages: [any SpokenLanguage] = [Chinese(), English()]) {
        self.languages = Dictionary(languages.map { ($0.code, $0) }) { first, _ in first }
        texts = self.languages.mapValues(\.atoms)
    }

    /// Adds the sentences of one prompt file: a mapping of clip names to texts.
    ///
    ///     language: en
    ///     clips:
    ///       goodbye: Thank you for calling. Goodbye.
    public mutating func add(file text: String, named file: String) throws(Problems) {
        let collector = ProblemCollector()
        if let top = YAMLValue.parse(text, file: file, collector: collector)?.mapping() {
            let language = top.require("language").flatMap { value -> String? in
                guard let code = value.text("a language"), languages[code] != nil else {
                    value.fail(
                        "unknown language \(value.found); known: \(languages.keys.sorted().joined(separator: ", "))")
                    return nil
                }
                return code
            }
            let clips = top.require("clips")?.entries("a mapping of clip names to texts") ?? []
            top.finish()
            if let language { add(clips, language: language) }
        }
        try collector.throwErrors()
    }

    private mutating func add(_ clips: [(key: YAMLValue, value: YAMLValue)], language: String) {
        for (key, value) in clips {
            guard let name = key.name("the name of a clip"), let text = value.text("what the clip says") else {
                continue
            }
            if let place = places[ClipReference(language: language, name: name)] {
                key.fail("the clip \"\(name)\" stands already in \(place.file):\(place.line)")
            } else if texts[language]?[name] != nil {
                key.fail("the clip \"\(name)\" is one of the language's own")
            } else {
                texts[language, default: [:]][name] = text
                places[ClipReference(language: language, name: name)] = (key.file, key.line)
            }
        }
    }

    public func contains(_ clip: ClipReference) -> Bool { texts[clip.language]?[clip.name] != nil }

    /// The clips of one item; empty for a language that is not there.
    public func clips(for item: PromptItem) -> [ClipReference] {
        guard let language = languages[item.language] else { return [] }
        return language.clips(item.content).map { ClipReference(language: item.language, name: $0) }
    }

    /// What items say, written down: for the terminal, tests and timelines. A missing clip shows as `[name]`.
    public func text(for items: [PromptItem]) -> String {
        items.map { item in
            guard let language = languages[item.language] else { return "[\(item.language)?]" }
            return language.clips(item.content).map { texts[item.language]?[$0] ?? "[\($0)]" }
                .filter { !$0.isEmpty }.joined(separator: language.separator)
        }.filter { !$0.isEmpty }.joined(separator: " ")
    }

    /// Clips of prompt files that some other language lacks, as problems at the line of the one that is there.
    public func gaps(languages wanted: [String]) -> [Problem] {
        places.flatMap { clip, place in
            wanted.filter { texts[$0]?[clip.name] == nil }.map {
                Problem(
                    .warning, file: place.file, line: place.line, "the clip \"\(clip.name)\" has no text in \"\($0)\"")
            }
        }.sorted()
    }
}
