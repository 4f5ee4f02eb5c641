import ArgumentParser
import Dispatch
import Foundation
import Simulation
import Synchronization

struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tandem-simulate",
        abstract: "The whole system on a virtual clock: a seed replays a run exactly.")

    @Option(help: "Seed of the first run; the next runs take the numbers after it.") var seed: UInt64?
    @Option(help: "How many runs.") var runs = 20
    @Option(help: "Phones in a run.") var phones = 50
    @Option(help: "Seconds of virtual time in which calls are begun.") var seconds = 240
    @Option(
        help:
            "A bug put in on purpose; the run must then fail: \(Fault.allCases.map(\.rawValue).joined(separator: ", "))."
    )
    var fault: String?
    @Option(help: "Folder with the menu and its prompts.") var profiles = "sip-profiles"
    @Option(help: "The only disasters to choose from, with commas.") var disasters: String?
    @Option(help: "Calls that a center takes; without it every fourth seed chooses a small number.") var limit: Int?
    @Option(help: "Runs at once, each in one thread.") var jobs = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Goes on after a failure and prints one line for each.") var keepGoing = false
    @Flag(help: "Every event on standard error.") var trace = false

    func run() throws {
        let first = seed ?? UInt64.random(in: 1...999_999_999)
        let template = try settings(first)
        let library = try SpokenLibrary.load(profiles: profiles)
        let runs = UInt64(max(0, runs))
        let began = Date()
        let outcome = Outcome(keepsGoing: keepGoing)
        DispatchQueue.concurrentPerform(iterations: trace ? 1 : max(1, min(jobs, Int(runs)))) { _ in
            while let run = outcome.next(of: runs) {
                var settings = template
                settings.seed = first &+ run
                outcome.take(Simulation.run(settings, library: library), of: run, seed: settings.seed)
            }
        }
        let total = Totals(reports: outcome.inOrder.map(\.report))
        let wall = Date().timeIntervalSince(began)
        if !keepGoing, let (run, failed) = outcome.inOrder.first(where: { $0.report.violation != nil }) {
            for line in failed.trace { print(line) }
            total.printOut(wall: wall)
            tell(failed, seed: first &+ run)
            print("\(outcome.inOrder.count { $0.report.violation == nil }) passed, 1 failed")
            throw ExitCode(1)
        }
        total.printOut(wall: wall)
        let failures = total.reports.count { $0.violation != nil }
        let pace = String(format: "%.0f", total.callHours(aMinuteOf: wall))
        print(
            "seeds \(first) to \(first &+ max(1, runs) - 1), \(pace) simulated call-hours a minute: \(total.reports.count - failures) passed, \(failures) failed"
        )
        guard failures == 0 else { throw ExitCode(1) }
    }

    private func settings(_ seed: UInt64) throws -> SimulationSettings {
        var settings = SimulationSettings(seed: seed)
        if let fault {
            guard let known = Fault(rawValue: fault) else {
                throw ValidationError("--fault: found \"\(fault)\", expected one of \(Fault.allCases.map(\.rawValue))")
            }
            settings.fault = known
        }
        settings.phones = max(2, phones)
        settings.callingTime = .seconds(max(10, seconds))
        settings.callLimit = limit.map { max(1, $0) }
        settings.kinds = disasters.map { $0.split(separator: ",").map(String.init) }
        settings.tracesAll = trace
        return settings
    }

    private func tell(_ failed: SimulationReport, seed: UInt64) {
        guard let violation = failed.violation else { return }
        let call = violation.call.map { ", call \($0)" } ?? ""
        print("FAILED: \(violation.invariant.rawValue) at \(violation.at)\(call): \(violation.detail)")
        print(
            "again with: tandem-simulate --seed \(seed) --runs 1 --phones \(phones) --seconds \(seconds)"
                + (fault.map { " --fault \($0)" } ?? "") + (limit.map { " --limit \($0)" } ?? "")
                + (disasters.map { " --disasters \($0)" } ?? ""))
    }
}

