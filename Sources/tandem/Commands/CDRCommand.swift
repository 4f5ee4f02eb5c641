import ArgumentParser
import Primitives
import Session

struct CDRCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cdr", abstract: "Records of ended calls, newest first.")
    @OptionGroup var options: MasterOptions
    @Flag(help: "For programs.") var json = false
    @Flag(help: "For spreadsheets (RFC 4180).") var csv = false
    @Option(help: "At most so many.") var limit = 100

    /// What the API gives at a time.
    private static let page = 1_000

    func run() async throws {
        if json && csv { throw CommandFailure.usage("--json and --csv: found both, expected one of them") }
        guard limit > 0 else { throw CommandFailure.usage("--limit: found \(limit), expected 1 or more") }
        let records = try await records()
        if json { return try printJSON(records) }
        if csv { return printNow(RecordSheet.text(records)) }
        var table = Table("STARTED", "LINE", "FROM", "CENTERS", "SECONDS", "END", "TAKEOVERS", "PATH", "ID")
        for record in records {
            let end = record.end?.rawValue ?? "–"
            table.add(
                .init(record.started.description), .init(record.line), .init(record.from),
                .init(record.centers.joined(separator: ",")), .optionalNumber(RecordSheet.seconds(record.duration)),
                .init(end, record.end == .lost ? .red : .plain), .number(record.takeovers),
                .init(record.path.joined(separator: " ")), .init(record.id.description))
        }
        table.printOut()
    }

    private func records() async throws -> [CallRecord] {
        let client = try options.client()
        var all: [CallRecord] = []
        while all.count < limit {
            let wanted = min(Self.page, limit - all.count)
            let before = all.last.map { "&before=\($0.id)" } ?? ""
            let found = try await client.get([CallRecord].self, "/cdrs?limit=\(wanted)\(before)")
            all += found
            if found.count < wanted { break }
        }
        return all
    }
}

/// Call records as comma-separated values.
enum RecordSheet {
    static let heading = "id,line,from,centers,started,answered,ended,duration_s,end,path,takeovers"

    static func text(_ records: [CallRecord]) -> String {
        ([heading] + records.map(row)).joined(separator: "\r\n")
    }

    private static func row(_ record: CallRecord) -> String {
        [
            record.id.description, record.line, record.from, record.centers.joined(separator: " "),
            record.started.description, record.answered?.description ?? "", record.ended?.description ?? "",
            seconds(record.duration) ?? "", record.end?.rawValue ?? "", record.path.joined(separator: " "),
            "\(record.takeovers)",
        ].map(field).joined(separator: ",")
    }

    /// RFC 4180 §2: fields with commas, quotes or line breaks are quoted. A field that a spreadsheet would take for a
    /// formula comes from a caller and is made text; a plus before digits is a number of the usual kind.
    private static func field(_ text: String) -> String {
        var text = text
        if let first = text.first,
            "=-@\t\r".contains(first) || (first == "+" && !text.dropFirst().allSatisfy(\.isNumber))
        {
            text = "'" + text
        }
        // By scalars: as characters, a line feed alone is another than one after a carriage return.
        guard text.unicodeScalars.contains(where: { ",\"\r\n".unicodeScalars.contains($0) }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }

    static func seconds(_ span: Duration?) -> String? {
        guard let milliseconds = span?.wholeMilliseconds.magnitude else { return nil }
        return "\(milliseconds / 1_000).\(String(1_000 + milliseconds % 1_000).dropFirst())"
    }
}
