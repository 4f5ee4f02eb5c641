import Dispatch
import Glibc
import Synchronization

/// Where log lines go. Appending never waits for the file or pipe: lines collect in a bounded buffer and a queue of its
/// own writes them, so that a full disk or a reader that hangs does not stop a loop. What did not fit is counted and said.
public final class LogSink: Sendable {
    private struct State: Sendable {
        var buffer: [UInt8] = []
        var isWriting = false
        var lost: UInt64 = 0
    }

    /// Bytes that wait to be written.
    public static let bufferLimit = 1 << 20

    private let path: String?
    /// The descriptor is somebody else's: it stays open, whatever file it is of.
    private let isBorrowed: Bool
    private let descriptor: Atomic<Int32>
    private let state = Mutex(State())
    private let writer = DispatchQueue(label: "tandem.log")

    /// Writes to the process's standard error. Where that is a file, `reopen` opens the one of that name anew.
    public static let standardError = LogSink(descriptor: STDERR_FILENO)

    public init(descriptor: Int32) {
        path = Self.file(of: descriptor)
        isBorrowed = true
        self.descriptor = Atomic(descriptor)
    }

    /// Appends to a file, made with mode 0640 if it is not there; nil when it cannot be opened (errno says why).
    public init?(path: String) {
        let opened = Self.open(path)
        guard opened >= 0 else { return nil }
        self.path = path
        isBorrowed = false
        descriptor = Atomic(opened)
    }

    deinit {
        if !isBorrowed { close(descriptor.load(ordering: .relaxed)) }
    }

    /// The path of the regular file that a descriptor is open for; nil for pipes and terminals.
    private static func file(of descriptor: Int32) -> String? {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        var name = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/fd/\(descriptor)", &name, name.count)
        guard length > 0, length < name.count else { return nil }
        return String(decoding: name[..<length], as: UTF8.self)
    }

    private static func open(_ path: String) -> Int32 {
        Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
    }

    /// Lines that were thrown away because the buffer was full.
    public var lost: UInt64 { state.withLock { $0.lost } }

    /// Takes a line, without its end.
    public func append(_ line: String) {
        let startsWriting = state.withLock { state in
            guard state.buffer.count + line.utf8.count < Self.bufferLimit else {
                state.lost += 1
                return false
            }
            state.buffer.append(contentsOf: line.utf8)
            state.buffer.append(10)
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if startsWriting { writer.async { self.drain() } }
    }

    /// Returns when everything appended before is written.
    public func flush() { writer.sync { drain() } }

    /// Opens the file anew, after it was moved away by log rotation.
    public func reopen() {
        guard let path else { return }
        writer.sync {
            let opened = Self.open(path)
            guard opened >= 0 else { return }
            if isBorrowed {
                // All who write to it, crash reports too, follow.
                dup2(opened, descriptor.load(ordering: .relaxed))
                close(opened)
            } else {
                close(descriptor.exchange(opened, ordering: .relaxed))
            }
        }
    }

    private func drain() {
        while true {
            let bytes = state.withLock { state in
                defer { state.buffer = [] }
                if state.buffer.isEmpty { state.isWriting = false }
                return state.buffer
            }
            guard !bytes.isEmpty else { return }
            write(bytes)
        }
    }

    private func write(_ bytes: [UInt8]) {
        let target = descriptor.load(ordering: .relaxed)
        bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Glibc.write(target, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count < 0, errno == EINTR { continue }
                // A full disk or a closed pipe: these lines are lost, the node goes on.
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }
    }
}
