import Foundation
import Primitives
import StrictYAML

extension MenuSource {
    /// Reads a menu file and the files that it includes, which lie beside it or below. Blocks on the disk.
    public static func read(_ path: String) throws(Problems) -> MenuSource {
        let url = URL(fileURLWithPath: path)
        let directory = url.deletingLastPathComponent()
        var source = MenuSource(top: url.lastPathComponent, files: [:])
        var waiting = [source.top]
        while let name = waiting.popLast() {
            guard source.files[name] == nil, source.files.count <= 64 else { continue }
            let text: String
            do {
                text = try String(contentsOf: directory.appendingPathComponent(name), encoding: .utf8)
            } catch {
                // A missing included file is reported at the line that includes it.
                if name != source.top { continue }
                throw Problems([Problem(file: path, line: 0, "the file cannot be read: \(fileReason(error))")])
            }
            source.files[name] = text
            waiting += included(in: text, file: name)
        }
        return source
    }

    private static func included(in text: String, file: String) -> [String] {
        let ignored = ProblemCollector()
        let top = YAMLValue.parse(text, file: file, collector: ignored)
        guard top?.isMapping == true, let include = top?.mapping()?.take("include"), include.isMapping else {
            return []
        }
        return (include.entries() ?? []).compactMap { $0.value.text() }.filter { name in
            !name.hasPrefix("/") && !name.split(separator: "/").contains("..")
        }
    }
}
