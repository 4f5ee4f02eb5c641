import Foundation
import Media
import Speech
import StrictYAML

/// The clips of a node and what is wrong with them.
public struct LoadedPrompts: Sendable {
    /// What could be read.
    public let library: ClipLibrary
    /// Every missing or unreadable file.
    public let problems: [Problem]
}

/// Reads the WAV files of a catalogue.
public struct PromptLoader: Sendable {
    private let directories: PromptDirectories

    public init(_ directories: PromptDirectories) { self.directories = directories }

    /// Reads all clips of the given languages and the hold music. Blocks on the disk and decodes: for the start of a
    /// node, not for its running.
    ///
    /// - Parameter former: the library in use until now, whose clips keep their numbers.
    public func load(
        _ catalogue: PromptCatalogue, languages: [String]? = nil, succeeding former: ClipLibrary? = nil
    ) -> LoadedPrompts {
        var clips: [(name: ClipName, samples: [Int16])] = []
        var problems: [Problem] = []
        let wanted = (languages ?? catalogue.texts.keys.sorted()).flatMap { language in
            catalogue.texts[language, default: [:]].keys.sorted().map { ClipReference(language: language, name: $0) }
        }
        for clip in wanted + [.holdMusic] {
            switch read(clip) {
            case .success(let samples): clips.append((ClipName(clip), samples))
            case .failure(let problem): problems.append(problem)
            }
        }
        return LoadedPrompts(library: ClipLibrary(clips, succeeding: former), problems: problems.sorted())
    }

    /// The user's recording if there is one, else what was built.
    private func read(_ clip: ClipReference) -> Result<[Int16], Problem> {
        for directory in [directories.own, directories.built] {
            let path = PromptDirectories.file(clip, in: directory)
            guard let bytes = FileManager.default.contents(atPath: path) else { continue }
            do throws(WAVError) {
                return .success(try WAVFile.read(Array(bytes)).telephoneSamples())
            } catch {
                return .failure(Problem(file: path, line: 0, "not readable as a prompt: \(error)"))
            }
        }
        return .failure(
            Problem(
                file: PromptDirectories.file(clip, in: directories.built), line: 0,
                "the prompt is missing; `tandem prompts build` speaks it"))
    }
}
