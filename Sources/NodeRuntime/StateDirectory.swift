import Foundation
import Primitives
import Profiles

#if canImport(Glibc)
    import Glibc
#endif

/// Where a system keeps its store, secrets, prompts, pids and logs. All nodes of one machine share it.
public struct StateDirectory: Sendable {
    public let path: String

    public init(_ path: String) { self.path = URL(fileURLWithPath: path).standardizedFileURL.path }

    /// Makes the folder and those in it that nodes write to; secrets are the owner's alone.
    public func prepare() throws(NodeFailure) {
        do {
            // Accounts and call records are in there: no business of other users of the machine.
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o750])
            for folder in [path + "/run", path + "/log", path + "/prompts", path + "/access"] {
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            }
            try FileManager.default.createDirectory(
                atPath: path + "/secrets", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw .usage("\(path): the state directory cannot be made or written: \(fileReason(error))")
        }
        for folder in [path] + ["run", "log", "prompts", "access", "secrets"].map({ "\(path)/\($0)" }) {
            if let reason = Self.refusal(folder) {
                throw .usage(
                    "\(folder): the state directory must be writable: \(reason); change its owner or mode, or name another by --state"
                )
            }
        }
    }

    /// Why no file can be made in a folder; nil where one can. Tried, because modes do not tell of read-only disks.
    static func refusal(_ folder: String) -> String? {
        let probe = "\(folder)/.probe-\(getpid())-\(UInt32.random(in: .min ... .max))"
        let file = open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { return String(cString: strerror(errno)) }
        close(file)
        unlink(probe)
        return nil
    }

    /// A path of a profile that is relative to the state directory.
    public func resolve(_ relative: String) -> String { relative.hasPrefix("/") ? relative : "\(path)/\(relative)" }

    public func pidFile(of node: String) -> String { "\(path)/run/\(node).pid" }
    /// Holds the pid of `tandem up` while it watches over the nodes.
    public var supervisorFile: String { "\(path)/run/supervisor" }
    /// Where a node says which role it has and where its HTTP port is: `master http://127.0.0.1:8080`.
    public func addressFile(of node: String) -> String { "\(path)/run/\(node).http" }

    /// The HTTP ports of the nodes of a role that were started with this state directory.
    public func addresses(ofRole role: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path + "/run")) ?? []
        return names.filter { $0.hasSuffix(".http") }.sorted().compactMap { name in
            guard let text = try? String(contentsOfFile: "\(path)/run/\(name)", encoding: .utf8) else { return nil }
            let words = text.split(whereSeparator: \.isWhitespace)
            return words.count == 2 && words[0] == role ? String(words[1]) : nil
        }
    }

    public func logFile(of node: String) -> String { "\(path)/log/\(node).log" }
    public var apiToken: String { "\(path)/secrets/api-token" }
}

/// Why a node cannot start or go on: lines that say what to do, and the process's exit status.
public struct NodeFailure: Error, Sendable, CustomStringConvertible {
    public var lines: [String]
    /// 1 the thing asked for failed, 2 wrong usage or profile.
    public var status: Int32

    public init(_ lines: [String], status: Int32) {
        self.lines = lines
        self.status = status
    }

    public static func usage(_ line: String) -> Self { Self([line], status: 2) }
    public static func failed(_ line: String) -> Self { Self([line], status: 1) }

    public var description: String { lines.joined(separator: "\n") }
}
