import ArgumentParser
import Foundation
import HTTPKit
import Master
import NodeRuntime
import Routing
import Store

#if canImport(Glibc)
    import Glibc
#endif

struct RollCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "roll", abstract: "Restart all nodes of a running `tandem up`, one after another.",
        discussion: """
            For a new program or changed profiles: masters that stand by, then centers, access nodes, the leading master. \
            A center is drained first and its calls are waited for; each node must serve and be `up` before the next one \
            is touched. The first failure ends it with exit 1, and nodes not reached stay as they are.
            """)
    @OptionGroup var options: MasterOptions
    @Option(help: "Seconds to wait for a center's calls, and for each node to come back.") var wait = 300

    func run() async throws {
        guard (1...86_400).contains(wait) else {
            throw CommandFailure.usage("--wait: found \(wait), expected 1 to 86400 seconds")
        }
        try await Roll(
            client: try options.client(), state: StateDirectory(options.state.directory), patience: .seconds(wait)
        ).run()
    }
}

/// One restart of every node under a supervisor.
struct Roll {
    let client: MasterClient
    let state: StateDirectory
    let patience: Duration

    func run() async throws {
        let running = try supervised()
        let reports = try await client.get([NodeReport].self, "/nodes")
        let leader = Self.leader(reports)
        let order = Self.order(running.map { ($0.name, $0.role, $0.name == leader) })
        try await refuseIfACenterIsMissing(running, reports)
        for name in order {
            guard let process = running.first(where: { $0.name == name }) else { continue }
            try await restart(process)
        }
        printNow("rolled: \(order.joined(separator: ", "))")
    }

    /// A master says only of itself that it leads or stands by: where the one that was asked stands by, another leads.
    private static func leader(_ reports: [NodeReport]) -> String? {
        let masters = reports.filter { $0.role == .master && $0.state.lives }
        return (masters.first { $0.leads($0.name) } ?? masters.first { !$0.reason.hasPrefix("stands by") })?.name
    }

    /// Masters that stand by, centers, access nodes, the leading master.
    static func order(_ nodes: [(name: String, role: String, leads: Bool)]) -> [String] {
        func place(_ node: (name: String, role: String, leads: Bool)) -> Int {
            switch node.role {
            case "master": node.leads ? 4 : 0
            case "center": 1
            case "access": 3
            default: 2
            }
        }
        return nodes.sorted { (place($0), $0.name) < (place($1), $1.name) }.map(\.name)
    }

    /// The nodes, if all of them would be started again.
    private func supervised() throws -> [RunningProcess] {
        guard let supervisor = RunningProcess.number(in: state.supervisorFile), RunningProcess.isAlive(supervisor)
        else {
            throw CommandFailure.failed(
                "roll: no tandem up runs with the state directory \(state.path); name its folder by --state")
        }
        let running = RunningProcess.all(in: state)
        for process in running where process.parent != supervisor {
            throw CommandFailure.failed(
                "roll: \(process.name) (pid \(process.pid)) was not started by tandem up, which would not start it again: "
                    + "restart it by hand")
        }
        guard !running.isEmpty else { throw CommandFailure.failed("roll: no node runs under \(state.path)") }
        return running
    }

    /// Before anything is touched: while a center is restarted, another one must take its calls.
    private func refuseIfACenterIsMissing(_ running: [RunningProcess], _ reports: [NodeReport]) async throws {
        let centers = reports.filter { $0.role == .center }
        // An order that was given a moment ago shows there before it shows in every master's states.
        let orders = try await standingOrders()
        func isInUse(_ center: NodeReport) -> Bool {
            center.state.takesNewCalls && orders[center.name, default: .enabled] == .enabled
        }
        for process in running where process.role == "center" {
            guard !centers.contains(where: { $0.name != process.name && isInUse($0) }) else { continue }
            let others = centers.filter { $0.name != process.name }.map { center in
                let order = orders[center.name, default: .enabled]
                return order == .enabled
                    ? "\(center.name) is \(center.state.rawValue)"
                    : "\(center.name) is \(order.rawValue): tandem enable \(center.name)"
            }
            let reason = others.isEmpty ? "" : " (\(others.joined(separator: "; ")))"
            throw CommandFailure.failed(
                "roll: no other center than \(process.name) takes calls\(reason): nothing was restarted")
        }
    }

    /// What operators want of each node; nodes without an order are enabled.
    private func standingOrders() async throws -> [String: AdministrativeState] {
        Dictionary(
            try await client.get([AdministrativeChange].self, "/orders?limit=1000").map { ($0.node, $0.state) },
            uniquingKeysWith: { newest, _ in newest })
    }

    // MARK: One node

