import Foundation
import Media
import Speech
import StrictYAML

/// The recordings that the user put beside the prompt texts: which of them can be played, and which nobody will hear.
public struct OwnRecordings {
    let directory: String
    let catalogue: PromptCatalogue

    public init(directory: String, catalogue: PromptCatalogue) {
        self.directory = directory
        self.catalogue = catalogue
    }

    /// An error for each that cannot be decoded, a warning for each that nothing speaks. Blocks on the disk and decodes.
    public func problems() -> [Problem] {
        let files = FileManager.default
        var problems: [Problem] = []
        for name in contents(of: directory) {
            let path = "\(directory)/\(name)"
            var isFolder: ObjCBool = false
            guard files.fileExists(atPath: path, isDirectory: &isFolder) else { continue }
            if isFolder.boolValue {
                problems += self.problems(ofLanguage: name, in: path)
            } else if Self.isSound(name) {
                problems.append(
                    warning(path, "recordings lie in a folder of their language: \(directory)/LANG/NAME.wav"))
            }
        }
        return problems.sorted()
    }

    private func problems(ofLanguage language: String, in folder: String) -> [Problem] {
        let sounds = contents(of: folder).filter(Self.isSound)
        guard !sounds.isEmpty else { return [] }
        let known: Set<String>
        if language == ClipReference.common {
            known = [ClipReference.holdMusic.name]
        } else if let texts = catalogue.texts[language] {
            known = Set(texts.keys)
        } else {
            let languages = (catalogue.texts.keys.sorted() + [ClipReference.common]).joined(separator: ", ")
            return [warning(folder, "\"\(language)\" is no language of the prompts; there are \(languages)")]
        }
        return sounds.compactMap { problem(of: $0, in: folder, known: known) }
    }

    private func problem(of file: String, in folder: String, known: Set<String>) -> Problem? {
        let path = "\(folder)/\(file)"
        guard file.hasSuffix(".wav") else { return warning(path, "is not read: a recording is NAME.wav") }
        let name = String(file.dropLast(4))
        guard known.contains(name) else {
            let near = known.filter { Self.distance($0, name) <= 2 }.min { ($0.count, $0) < ($1.count, $1) }
            let hint = near.map { "; is \"\($0)\" meant?" } ?? ": no text of that name, no number, date or currency"
            return warning(path, "no menu and no speech uses \"\(name)\"\(hint)")
        }
        guard let bytes = FileManager.default.contents(atPath: path) else {
            return Problem(file: path, line: 0, "cannot be read")
        }
        do throws(WAVError) {
            _ = try WAVFile.read(Array(bytes))
            return nil
        } catch {
            return Problem(file: path, line: 0, "not readable as a prompt: \(error)")
        }
    }

    private func warning(_ path: String, _ message: String) -> Problem {
        Problem(.warning, file: path, line: 0, message)
    }

    private func contents(of folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { !$0.hasPrefix(".") }.sorted()
    }

    private static func isSound(_ name: String) -> Bool {
        let lower = name.lowercased()
        return [".wav", ".wave", ".mp3", ".ogg", ".flac", ".aiff", ".m4a", ".opus"].contains { lower.hasSuffix($0) }
    }

    /// How many letters to change, add or leave out (Levenshtein), for names of files.
    static func distance(_ one: String, _ two: String) -> Int {
        let (left, right) = (Array(one.utf8.prefix(64)), Array(two.utf8.prefix(64)))
        var row = Array(0...right.count)
        for (index, letter) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let changed = diagonal + (letter == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(changed, min(row[column], row[column + 1]) + 1)
            }
        }
        return row[right.count]
    }
}