/// Runs that several threads take, each from its beginning to its end: a run is one thread's and depends on its seed
/// alone.
final class Outcome: Sendable {
    private struct State {
        var begun: UInt64 = 0
        var hasFailed = false
        var reports: [UInt64: SimulationReport] = [:]
    }

    private let keepsGoing: Bool
    private let state = Mutex(State())

    init(keepsGoing: Bool) { self.keepsGoing = keepsGoing }

    /// The next run to make; nil when there are none, or one before has failed.
    func next(of runs: UInt64) -> UInt64? {
        state.withLock { state in
            guard state.begun < runs, keepsGoing || !state.hasFailed else { return nil }
            defer { state.begun += 1 }
            return state.begun
        }
    }

    func take(_ report: SimulationReport, of run: UInt64, seed: UInt64) {
        state.withLock { state in
            state.reports[run] = report
            guard let violation = report.violation else { return }
            state.hasFailed = true
            guard keepsGoing else { return }
            print("seed \(seed): \(violation.invariant.rawValue) at \(violation.at): \(violation.detail)")
            // Long runs are read while they go on.
            fflush(nil)
        }
    }

    var inOrder: [(run: UInt64, report: SimulationReport)] {
        state.withLock { $0.reports.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
    }
}

/// Sums over runs.
struct Totals {
    var reports: [SimulationReport]

    private func hours(_ value: (SimulationReport) -> Duration) -> Double {
        Double(reports.reduce(Duration.zero) { $0 + value($1) }.components.seconds) / 3600
    }

    /// How much of callers' time passes here in a minute.
    func callHours(aMinuteOf wall: Double) -> Double { wall > 0 ? hours(\.callTime) * 60 / wall : 0 }

    func printOut(wall: Double) {
        func sum(_ value: (SimulationReport) -> Int) -> Int { reports.reduce(0) { $0 + value($1) } }
        func longest(_ value: (SimulationReport) -> Duration) -> Duration { reports.map(value).max() ?? .zero }
        let slowest = longest(\.slowestAnswer)
        print("runs        \(reports.count)")
        print(
            "calls       \(sum(\.calls)), answered \(sum(\.answered)), refused \(sum(\.refused)), records \(sum(\.records)), lost with their center \(sum(\.lost)), of these for want of room \(sum(\.lostForRoom)), turned away for it \(sum(\.turnedAway))"
        )
        print(
            "disasters   \(sum(\.kills)) kills, \(sum(\.freezes)) freezes, \(sum(\.cuts)) cuts, \(sum(\.outages)) store outages, \(sum(\.promotions)) promotions, \(sum(\.orders)) orders, \(sum(\.garbage)) strange datagrams, \(sum(\.garbageAnswered)) of them answered though no messages"
        )
        print(
            "takeovers   \(sum(\.orphaned)) calls lost their center, \(sum(\.resumed)) heard another (\(sum(\.resumedWithoutLeader)) though a master died too, \(sum(\.resumedAfterTwo)) though two centers were lost), \(sum(\.positionsKept)) were asked the same again, \(sum(\.handovers)) given away by drains"
        )
        print(
            "silence     longest after a loss \(longest(\.longestGap)), at a drain \(longest(\.longestHandoverGap)); two centers at once for \(longest(\.longestOverlap))"
        )
        print("transfers   \(sum(\.transfers)) made, \(sum(\.toldDone)) heard to be done")
        print("network     \(sum(\.datagrams)) datagrams, \(sum(\.dropped)) lost")
        print("answers     the slowest that only dead centers held up: \(slowest)")
        print(
            String(
                format: "time        %.2f hours simulated, %.2f call-hours, %.1f s of wall time",
                hours(\.virtualTime), hours(\.callTime), wall))
    }
}

Simulate.main()
