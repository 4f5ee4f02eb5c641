import Foundation
import Speech
import StrictYAML

extension PromptCatalogue {
    /// Adds all prompt files (`*.yaml`) of a folder as far as they can be read, in the order of their names, and gives
    /// what is wrong with them. A folder that is not there has no prompt files. Blocks on the disk.
    public mutating func add(folder: String) -> [Problem] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        var problems: [Problem] = []
        for name in names.filter({ $0.hasSuffix(".yaml") }).sorted() {
            let path = "\(folder)/\(name)"
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                problems.append(Problem(file: path, line: 0, "the file cannot be read"))
                continue
            }
            do throws(Problems) { try add(file: text, named: path) } catch { problems += error.list }
        }
        return problems
    }
}
