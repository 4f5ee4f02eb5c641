import Foundation
import HTTPKit
import NodeRuntime
import Primitives
import Profiles
import Routing

#if canImport(Glibc)
    import Glibc
#endif

/// Starts nodes, waits until they serve, watches over them, and stops them in order.
final class Supervisor {
    private struct Node {
        var item: ProfileSet.Item
        var process: ChildProcess?
        var isStopping = false
        /// How long its log was when it was started last.
        var logBegins: UInt64 = 0
        /// Starts in the last minute, so that a node that dies at once is not started for ever.
        var starts: [ContinuousClock.Instant] = []

        var name: String { item.profile.name }
    }

    private static let startsPerMinute = 10
    private var nodes: [Node]
    private let state: StateDirectory
    private let respawn: Bool
    private let executable: String

    init(_ set: ProfileSet, state: StateDirectory, respawn: Bool) throws {
        // Those who tell others where to go come first, callers' entrance last.
        let order: [NodeRole] = [.master, .center, .seats, .access]
        nodes = set.items.sorted { left, right in
            let places = [left, right].map { order.firstIndex(of: $0.profile.role) ?? 0 }
            return places[0] < places[1]
        }.map { Node(item: $0) }
        self.state = state
        self.respawn = respawn
        executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    }

    /// Says who is in the way before anything is started.
    func refuseIfRunning() throws(NodeFailure) {
        let running = nodes.compactMap { node in
            livingPid(of: node.name).map { "up: \(node.name) already runs with pid \($0); stop it first" }
        }
        guard running.isEmpty else { throw NodeFailure(running, status: 1) }
        var taken: [String] = []
        for node in nodes {
            do throws(NodeFailure) { try PortCheck.run(node.item.profile.common) } catch { taken += error.lines }
        }
        guard taken.isEmpty else { throw NodeFailure(taken, status: 2) }
    }

