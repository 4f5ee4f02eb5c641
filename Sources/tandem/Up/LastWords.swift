/// Why a node that was being started ended, taken from what it wrote meanwhile.
enum LastWords {
    /// One line; nil where nothing was written.
    ///
    /// - Parameter written: what the node's process appended to its log.
    static func reason(in written: String) -> String? {
        let lines = written.split(separator: "\n").map(String.init).filter { !$0.isEmpty }
        // A node that refuses to start says why in lines of its own, which are no records.
        let said = lines.filter { !isRecord($0) }
        guard let first = said.first else { return lines.last.map(message) }
        return said.count == 1 ? first : "\(first) (and \(said.count - 1) more)"
    }

    /// `2026-11-23T02:00:00.123Z notice center-a serving role=center`
    private static func isRecord(_ line: String) -> Bool {
        let time = Array(line.prefix(20).utf8)
        guard time.count == 20 else { return false }
        return zip(time, "0000-00-00T00:00:00.".utf8).allSatisfy { byte, form in
            form == UInt8(ascii: "0") ? (48...57).contains(byte) : byte == form
        }
    }

    /// A record's words after time, level and node.
    private static func message(_ record: String) -> String {
        guard isRecord(record) else { return record }
        return record.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: true).dropFirst(3).joined()
    }
}
