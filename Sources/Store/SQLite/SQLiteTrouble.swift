import Foundation
import GRDB
import Session

/// How SQLite's result codes read for an operator, and what they mean for a batch.
enum SQLiteTrouble {
    /// Trouble of the file or its place: the batch is void and the store cannot be used. Nil where only the request
    /// itself is at fault.
    static func ofStore(_ error: any Error, path: String) -> StoreTrouble? {
        if let trouble = error as? StoreTrouble { return trouble }
        guard let error = error as? DatabaseError else { return nil }
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_PROTOCOL:
            return StoreTrouble(.locked, "another process holds \(path)")
        case .SQLITE_FULL:
            return StoreTrouble(.full, "no space left for \(path)")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT:
            return StoreTrouble(.corrupt, "\(path) is damaged; restore it from a backup")
        case .SQLITE_CANTOPEN:
            return missing(path)
        case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
            return StoreTrouble(.denied, "\(path) cannot be written; check owner and mode")
        case .SQLITE_IOERR:
            return StoreTrouble(.io, "reading or writing \(path) failed (\(error.extendedResultCode.rawValue))")
        case .SQLITE_NOMEM, .SQLITE_NOLFS, .SQLITE_INTERNAL, .SQLITE_MISUSE, .SQLITE_INTERRUPT, .SQLITE_ABORT:
            return StoreTrouble(.io, "SQLite failed on \(path) (\(error.extendedResultCode.rawValue))")
        default:
            return nil
        }
    }

    static func missing(_ path: String) -> StoreTrouble {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        var isDirectory: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) {
            return isDirectory.boolValue
                ? StoreTrouble(.denied, "\(path) is a directory")
                : StoreTrouble(.denied, "\(path) cannot be opened; check owner and mode")
        }
        return FileManager.default.fileExists(atPath: directory)
            ? StoreTrouble(.missing, "\(path) is not there")
            : StoreTrouble(.missing, "the directory \(directory) is not there; make it")
    }

    /// The answer to a request that failed by itself, its writes undone.
    static func reply(to error: any Error) -> StoreReply {
        switch error {
        case let error as CheckpointError: .refused(error.description)
        case let error as DatabaseError: .refused(error.message ?? "refused by the database")
        default: .refused("\(error)")
        }
    }
}