    func run() async throws {
        let board = SignalBoard()
        try? "\(getpid())\n".write(toFile: state.supervisorFile, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: state.supervisorFile) }
        do {
            for index in nodes.indices { try start(index) }
            guard try await waitUntilServing(board) else { return await stopAll(board) }
        } catch {
            await stopAll(board)
            throw error
        }
        announce()
        for await change in board.changes {
            if board.stops > 0 { break }
            switch change {
            case .signal(SIGHUP): for node in nodes { node.process?.send(SIGHUP) }
            case .signal: collect(board)
            case .retry(let index): restart(index, board)
            }
        }
        await stopAll(board)
    }

    private func start(_ index: Int) throws {
        let node = nodes[index]
        nodes[index].logBegins = logLength(of: node.name)
        let process = try ChildProcess.start(
            executable: executable,
            arguments: [node.item.profile.role.rawValue, "--profile", node.item.file, "--state", state.path],
            logFile: state.logFile(of: node.name))
        try? "\(process.pid)\n".write(toFile: state.pidFile(of: node.name), atomically: true, encoding: .utf8)
        nodes[index].process = process
        nodes[index].starts = nodes[index].starts.filter { $0 > .now - .seconds(60) } + [.now]
    }

    /// The pid in a node's file, if it is a living process of this program that serves a profile.
    private func livingPid(of node: String) -> pid_t? {
        guard let text = try? String(contentsOfFile: state.pidFile(of: node), encoding: .utf8),
            let pid = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)),
            let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/exe"),
            // A program that was replaced meanwhile shows as "… (deleted)".
            Self.name(of: program.replacing(" (deleted)", with: "")) == Self.name(of: executable),
            let command = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline"),
            String(decoding: command, as: UTF8.self).split(separator: "\0").contains("--profile")
        else { return nil }
        return pid
    }

    private static func name(of path: String) -> Substring { path.split(separator: "/").last ?? "" }

    /// Every node answers its health page; one that ends meanwhile ends the whole start, with its last words.
    /// False when a signal said to stop.
    private func waitUntilServing(_ board: SignalBoard) async throws -> Bool {
        var waiting = Array(nodes.indices)
        let began = ContinuousClock.now
        let deadline = began + .seconds(300)
        var hasSaid = false
        while !waiting.isEmpty {
            if board.stops > 0 { return false }
            if !hasSaid, ContinuousClock.now > began + .seconds(10) {
                hasSaid = true
                printNow("waiting for \(waiting.map { nodes[$0].name }.joined(separator: ", "))")
            }
            while let (pid, ending) = ChildProcess.collect() {
                guard let index = nodes.firstIndex(where: { $0.process?.pid == pid }) else { continue }
                nodes[index].process = nil
                let node = nodes[index].name
                let reason = LastWords.reason(in: written(by: index)) ?? "it said nothing"
                throw CommandFailure(
                    lines: ["up: \(node) \(ending): \(reason); see \(state.logFile(of: node))"],
                    status: ending == .exited(2) ? 2 : 1)
            }
            for index in waiting where await serves(nodes[index].item.profile) {
                waiting.removeAll { $0 == index }
            }
            if waiting.isEmpty {
                // Who served first may have learned since of nodes that were not there yet: all must serve at once.
                for index in nodes.indices where await !serves(nodes[index].item.profile) { waiting.append(index) }
            }
            guard ContinuousClock.now < deadline else {
                let names = waiting.map { nodes[$0].name }.joined(separator: ", ")
                throw CommandFailure.failed("up: not serving after 300 s: \(names); see \(state.path)/log")
            }
            if !waiting.isEmpty { try await Task.sleep(for: .milliseconds(50)) }
        }
        return true
    }

    /// Whether a node does its whole work: its health page says so; a master has found every center of these profiles;
    /// an access node has heard a master, where these profiles have one, and lacks none of these centers. Nodes of other
    /// folders, and centers that an operator took out of use, are not waited for.
    private func serves(_ profile: NodeProfile) async -> Bool {
        let http = MasterOptions.reachable(profile.common.http)
        guard let answer = try? await HTTPClient().send(to: http, path: "/health", within: .seconds(1)),
            let health = try? WebJSON.decode(HealthReport.self, from: answer.body)
        else { return false }
        switch profile {
        case .center: return health.canServe
        case .access:
            let masters = nodes.compactMap { if case .master(let master) = $0.item.profile { master } else { nil } }
            guard !masters.isEmpty else { return health.canServe }
            guard let centers = await centersInUse(masters) else { return false }
            let lacks = Set(health.lacks ?? [])
            return (health.canServe || centers.isEmpty) && lacks.isDisjoint(with: centers)
                && !lacks.contains(NodeRole.master.rawValue)
        case .master(let master):
            guard health.canServe, let states = await centers(by: master) else { return false }
            return !states.values.contains(.down)
        }
    }

    /// The centers of these profiles that shall take calls, as a master knows; nil while none answers.
    private func centersInUse(_ masters: [MasterProfile]) async -> [String]? {
        for master in masters {
            guard let states = await centers(by: master) else { continue }
            return states.filter { $0.value != .draining && $0.value != .disabled }.map(\.key)
        }
        return nil
    }

    /// The centers of these profiles as a master sees them; nil while it does not answer.
    private func centers(by master: MasterProfile) async -> [String: NodeState]? {
        struct Shown: Decodable {
            var name: String
            var state: NodeState
        }
        guard let token = try? BearerToken.load(orMakeAt: state.resolve(master.tokenPath)),
            let answer = try? await HTTPClient().send(
                to: MasterOptions.reachable(master.common.http), path: "/api/v1/nodes", token: token,
                within: .seconds(1)),
            let shown = try? answer.decode([Shown].self)
        else { return nil }
        let own = Set(nodes.filter { $0.item.profile.role == .center }.map(\.name))
        return Dictionary(
            shown.filter { own.contains($0.name) }.map { ($0.name, $0.state) }, uniquingKeysWith: { first, _ in first })
    }

    private func logLength(of node: String) -> UInt64 {
        let attributes = try? FileManager.default.attributesOfItem(atPath: state.logFile(of: node))
        return (attributes?[.size] as? NSNumber)?.uint64Value ?? 0
    }

    /// What a node appended to its log since it was started, at most the last 64 KiB.
    private func written(by index: Int) -> String {
        let name = nodes[index].name
        guard let file = FileHandle(forReadingAtPath: state.logFile(of: name)) else { return "" }
        defer { try? file.close() }
        let length = logLength(of: name)
        let start = max(nodes[index].logBegins, length - min(length, 65_536))
        guard (try? file.seek(toOffset: start)) != nil, let data = try? file.readToEnd() else { return "" }
        return String(decoding: data, as: UTF8.self)
    }

    private func announce() {
        let table = nodes.map { node in
            let common = node.item.profile.common
            let sip = common.sip.listeners.first.map { "\($0.endpoint)" } ?? ""
            return "  \(node.item.profile.role.rawValue.padding(toLength: 8, withPad: " ", startingAt: 0))"
                + "\(node.name.padding(toLength: 12, withPad: " ", startingAt: 0))sip:\(sip)  http://\(common.http)"
        }
        printNow((["", "Tandem is up; state in \(state.path)"] + table).joined(separator: "\n"))
        if let access = nodes.first(where: { $0.item.profile.role == .access })?.item.profile.common.sip.listeners.first
        {
            printNow("Dial sip:95533@\(access.endpoint) for telephone banking, 9196 for an echo, 9664 for music.")
            printNow("Look: tandem status, tandem calls. Ctrl-C stops everything.")
        }
        printNow("ready")
    }

    /// Nodes that ended by themselves: said, and started again where that is wanted.
    private func collect(_ board: SignalBoard) {
        while let (pid, ending) = ChildProcess.collect() {
            guard let index = nodes.firstIndex(where: { $0.process?.pid == pid }) else { continue }
            nodes[index].process = nil
            try? FileManager.default.removeItem(atPath: state.pidFile(of: nodes[index].name))
            // Both are taken: a note left over must not bring the node back another time.
            let notes = RestartNote.Reason.allCases.filter {
                RestartNote($0, of: nodes[index].name, in: state).take(for: pid)
            }
            if notes.contains(.restart) {
                printNow("\(nodes[index].name) \(ending), as ordered; starting it again")
                restart(index, board)
                continue
            }
            guard respawn || notes.contains(.killed) else {
                printNow("\(nodes[index].name) \(ending)")
                continue
            }
            if ending == .exited(2) {
                // Nothing to be mended by trying again at once: a profile, a menu, a port.
                let reason = LastWords.reason(in: written(by: index)) ?? "it said nothing"
                printNow("\(nodes[index].name) \(ending): \(reason); the next try in 5 s")
                board.retry(index, after: .seconds(5))
            } else if nodes[index].starts.count < Self.startsPerMinute {
                printNow("\(nodes[index].name) \(ending); starting it again")
                restart(index, board)
            } else {
                printNow("\(nodes[index].name) \(ending); \(Self.startsPerMinute) starts in a minute, the next in 60 s")
                board.retry(index, after: .seconds(60))
            }
        }
    }

    /// A node that cannot be started now may be in a moment: its program is being replaced, its disk is full.
    private func restart(_ index: Int, _ board: SignalBoard) {
        guard nodes[index].process == nil, livingPid(of: nodes[index].name) == nil else { return }
        do { try start(index) } catch {
            let reason = (error as? CommandFailure)?.lines.joined(separator: "; ") ?? "\(error)"
            printNow("\(nodes[index].name) cannot be started: \(reason); the next try in 5 s")
            board.retry(index, after: .seconds(5))
        }
    }

    /// Centers first: they take no new calls and wait for the others to end, which still come through access. Then
    /// access, then the masters. A second signal ends everybody at once.
    private func stopAll(_ board: SignalBoard) async {
        let stopsBefore = board.stops
        for roles in [[NodeRole.center, .seats], [.access], [.master]] {
            let group = nodes.indices.filter { roles.contains(nodes[$0].item.profile.role) }
            var pids = Set<pid_t>()
            for index in group {
                if let process = nodes[index].process {
                    pids.insert(process.pid)
                } else if let pid = livingPid(of: nodes[index].name) {
                    // Killed and started again by hand: it belongs to this system all the same.
                    pids.insert(pid)
                }
            }
            for pid in pids { kill(pid, SIGTERM) }
            if roles.contains(.center), !pids.isEmpty {
                printNow("stopping: centers give live calls their time to end; Ctrl-C again ends all at once")
            }
            await waitForEnd(of: pids, within: patience(of: group), board, hurriedAfter: stopsBefore)
            for index in group where nodes[index].process == nil || !pids.contains(nodes[index].process?.pid ?? 0) {
                try? FileManager.default.removeItem(atPath: state.pidFile(of: nodes[index].name))
            }
        }
    }

    private func patience(of group: [Int]) -> Duration {
        group.map { index -> Duration in
            if case .center(let center) = nodes[index].item.profile {
                center.drain + .seconds(10)
            } else {
                .seconds(10)
            }
        }.max() ?? .zero
    }

    private func waitForEnd(
        of pids: Set<pid_t>, within patience: Duration, _ board: SignalBoard, hurriedAfter stops: Int
    ) async {
        let deadline = ContinuousClock.now + patience
        var isHurried = false
        var living = pids
        while !living.isEmpty, ContinuousClock.now < deadline {
            while let (pid, _) = ChildProcess.collect() {
                for index in nodes.indices where nodes[index].process?.pid == pid { nodes[index].process = nil }
            }
            living = living.filter { kill($0, 0) == 0 }
            if board.stops > stops, !isHurried {
                isHurried = true
                for pid in living { kill(pid, SIGINT) }
            }
            if !living.isEmpty { try? await Task.sleep(for: .milliseconds(20)) }
        }
        for pid in living { kill(pid, SIGKILL) }
    }
}
