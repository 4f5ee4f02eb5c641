import Foundation
import Logging
import Routing

#if canImport(Glibc)
    import Glibc
#endif

/// The last table that was in use, on disk, so that a restarted access node knows its centers while no master answers.
struct RouteTableFile: Sendable {
    let path: String

    /// The table as it is to be used at a start; nil when there is none that says where calls may go.
    func read(log: Logger) -> RouteTable? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        do throws(RouteTableError) {
            let table = try RouteTable(json: Array(data)).restoredFromDisk()
            // What was written when everything went down together is no use when everything comes up again.
            return table.centers.contains { $0.state.takesNewCalls } ? table : nil
        } catch {
            log.warning("the kept route table is not usable", metadata: ["file": "\(path)", "reason": "\(error)"])
            return nil
        }
    }

    /// Writes beside and renames, so that a crash leaves the old table or the new one.
    func write(_ table: RouteTable) throws {
        let draft = "\(path).new"
        let bytes = table.encodedJSON()
        let file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw RouteTableFileError(errno) }
        let isWritten = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) } == bytes.count
        let isSafe = isWritten && fsync(file) == 0
        let code = errno
        close(file)
        guard isSafe else { throw RouteTableFileError(code) }
        guard rename(draft, path) == 0 else { throw RouteTableFileError(errno) }
    }
}

struct RouteTableFileError: Error, CustomStringConvertible {
    let description: String
    init(_ code: Int32) { description = String(cString: strerror(code)) }
}

/// Writes tables in the background: the newest counts, and those that differ only in loads wait.
final class RouteTableKeeper: Sendable {
    private let tables: AsyncStream<RouteTable>.Continuation
    private let task: Task<Void, Never>

    init(_ file: RouteTableFile, log: Logger) {
        let (stream, tables) = AsyncStream.makeStream(of: RouteTable.self, bufferingPolicy: .bufferingNewest(1))
        self.tables = tables
        task = Task {
            var written: RouteTable?
            for await table in stream {
                if let written, !table.differsInRoutes(from: written) { continue }
                do {
                    try file.write(table)
                    written = table
                } catch {
                    log.warning(
                        "the route table cannot be kept", metadata: ["file": "\(file.path)", "reason": "\(error)"])
                }
            }
        }
    }

    func keep(_ table: RouteTable) { tables.yield(table) }

    /// Returns when the last table is on disk.
    func stop() async {
        tables.finish()
        await task.value
    }
}