    private func restart(_ process: RunningProcess) async throws {
        let before = try await client.get([NodeReport].self, "/nodes")
        let known = before.first { $0.name == process.name }
        // What an operator took out of use stays so.
        let wasInUse = known.map { $0.state.takesNewCalls } ?? true
        if process.role == "center" {
            guard before.contains(where: { $0.role == .center && $0.name != process.name && $0.state.takesNewCalls })
            else {
                throw CommandFailure.failed("roll: no other center than \(process.name) takes calls: it stays as it is")
            }
        }
        // The order to drain is the roll's, not the operator's: whatever becomes of it, the former one holds again.
        var former: String?
        if process.role == "center" {
            former = Self.word(for: try await standingOrders()[process.name, default: .enabled])
        }
        do {
            if process.role == "center" { try await drain(process) }
            try await replace(process)
        } catch {
            if let former { _ = try? await client.send("POST", "/nodes/\(process.name)/\(former)") }
            throw error
        }
        if let former { try await give(former, to: process.name) }
        guard await holds({ await isBack(process, former: known, wasInUse: wasInUse) }) else {
            throw CommandFailure.failed(
                "roll: \(process.name) serves but is not up in tandem status; see its reason there")
        }
        if process.role == "master" {
            try await waitUntilSeeing(before.filter(\.state.lives).map(\.name), from: process.name)
        }
        printNow("\(process.name): back")
    }

    /// Ends the process and waits until the one that takes its place serves.
    private func replace(_ process: RunningProcess) async throws {
        let note = RestartNote(.restart, of: process.name, in: state)
        do throws(NodeFailure) { try note.leave(for: process.pid) } catch {
            throw CommandFailure(lines: error.lines, status: error.status)
        }
        printNow("\(process.name): restarting")
        kill(process.pid, SIGTERM)
        guard await holds({ !RunningProcess.isAlive(process.pid) }) else {
            _ = note.take(for: process.pid)
            throw CommandFailure.failed("roll: \(process.name) (pid \(process.pid)) does not end; see its log")
        }
        try await waitUntilServing(process)
    }

    /// A master that has just begun knows nobody; who asks it would read that all are down.
    private func waitUntilSeeing(_ living: [String], from master: String) async throws {
        var missing = living
        let sees = await holds {
            guard let reports = try? await client.get([NodeReport].self, "/nodes") else { return false }
            missing = living.filter { name in !reports.contains { $0.name == name && $0.state.lives } }
            return missing.isEmpty
        }
        guard sees else {
            throw CommandFailure.failed("roll: \(master) serves but does not hear \(missing.joined(separator: ", "))")
        }
    }

    /// The order that brings a state about; nil where the drain of the roll is that already.
    static func word(for state: AdministrativeState) -> String? {
        switch state {
        case .enabled: "enable"
        case .disabled: "disable"
        case .draining: nil
        }
    }

    private func drain(_ process: RunningProcess) async throws {
        try await client.send("POST", "/nodes/\(process.name)/drain")
        printNow("\(process.name): draining")
        var calls: Int?
        let isEmpty = await holds {
            guard RunningProcess.isAlive(process.pid) else { return true }
            guard let report = await report(of: process.name) else { return false }
            calls = report.calls
            return report.calls == 0 && report.state == .draining
        }
        guard isEmpty else {
            throw CommandFailure.failed(
                "roll: \(process.name) still has \(calls.map(String.init) ?? "an unknown number of") calls after "
                    + "\(patience.components.seconds) s: it is given new ones again")
        }
    }

    /// A new process of that name, whose health page says that it can serve.
    private func waitUntilServing(_ process: RunningProcess) async throws {
        var seen: pid_t?
        var hasFailed = false
        let serves = await holds {
            let now = RunningProcess.number(in: state.pidFile(of: process.name))
            if let seen, !RunningProcess.isAlive(seen) {
                hasFailed = true
                return true
            }
            guard let now, now != process.pid, RunningProcess.isAlive(now) else { return false }
            seen = now
            guard let answer = try? await HTTPClient().send(to: process.http, path: "/health", within: .seconds(1)),
                let health = try? answer.decode(HealthReport.self)
            else { return false }
            return health.node == process.name && health.canServe
        }
        guard serves, !hasFailed else {
            throw CommandFailure.failed(
                "roll: \(process.name) \(hasFailed ? "ended while it was starting" : "does not serve again"); see "
                    + state.logFile(of: process.name))
        }
    }

    private func give(_ order: String, to name: String) async throws {
        // A master may have been away for a moment.
        var refusal: any Error = CommandFailure.failed("roll: \(name) could not be given its \(order) again")
        let isDone = await holds {
            do {
                try await client.send("POST", "/nodes/\(name)/\(order)")
                return true
            } catch {
                refusal = error
                return false
            }
        }
        if !isDone { throw refusal }
    }

    private func isBack(_ process: RunningProcess, former: NodeReport?, wasInUse: Bool) async -> Bool {
        // A node that no master watches is back when it serves.
        guard let former else { return true }
        guard let report = await report(of: process.name), report.incarnation != former.incarnation else {
            return false
        }
        return wasInUse ? report.state == .up : report.state.lives
    }

    private func report(of name: String) async -> NodeReport? {
        let reports = try? await client.get([NodeReport].self, "/nodes")
        return reports?.first { $0.name == name }
    }

    /// Asks again and again until it holds, or patience is over.
    private func holds(_ condition: () async -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            if await condition() { return true }
            try? await Task.sleep(for: .milliseconds(200))
        }
        return false
    }
}

extension NodeReport {
    /// A master says so of itself.
    func leads(_ name: String) -> Bool { role == .master && self.name == name && reason.hasPrefix("leads") }
}
