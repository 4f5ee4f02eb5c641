import Foundation
import Primitives

/// Draws a menu as a graph for Graphviz.
public enum MenuDrawing {
    public enum Failure: Error, CustomStringConvertible {
        case notInstalled
        case failed(String)

        public var description: String {
            switch self {
            case .notInstalled:
                "Graphviz is not installed; `apt-get install graphviz` brings it, or give --dot for the text of the graph"
            case .failed(let message): "dot failed: \(message)"
            }
        }
    }

    /// The graph in the DOT language. States are boxes by what they do; edges of the same way are drawn once.
    public static func dot(_ definition: MenuDefinition) -> String {
        let graph = MenuGraph(definition)
        var lines = [
            "digraph \(quote(definition.name)) {",
            "  rankdir=LR; fontname=\"sans-serif\"; label=\(quote("\(definition.name), version \(definition.version)"));",
            "  node [fontname=\"sans-serif\", fontsize=11, style=filled, fillcolor=white, shape=box];",
            "  edge [fontname=\"sans-serif\", fontsize=9, color=\"#555555\"];",
            "  start [shape=point, width=0.15];", "  start -> \(quote(definition.start));",
        ]
        for name in definition.stateNames {
            guard let state = definition.states[name] else { continue }
            let look = state.look
            let title = state.path == state.name ? name : "\(name)\\n[\(state.path)]"
            lines.append(
                "  \(quote(name)) [shape=\(look.shape), fillcolor=\"\(look.colour)\", label=\"\(title)\(look.note.isEmpty ? "" : "\\n" + escape(look.note))\"];"
            )
        }
        for name in definition.stateNames {
            var labels: [String: [String]] = [:]
            var order: [String] = []
            for edge in graph.edges[name, default: []] {
                if labels[edge.to] == nil { order.append(edge.to) }
                labels[edge.to, default: []].append(edge.label)
            }
            for to in order {
                let words = labels[to, default: []].filter { !$0.isEmpty }
                // The ways of those who press nothing useful are many and alike: they stay in the background.
                let isFaint = !words.isEmpty && Set(words).isSubset(of: ["no input", "wrong"])
                let style = isFaint ? ", color=\"#cccccc\", fontcolor=\"#aaaaaa\", constraint=false" : ""
                lines.append(
                    "  \(quote(name)) -> \(quote(to)) [label=\(quote(words.joined(separator: ", ")))\(style)];")
            }
        }
        return (lines + ["}", ""]).joined(separator: "\n")
    }

    /// Lets Graphviz lay the graph out. Blocks until it is done.
    public static func svg(dot text: String) throws(Failure) -> String {
        let directories = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
        guard let program = directories.map({ "\($0)/dot" }).first(where: FileManager.default.isExecutableFile(atPath:))
        else { throw .notInstalled }
        // A file, not a pipe: a dot that ends without reading must not end us by SIGPIPE.
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("menu-\(UUID().uuidString).dot")
        defer { try? FileManager.default.removeItem(at: file) }
        do {
            try Data(text.utf8).write(to: file)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: program)
            process.arguments = ["-Tsvg", file.path]
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            let drawn = try output.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else {
                throw Failure.failed("exit status \(process.terminationStatus)")
            }
            return String(decoding: drawn, as: UTF8.self)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .failed(fileReason(error))
        }
    }

    private static func escape(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    }

    private static func quote(_ text: String) -> String { "\"\(escape(text))\"" }
}

extension MenuState {
    fileprivate var look: (shape: String, colour: String, note: String) {
        switch kind {
        case .choice: ("box", "#e8f1fb", prepares.map { "reads back \($0)" } ?? "")
        case .entry(_, let rule, _): ("box", "#fdf3dc", "enter \(rule.variable)\(rule.isSecret ? " (secret)" : "")")
        case .operation(let step): ("component", "#e6f5e6", "bank: \(step.signature.name)")
        case .queue(let step): ("cds", "#f1e6f7", "queue: \(step.queue)")
        case .choose: ("diamond", "#f4f4f4", "")
        case .call(let start, _): ("folder", "#f4f4f4", "calls \(start)")
        case .speak: ("note", "#ffffff", "")
        case .hangUp: ("octagon", "#fbe4e4", "hangs up")
        }
    }
}
