import Foundation
import Media
import Menu
import Speech
import StrictYAML

/// The shipped menu and its sentences, with clips that have a length and no sound.
public struct SpokenLibrary: Sendable {
    let menu: MenuDefinition
    let catalogue: PromptCatalogue
    private let names: [String]
    private let languages: [String]
    private let lengths: [Duration]
    private let ids: [ClipReference: ClipID]

    /// Reads `menus/telephone-banking.yaml` and `prompts/*.yaml` of a profile folder. Blocks on the disk.
    public static func load(profiles folder: String) throws(Problems) -> SpokenLibrary {
        var catalogue = PromptCatalogue()
        for name in ["en", "zh"] {
            let path = "\(folder)/prompts/\(name).yaml"
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                throw Problems([Problem(file: path, line: 0, "the file cannot be read")])
            }
            try catalogue.add(file: text, named: path)
        }
        let source = try MenuSource.read("\(folder)/menus/telephone-banking.yaml")
        return SpokenLibrary(menu: try MenuDefinition(source), catalogue: catalogue)
    }

    private init(menu: MenuDefinition, catalogue: PromptCatalogue) {
        self.menu = menu
        self.catalogue = catalogue
        var names: [String] = []
        var languages: [String] = []
        var lengths: [Duration] = []
        var ids: [ClipReference: ClipID] = [:]
        for (language, texts) in catalogue.texts.sorted(by: { $0.key < $1.key }) {
            for (name, text) in texts.sorted(by: { $0.key < $1.key }) where !text.isEmpty {
                ids[ClipReference(language: language, name: name)] = ClipID(rawValue: UInt32(names.count))
                names.append(name)
                languages.append(language)
                // About as long as a person needs to say it.
                let perCharacter = language == "zh" ? 180 : 55
                lengths.append(.milliseconds(min(8_000, 150 + text.count * perCharacter)))
            }
        }
        self.names = names
        self.languages = languages
        self.lengths = lengths
        self.ids = ids
    }

    func id(language: String, name: String) -> ClipID? { ids[ClipReference(language: language, name: name)] }

    func name(_ id: ClipID) -> String {
        let index = Int(id.rawValue)
        return names.indices.contains(index) ? names[index] : "?"
    }

    func language(_ id: ClipID) -> String {
        let index = Int(id.rawValue)
        return languages.indices.contains(index) ? languages[index] : "?"
    }

    func length(_ items: [PlaylistItem]) -> Duration {
        items.reduce(.zero) { sum, item in
            switch item {
            case .clip(let id):
                let index = Int(id.rawValue)
                return sum + (lengths.indices.contains(index) ? lengths[index] : .zero)
            case .gap(let milliseconds): return sum + .milliseconds(milliseconds)
            }
        }
    }

    /// The clips of an item that have sound, by name.
    func clips(_ content: PromptItem.Content, language: String) -> [String] {
        catalogue.clips(for: PromptItem(content, language: language)).map(\.name).filter {
            catalogue.texts[language]?[$0]?.isEmpty == false
        }
    }
}
