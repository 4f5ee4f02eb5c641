import Foundation
import Primitives

#if canImport(Glibc)
    import Glibc
#endif

/// Rows for people: columns aligned, headings dimmed and states coloured only where standard output is a terminal.
struct Table {
    enum Colour: String {
        case plain = "", green = "\u{1B}[32m", yellow = "\u{1B}[33m", red = "\u{1B}[31m", dim = "\u{1B}[2m"
    }

    struct Cell: ExpressibleByStringLiteral {
        var text: String
        var colour = Colour.plain
        var alignsRight = false
        /// What came from outside commands no terminal.
        init(_ text: String, _ colour: Colour = .plain, right: Bool = false) {
            self.text = text.visible
            self.colour = colour
            alignsRight = right
        }
        init(stringLiteral text: String) { self.init(text) }
        static func number(_ value: some CustomStringConvertible) -> Cell { Cell(value.description, right: true) }
        /// What is not known is a dash.
        static func optional(_ text: String?) -> Cell { Cell(text ?? "–") }
    }

    var headings: [String]
    var rows: [[Cell]] = []

    init(_ headings: String...) { self.headings = headings }

    mutating func add(_ cells: Cell...) { rows.append(cells) }

    func rendered(coloured: Bool) -> String {
        var widths = headings.map(Self.width)
        for row in rows {
            for (index, cell) in row.enumerated() where index < widths.count {
                widths[index] = max(widths[index], Self.width(cell.text))
            }
        }
        func line(_ cells: [Cell]) -> String {
            let padded = cells.enumerated().map { index, cell in
                let missing = max(0, (index < widths.count ? widths[index] : 0) - Self.width(cell.text))
                let space = String(repeating: " ", count: missing)
                let text =
                    coloured && cell.colour != .plain ? cell.colour.rawValue + cell.text + "\u{1B}[0m" : cell.text
                if cell.alignsRight { return space + text }
                return index == cells.count - 1 ? text : text + space
            }
            return padded.joined(separator: "  ")
        }
        let heading = zip(headings, 0...).map { heading, index in
            Cell(heading, .dim, right: rows.first.map { index < $0.count && $0[index].alignsRight } ?? false)
        }
        return ([line(heading)] + rows.map(line)).joined(separator: "\n")
    }

    func printOut() { printNow(rendered(coloured: isatty(STDOUT_FILENO) == 1)) }

    /// Terminal columns: CJK characters take two.
    private static func width(_ text: String) -> Int {
        text.unicodeScalars.reduce(0) {
            $0 + ((0x1100...0x115F).contains($1.value) || (0x2E80...0xFFDC).contains($1.value) ? 2 : 1)
        }
    }
}

/// Prints any value for programs: JSON with sorted keys.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let text = String(decoding: try encoder.encode(value), as: UTF8.self)
    // The encoder spreads what is empty over three lines; text in JSON has no line breaks of its own.
    printNow(text.replacing(/([\[{])\n\n *([\]}])/) { "\($0.output.1)\($0.output.2)" })
}
