import Foundation
import Primitives

/// A note beside a node's pid file that says to `tandem up`: when this process ends, start the node again, whatever
/// `--respawn` says. Who is about to end the process leaves it first. It names the process, so that a note whose
/// process outlived it, or was never killed, brings nobody back later.
public struct RestartNote: Sendable {
    public enum Reason: String, Sendable, CaseIterable {
        /// Tandem itself kills the node, to fence it: `STATE/run/NODE.killed`.
        case killed
        /// An operator ordered a restart: `STATE/run/NODE.restart`.
        case restart
    }

    public let path: String

    public init(_ reason: Reason, of node: String, in state: StateDirectory) {
        path = "\(state.path)/run/\(node).\(reason.rawValue)"
    }

    /// Leaves the note for the process that is about to be ended. Blocks on the disk.
    public func leave(for pid: Int32) throws(NodeFailure) {
        do {
            try "\(pid)\n".write(toFile: path, atomically: true, encoding: .utf8)
        } catch {
            throw .failed("\(path): cannot be written: \(fileReason(error))")
        }
    }

    /// Whether the note is there and names the process that ended. It is gone afterwards either way.
    public func take(for pid: Int32) -> Bool {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return false }
        try? FileManager.default.removeItem(atPath: path)
        return Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)) == pid
    }
}
