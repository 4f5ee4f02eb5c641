#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A program with a limit to its life, in a process group of its own, so that what it started ends with it.
/// Foundation's `Process` waits for grandchildren too, and so cannot keep such a limit.
struct ChildProcess: Sendable {
    struct SpawnFailure: Error, CustomStringConvertible {
        let code: Int32
        var description: String { String(cString: strerror(code)) }
    }

    var program: String
    var arguments: [String]
    /// Read as standard input; output and errors go nowhere.
    var input: String?

    /// The exit status, 128 and more for a signal; nil when the limit ran out and it was killed.
    func run(limit: Duration) async throws -> Int32? {
        let pid = try spawn()
        let deadline = ContinuousClock.now + limit
        var wait = Duration.milliseconds(2)
        while true {
            var status: Int32 = 0
            let ended = waitpid(pid, &status, WNOHANG)
            if ended == pid { return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F }
            if ended < 0, errno != EINTR { throw SpawnFailure(code: errno) }
            if ContinuousClock.now >= deadline || Task.isCancelled {
                kill(-pid, SIGKILL)
                waitpid(pid, &status, 0)
                return nil
            }
            // A cancelled task does not sleep; the next round ends the child.
            try? await Task.sleep(for: wait)
            wait = min(wait * 2, .milliseconds(10))
        }
    }

    private func spawn() throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input ?? "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        posix_spawnattr_setpgroup(&attributes, 0)
        let words = ([program] + arguments).map { strdup($0) }
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, program, &actions, &attributes, words + [nil], environ)
        guard code == 0 else { throw SpawnFailure(code: code) }
        return pid
    }
}
