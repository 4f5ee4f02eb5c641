import Foundation
import Media
import Menu
import NodeRuntime
import Profiles
import Prompts
import Speech
import StrictYAML
import Synchronization

/// What a center needs to speak: its menus, the catalogue of their sentences, and the clips.
public struct CenterVoice: Sendable {
    public var menus: [String: MenuDefinition]
    public var catalogue: PromptCatalogue
    public var prompts: LoadedPrompts

    /// Reads menus and prompt files, speaks what nobody recorded, and loads the clips. Blocks on the disk.
    ///
    /// - Parameters:
    ///   - folder: of the profile; menus and prompt files are relative to it.
    ///   - former: the library in use until now, whose clips keep their numbers.
    public static func load(
        _ profile: CenterProfile, folder: String, state: StateDirectory, succeeding former: ClipLibrary? = nil,
        progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
    ) async throws(NodeFailure) -> CenterVoice {
        let catalogue = try catalogue(of: profile, folder: folder)
        let menus = try menus(of: profile, folder: folder, catalogue: catalogue)
        let directories = directories(of: profile, folder: folder, state: state)
        let languages = Set(menus.values.flatMap(\.languages)).sorted()
        let builder = PromptBuilder(
            catalogue, languages: languages, engines: engines(of: profile), directories: directories)
        let report = await builder.build(progress: progress)
        guard report.problems.isEmpty else { throw NodeFailure(report.problems.map(\.description), status: 2) }
        let loaded = PromptLoader(directories).load(catalogue, languages: languages, succeeding: former)
        guard loaded.problems.isEmpty else { throw NodeFailure(loaded.problems.map(\.description), status: 2) }
        return CenterVoice(menus: menus, catalogue: catalogue, prompts: loaded)
    }

    /// The menus of the profile's lines, by line. Every finding of the check that would trap or lose a caller is an
    /// error.
    public static func menus(
        of profile: CenterProfile, folder: String, catalogue: PromptCatalogue
    ) throws(NodeFailure) -> [String: MenuDefinition] {
        var menus: [String: MenuDefinition] = [:]
        var problems: [Problem] = []
        for (number, line) in profile.lines {
            guard case .menu(let file) = line else { continue }
            let path = resolve(file, in: folder)
            problems += MenuCheck.problems(inFile: path, catalogue: catalogue).filter { $0.severity == .error }
            do throws(Problems) {
                menus[number] = try MenuDefinition(MenuSource.read(path))
            } catch {
                // Told above, with its place.
            }
        }
        guard problems.isEmpty else { throw NodeFailure(Set(problems).sorted().map(\.description), status: 2) }
        return menus
    }

    /// The sentences of all prompt files beside the profile.
    public static func catalogue(
        of profile: CenterProfile, folder: String
    ) throws(NodeFailure) -> PromptCatalogue {
        var catalogue = PromptCatalogue()
        let prompts = resolve(profile.ownPromptsPath, in: folder)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: prompts)) ?? []
        var problems: [Problem] = []
        for name in names.filter({ $0.hasSuffix(".yaml") }).sorted() {
            let path = "\(prompts)/\(name)"
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                problems.append(Problem(file: path, line: 0, "the file cannot be read"))
                continue
            }
            do throws(Problems) {
                try catalogue.add(file: text, named: path)
            } catch {
                problems += error.list
            }
        }
        guard problems.isEmpty else { throw NodeFailure(problems.map(\.description), status: 2) }
        return catalogue
    }

    public static func directories(
        of profile: CenterProfile, folder: String, state: StateDirectory
    ) -> PromptDirectories {
        PromptDirectories(
            own: resolve(profile.ownPromptsPath, in: folder), built: state.resolve(profile.builtPromptsPath))
    }

    public static func engines(of profile: CenterProfile) -> [String: PromptEngine] {
        Dictionary(
            profile.languages.map { ($0.code, PromptEngine(command: $0.voice)) }, uniquingKeysWith: { _, last in last })
    }

    private static func resolve(_ path: String, in folder: String) -> String {
        path.hasPrefix("/") ? path : "\(folder)/\(path)"
    }

    /// How the core turns what a menu says into clips of the library that is in use at that moment.
    func voices(from inUse: LibraryInUse) -> Voices {
        Voices(catalogue: catalogue, music: inUse.library.id(ClipName(ClipReference.holdMusic))) { language, name in
            inUse.library.id(ClipName(ClipReference(language: language, name: name)))
        }
    }
}

/// The clips that a center speaks from; replaced while it runs.
final class LibraryInUse: Sendable {
    private let current: Mutex<ClipLibrary>

    init(_ library: ClipLibrary) { current = Mutex(library) }

    var library: ClipLibrary { current.withLock { $0 } }
    func replace(with library: ClipLibrary) { current.withLock { $0 = library } }
}
