import Foundation
import HTTPKit
import Logging
import NetworkIO
import Primitives
import Routing
import Synchronization

/// An access node's line to the masters: takes every route table that one of them publishes, and tells them of centers
/// that do not answer. It asks all masters at once, because any of them may be the next to lead; which table is newer
/// is for the core to say. Nothing here is waited for by a call.
final class MasterClient: Sendable {
    /// A master answers a long poll after 20 s at the latest.
    private static let pollLimit: Duration = .seconds(25)
    /// Between two answers of one master, so that a mistake of its costs little.
    private static let spacing: Duration = .milliseconds(50)
    private static let firstBackOff: Duration = .milliseconds(200)
    private static let longestBackOff: Duration = .seconds(5)
    private static let reportLimit: Duration = .seconds(1)

    private struct State {
        /// `STORE:EPOCH:GENERATION` of the table in use, when a master gave it to this process.
        var held: String?
        /// When a master answered last.
        var heard: ContinuousClock.Instant?
    }

    private let node: String
    private let masters: [MasterAddress]
    private let http = HTTPClient()
    private let log: Logger
    private let state = Mutex(State())
    private let tasks = Mutex<[Task<Void, Never>]>([])
    private let complaints: AsyncStream<String>
    private let complain: AsyncStream<String>.Continuation

    init(node: String, masters: [String], log: Logger) {
        self.node = node
        self.masters = masters.compactMap { MasterAddress($0) }
        self.log = log
        (complaints, complain) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(64))
    }

    /// Begins to ask. `deliver` takes each table that comes.
    func start(deliver: @escaping @Sendable (RouteTable) -> Void) {
        let polls = masters.map { master in Task { await self.poll(master, deliver) } }
        let reports = Task { await self.sendReports() }
        tasks.withLock { $0 = polls + [reports] }
    }

    func stop() {
        complain.finish()
        for task in tasks.withLock({ $0 }) { task.cancel() }
    }

    /// A table is in use: masters are asked for a newer one. In place of one from the profile or from disk any will do,
    /// also an older one.
    func holds(_ table: RouteTable) {
        let isFromMaster = table.storeID != RouteTable.profileStoreID && !table.isProvisional
        let name = isFromMaster ? "\(table.storeID):\(table.leaderEpoch):\(table.generation)" : nil
        state.withLock { $0.held = name }
    }

    /// Tells the masters of a center, soon. Never waits.
    func report(_ center: String) { complain.yield(center) }

    /// Whether a master answered lately; true where there are none to answer.
    var isHeard: Bool {
        guard !masters.isEmpty else { return true }
        return state.withLock { $0.heard }.map { ContinuousClock.now - $0 < Self.pollLimit + .seconds(5) } ?? false
    }

    // MARK: Tables

    private func poll(_ master: MasterAddress, _ deliver: @Sendable (RouteTable) -> Void) async {
        var backOff = Self.firstBackOff
        var wasAnswering = true
        while !Task.isCancelled {
            do {
                if let table = try await ask(master, isBack: !wasAnswering) { deliver(table) }
                state.withLock { $0.heard = .now }
                if !wasAnswering { log.notice("a master answers again", metadata: ["master": "\(master)"]) }
                wasAnswering = true
                backOff = Self.firstBackOff
                try? await Task.sleep(for: Self.spacing)
            } catch {
                guard !Task.isCancelled else { return }
                if wasAnswering {
                    log.notice(
                        "a master does not answer; the last table stays in use",
                        metadata: ["master": "\(master)", "reason": "\(error)"])
                }
                wasAnswering = false
                // Some disorder, so that the access nodes of a site do not all come back at once.
                try? await Task.sleep(for: backOff * Double.random(in: 0.5...1))
                backOff = min(backOff * 2, Self.longestBackOff)
            }
        }
    }

    /// The next table; nil when there is none yet. One that may be back answers at once, with the table it has.
    private func ask(_ master: MasterAddress, isBack: Bool) async throws -> RouteTable? {
        let held = isBack ? nil : state.withLock { $0.held }
        let query = held?.addingPercentEncoding(withAllowedCharacters: .alphanumerics)
        let path = "/internal/v1/route-table" + (query.map { "?after=\($0)" } ?? "")
        let answer = try await http.send(to: try master.endpoint(), path: path, within: Self.pollLimit)
        switch answer.status {
        case 200: return try RouteTable(json: answer.body)
        case 204, 304: return nil
        default: throw answer.refusal
        }
    }

    // MARK: Reports

    private struct Report: Encodable {
        var by: String
        var nodes: [String]
    }

    private func sendReports() async {
        for await center in complaints {
            guard let body = try? WebJSON.encode(Report(by: node, nodes: [center])) else { continue }
            await withTaskGroup(of: Void.self) { group in
                for master in masters {
                    group.addTask {
                        guard let endpoint = try? master.endpoint() else { return }
                        // A master that does not hear it finds out by its own pings.
                        _ = try? await self.http.send(
                            "POST", to: endpoint, path: "/internal/v1/reports", body: body,
                            within: Self.reportLimit)
                    }
                }
            }
        }
    }
}
