import Foundation
import NodeRuntime
import Primitives

#if canImport(Glibc)
    import Glibc
#endif

/// A node's process as its files in the state directory tell of it.
struct RunningProcess {
    var name: String
    var role: String
    var pid: pid_t
    var http: Endpoint

    /// Those that live, by name.
    static func all(in state: StateDirectory) -> [RunningProcess] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: state.path + "/run")) ?? []
        return names.filter { $0.hasSuffix(".http") }.sorted().compactMap { find(String($0.dropLast(5)), in: state) }
    }

    /// Nil unless the node lives and has said where its HTTP port is.
    static func find(_ name: String, in state: StateDirectory) -> RunningProcess? {
        guard let pid = number(in: state.pidFile(of: name)), isAlive(pid),
            let text = try? String(contentsOfFile: state.addressFile(of: name), encoding: .utf8)
        else { return nil }
        let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
        guard words.count == 2, let http = MasterOptions.endpoint(words[1]) else { return nil }
        return RunningProcess(name: name, role: words[0], pid: pid, http: MasterOptions.reachable(http))
    }

    static func isAlive(_ pid: pid_t) -> Bool { kill(pid, 0) == 0 || errno == EPERM }

    /// A file that holds one number; nil where there is none.
    static func number(in path: String) -> pid_t? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8),
            let number = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)), number > 1
        else { return nil }
        return number
    }

    /// Who started it: the fourth field of `/proc/PID/stat`, counted after the name, which may hold anything.
    var parent: pid_t? {
        guard let stat = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return nil }
        let fields = String(decoding: stat, as: UTF8.self).split(separator: ")").last?.split(separator: " ")
        return fields.flatMap { $0.count > 1 ? pid_t($0[1]) : nil }
    }
}
