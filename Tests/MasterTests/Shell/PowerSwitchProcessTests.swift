import Foundation
import Logging
import NetworkIO
import NodeRuntime
import Primitives
import Session
import Store
import Testing

@testable import Master

/// Fencing by power switch, with a real process that is stopped while it holds the lock of a real store file.
@Suite(.serialized) struct PowerSwitchProcessTests {
    private static let python = "/usr/bin/python3"
    private static let isPythonThere = FileManager.default.isExecutableFile(atPath: python)

    /// Takes the writers' lock of the file when it gets a signal, and stops itself.
    private static func stopsInsideAWrite(_ file: String) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = [
            "-c",
            """
            import os, signal, sqlite3, sys
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
            signal.sigwait([signal.SIGUSR1])
            db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
            db.execute("BEGIN IMMEDIATE")
            os.kill(os.getpid(), signal.SIGSTOP)
            """, file,
        ]
        try process.run()
        return process
    }

    private static func isStopped(_ pid: Int32) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
        return stat.contains(") T ")
    }

    private static func registration(_ identity: NodeIdentity, of process: Process) throws -> NodeRegistration {
        let ticks = try #require(ProcessIdentity.of(pid: process.processIdentifier)?.startTicks)
        return NodeRegistration(
            identity: identity, role: .center, pid: process.processIdentifier, processStart: ticks,
            httpAddress: "127.0.0.1:8081")
    }

    @Test(.enabled(if: isPythonThere, "python3 is not there: nobody can be stopped inside a write"))
    func aCenterStoppedInsideAWriteIsEndedFencedAndItsCallsTakenOver() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tandem-lock-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "tandem.sqlite").path
        let store = SQLiteStore(path: file)
        let centers = try ["center-a", "center-b", "center-c"].map { try FakeNode($0) }
        let fixture = try await MasterFixture(watching: centers, real: store)
        try await fixture.waitUntilServing()

        let dead = try Given.node("center-a")
        // Registered first: once the lock is held nobody registers any more.
        let holder = try Self.stopsInsideAWrite(file)
        #expect(await store.submit(.register(try Self.registration(dead, of: holder))) == .done)
        _ = await store.submit(.open(SessionWrite(Given.checkpoint(1), under: Ownership(node: dead))))
        kill(holder.processIdentifier, SIGUSR1)
        try await eventually("it stands inside a write") { Self.isStopped(holder.processIdentifier) }
        centers[0].set { $0.isSilent = true }

        try await eventually("it is ended") { !holder.isRunning }
        #expect(holder.terminationReason == .uncaughtSignal)
        #expect(holder.terminationStatus == SIGKILL)
        try await eventually("it is fenced") { await store.submit(.heartbeat(dead)) == .fenced }
        try await eventually("the survivors are told") { centers[1].state.takeovers.map(\.node) == ["center-a"] }
        #expect(RestartNote(.killed, of: "center-a", in: fixture.state).take(for: holder.processIdentifier))
        await fixture.stop()
        await store.close()
    }

    private func powerSwitch(_ store: any Store, machine: MachineIdentity = .current) throws -> PowerSwitch {
        let state = StateDirectory(FileManager.default.temporaryDirectory.appending(path: "tandem-cut-\(UUID())").path)
        try state.prepare()
        return PowerSwitch(
            store: store, state: state, machine: machine, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private static func sleeper() throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sleep")
        process.arguments = ["60"]
        try process.run()
        return process
    }

    /// A process number means something only on its own machine, within one boot, and for one start.
    @Test func nobodyElsesProcessIsEnded() async throws {
        let store = MemoryStore(id: "store-1")
        let victim = try Self.sleeper()
        defer { victim.terminate() }
        let dead = try Given.node("center-a")
        let row = try Self.registration(dead, of: victim)

        #expect(await (try powerSwitch(store)).cut(dead) == .unknown)
        var other = row
        other.machine = MachineIdentity(host: "elsewhere", bootID: row.machine.bootID)
        _ = await store.submit(.register(other))
        #expect(await (try powerSwitch(store)).cut(dead) == .elsewhere)
        other.machine = .unknown
        _ = await store.submit(.register(other))
        #expect(await (try powerSwitch(store)).cut(dead) == .elsewhere)
        #expect(await (try powerSwitch(store, machine: .unknown)).cut(dead) == .elsewhere)
        other = row
        other.processStart += 1
        _ = await store.submit(.register(other))
        #expect(await (try powerSwitch(store)).cut(dead) == .gone)
        other = row
        other.pid = ProcessInfo.processInfo.processIdentifier
        _ = await store.submit(.register(other))
        #expect(await (try powerSwitch(store)).cut(dead) == .unknown)
        // The node lives on as another incarnation, under the same number.
        other = row
        other.identity = try Given.node("center-a", "k2")
        _ = await store.submit(.register(other))
        #expect(await (try powerSwitch(store)).cut(dead) == .unknown)
        #expect(victim.isRunning)
    }

    @Test func theProcessOfTheRowIsEndedAndANoteIsLeft() async throws {
        let store = MemoryStore(id: "store-1")
        let victim = try Self.sleeper()
        let dead = try Given.node("center-a")
        _ = await store.submit(.register(try Self.registration(dead, of: victim)))
        let powerSwitch = try powerSwitch(store)
        #expect(await powerSwitch.cut(dead) == .ended(pid: victim.processIdentifier))
        victim.waitUntilExit()
        #expect(victim.terminationStatus == SIGKILL)
        #expect(RestartNote(.killed, of: "center-a", in: powerSwitch.state).take(for: victim.processIdentifier))
    }
}
