import Glibc

/// Names one run of one process on this machine beyond doubt: a process number is used again, its start time within
/// a boot is not. What one node needs to know of another before it ends it.
public struct ProcessIdentity: Hashable, Sendable, Codable {
    public var pid: Int32
    /// Clock ticks between boot and the start of the process: field 22 of /proc/PID/stat.
    public var startTicks: UInt64
    /// The kernel's random id of this boot.
    public var bootID: String

    public init(pid: Int32, startTicks: UInt64, bootID: String) {
        self.pid = pid
        self.startTicks = startTicks
        self.bootID = bootID
    }

    /// The calling process; nil where /proc is not mounted.
    public static func current() -> ProcessIdentity? { of(pid: getpid()) }

    /// The process that has this number now; nil when there is none.
    public static func of(pid: Int32) -> ProcessIdentity? {
        guard let stat = readSmallFile("/proc/\(pid)/stat"), let ticks = startTicks(inStat: stat),
            let boot = bootID()
        else { return nil }
        return ProcessIdentity(pid: pid, startTicks: ticks, bootID: boot)
    }

    /// Whether this very process still exists (a zombie counts as gone only when it was reaped).
    public var isRunning: Bool { ProcessIdentity.of(pid: pid) == self }

    public static func bootID() -> String? {
        guard let text = readSmallFile("/proc/sys/kernel/random/boot_id") else { return nil }
        let id = text.filter { !$0.isWhitespace }
        return id.isEmpty ? nil : id
    }

    /// proc(5): the second field is the command in parentheses and may itself contain spaces and parentheses,
    /// so the fields are counted from the last closing one.
    static func startTicks(inStat stat: String) -> UInt64? {
        guard let close = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: close)...].split(whereSeparator: \.isWhitespace)
        // The first field after the command is number 3.
        guard fields.count > 19 else { return nil }
        return UInt64(fields[19])
    }

    private static func readSmallFile(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return nil }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
