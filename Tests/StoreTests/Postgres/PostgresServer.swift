#if PostgreSQL
    import Banking
    import Foundation
    import Primitives
    import Session
    import Store
    import Testing

    @testable import StorePostgres

    #if canImport(Glibc)
        import Glibc
    #endif

    /// A PostgreSQL server of the test's own in a temporary directory, on a port below the ephemeral range. A watcher ends
    /// it and removes the directory when the test process is gone, however it went.
    final class PostgresServer: Sendable {
        struct Failure: Error, CustomStringConvertible {
            let description: String
        }

        /// Where `initdb`, `pg_ctl` and the rest are; nil where no server of version 15 or newer is installed.
        static let binaries: String? = {
            var folders = [
                run(["pg_config", "--bindir"]).output, run(["sh", "-c", "dirname $(command -v pg_ctl)"]).output,
            ]
            let debian = "/usr/lib/postgresql"
            let versions = (try? FileManager.default.contentsOfDirectory(atPath: debian)) ?? []
            folders += versions.sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }.map { "\(debian)/\($0)/bin" }
            return folders.first { folder in
                let words = run(["\(folder)/postgres", "--version"]).output.split { !$0.isNumber }
                return (words.first.flatMap { Int($0) } ?? 0) >= 15
                    && FileManager.default.isExecutableFile(atPath: "\(folder)/initdb")
            }
        }()

        static var isInstalled: Bool { binaries != nil }

        /// The server that tests share which do not stop it.
        static let shared = Result { try PostgresServer() }

        let port: Int
        private let folder: Folder

        var directory: String { folder.path }
        var data: String { "\(directory)/data" }
        var url: String { "postgres://tandem@127.0.0.1:\(port)/postgres" }

        /// A cluster that was never started, from which others are copied: making one takes a second and more.
        private static let template = Result { () throws -> Folder in
            let folder = try Folder()
            try demand([
                "initdb", "-D", "\(folder.path)/data", "-U", "tandem", "-A", "trust", "-E", "UTF8", "--locale=C",
                "--no-sync",
            ])
            return folder
        }

        /// Makes a cluster, or, with `primary`, a standby of another, and starts it.
        init(settings: [String] = [], standbyOf primary: PostgresServer? = nil) throws {
            folder = try Folder()
            guard let port = (0..<200).lazy.map({ _ in Int.random(in: 20_000..<32_000) }).first(where: Self.isFree)
            else {
                throw Failure(description: "no free port")
            }
            self.port = port
            if let primary {
                try Self.demand([
                    "pg_basebackup", "-D", data, "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d",
                    "host=127.0.0.1 port=\(primary.port) user=tandem application_name=standby",
                ])
            } else {
                try Self.demand(["cp", "-a", "\(Self.template.get().path)/data", data], in: nil)
            }
            let file = "\(data)/postgresql.auto.conf"
            var text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
            // A process that is killed loses nothing that the kernel has: no waiting for the disk in tests.
            let all = [
                "port = \(port)", "listen_addresses = '127.0.0.1'", "unix_socket_directories = '\(directory)'",
                "fsync = off",
                "shared_buffers = 32MB", "max_connections = 100", "logging_collector = off",
            ]
            text += (all + settings).map { "\($0)\n" }.joined()
            try text.write(toFile: file, atomically: false, encoding: .utf8)
            try start()
        }

        func start() throws {
            try Self.demand(["pg_ctl", "-D", data, "-w", "-t", "60", "-l", "\(directory)/log", "start"])
        }

        func stop() throws { try Self.demand(["pg_ctl", "-D", data, "-w", "-m", "fast", "stop"]) }
        func promote() throws { try Self.demand(["pg_ctl", "-D", data, "-w", "promote"]) }
        /// Changes a setting of the running server.
        func set(_ setting: String) throws {
            let file = "\(data)/postgresql.auto.conf"
            let text = try String(contentsOfFile: file, encoding: .utf8)
            try (text + "\(setting)\n").write(toFile: file, atomically: false, encoding: .utf8)
            try Self.demand(["pg_ctl", "-D", data, "reload"])
        }

        /// SIGKILL to the server and all its processes, as when the machine dies.
        func kill() throws { try signal(SIGKILL) }
        /// SIGSTOP to all of them, as when the machine is cut off without a word: connections stay, and nobody answers.
        func freeze() throws { try signal(SIGSTOP) }

        private func signal(_ number: Int32) throws {
            let text = try String(contentsOfFile: "\(data)/postmaster.pid", encoding: .utf8)
            guard let pid = text.split(separator: "\n").first.flatMap({ pid_t($0) }) else {
                throw Failure(description: "no pid of the server")
            }
            // Stopped first, so that it begins no process meanwhile.
            Glibc.kill(pid, SIGSTOP)
            let children = Self.run(["ps", "-o", "pid=", "--ppid", "\(pid)"]).output.split(
                whereSeparator: \.isWhitespace)
            for child in children.compactMap({ pid_t($0) }) { Glibc.kill(child, number) }
            Glibc.kill(pid, number)
        }

        /// A connection for what only a test does.
        func connect() throws -> PostgresConnection {
            var opening = PostgresOpening(
                try PostgresAddress(url: url), hosts: PostgresHosts(count: 1), names: .shared, patience: .list)
            return try opening.run().0
        }

        // MARK: Programs

        /// `initdb` and `pg_ctl` refuse to run as root.
        fileprivate static func command(_ words: [String], in folder: String? = binaries) -> [String] {
            let path = [folder.map { "\($0)/\(words[0])" } ?? words[0]] + words.dropFirst()
            guard geteuid() == 0 else { return path }
            return ["/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] + path
        }

        /// Makes a certificate for a name, signed by itself, and lets clients in by TLS.
        func enableTLS(for name: String) throws {
            let key = "\(data)/server.key"
            try Self.demand(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
                    + ["-days", "2", "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:\(name)"]
                    + ["-keyout", key, "-out", certificate], in: nil)
            chmod(key, 0o600)
            try set("ssl = on")
        }

        var certificate: String { "\(data)/server.crt" }
        static let hasOpenSSL = run(["openssl", "version"]).status == 0

        private static func demand(_ words: [String], in folder: String? = binaries) throws {
            let result = run(command(words, in: folder))
            guard result.status == 0 else { throw Failure(description: "\(words[0]): \(result.output)") }
        }

        /// Runs a program to its end. Not by Foundation, which waits for all that a program leaves behind as well; and
        /// nothing is handed on that would tie a server to this process.
        private static func run(_ words: [String]) -> (status: Int32, output: String) {
            let file = FileManager.default.temporaryDirectory.appending(path: "tandem-output-\(UUID())").path
            defer { unlink(file) }
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_addopen(&actions, 1, file, O_WRONLY | O_CREAT, 0o644)
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
            // Every descriptor but the first three is closed.
            let bare = """
                cd /; for f in /proc/self/fd/*; do n=${f##*/}; [ "$n" -gt 2 ] && eval "exec $n>&-"; done; exec "$@"
                """
            var arguments = (["bash", "-c", bare, "bash"] + words).map { strdup($0) } + [nil]
            defer { for argument in arguments { free(argument) } }
            var pid: pid_t = 0
            guard posix_spawnp(&pid, "bash", &actions, nil, &arguments, environ) == 0 else {
                return (127, "\(words[0]) cannot be started")
            }
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
            return (status & 0x7F == 0 ? status >> 8 & 0xFF : 128, text.trimmingCharacters(in: .whitespacesAndNewlines))
        }

        private static func isFree(_ port: Int) -> Bool {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(port).bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            return withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
        }
    }

    extension PostgresServer {
        /// A directory of the server's user, with a watcher outside of this process.
        fileprivate final class Folder: Sendable {
            let path: String
            private let watcher = Process()
            private let watched = Pipe()

            init() throws {
                path = FileManager.default.temporaryDirectory.appending(path: "tandem-postgres-\(UUID())").path
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
                if let user = getpwnam("postgres"), geteuid() == 0 {
                    chown(path, user.pointee.pw_uid, user.pointee.pw_gid)
                }
                watcher.executableURL = URL(fileURLWithPath: "/bin/sh")
                let stop = PostgresServer.command(["pg_ctl", "-D", "\(path)/data", "-m", "immediate", "stop"])
                // A server that a test has frozen goes on, so that it can end.
                let end = """
                    pid=$(head -n 1 data/postmaster.pid); kill -CONT $pid $(ps -o pid= --ppid $pid); "$@"
                    """
                watcher.arguments =
                    ["-c", "cd '\(path)'; { read _; \(end); } >/dev/null 2>&1; rm -rf '\(path)'", "sh"] + stop
                watcher.standardInput = watched
                try watcher.run()
            }

            deinit { try? watched.fileHandleForWriting.close() }
        }

        /// A name for a schema that no other test has.
        static func freshSchema() -> String { "t_" + UUID().uuidString.lowercased().filter { $0 != "-" } }

        /// An engine over a schema of the shared server.
        static func engine(
            schema: String = freshSchema(), rules: BankRules = .standard, time: PostgresEngine.Time = .caller
        )
            throws -> PostgresEngine
        {
            let address = try PostgresAddress(url: try shared.get().url)
            return try PostgresEngine.open(address, schema: schema, rules: rules, time: time).0
        }
    }

    @Suite struct PostgresPresenceTests {
        @Test(
            .enabled(
                if: PostgresServer.isInstalled,
                "no PostgreSQL server of version 15 or newer is installed: the contract runs on memory and SQLite alone"
            ))
        func theContractRunsOnPostgreSQL() throws {
            #expect(EngineKind.allCases.contains(.postgres))
            let engine = try PostgresServer.engine()
            let now = StoreTime(wall: Given.start, sinceBoot: .zero, bootID: "b")
            #expect(try engine.perform([.bindPINKey(id: "k")]) { now } == [.done])
        }
    }
#endif
