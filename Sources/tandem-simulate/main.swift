import ArgumentParser
import Foundation
import Simulation

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
    @Flag(help: "Goes on after a failure and prints one line for each.") var keepGoing = false
    @Flag(help: "Every event on standard error.") var trace = false

    func run() throws {
        var fault: Fault?
        if let name = self.fault {
            guard let known = Fault(rawValue: name) else {
                throw ValidationError("--fault: found \"\(name)\", expected one of \(Fault.allCases.map(\.rawValue))")
            }
            fault = known
        }
        let library = try SpokenLibrary.load(profiles: profiles)
        let first = seed ?? UInt64.random(in: 1...999_999_999)
        let began = Date()
        var total = Totals()
        var failures = 0
        for run in 0..<UInt64(max(0, runs)) {
            var settings = SimulationSettings(seed: first &+ run)
            settings.phones = max(2, phones)
            settings.callingTime = .seconds(max(10, seconds))
            settings.fault = fault
            settings.kinds = disasters.map { $0.split(separator: ",").map(String.init) }
            settings.tracesAll = trace
            let report = Simulation.run(settings, library: library)
            total.add(report)
            guard let violation = report.violation else { continue }
            if keepGoing {
                failures += 1
                print("seed \(settings.seed): \(violation.invariant.rawValue) at \(violation.at): \(violation.detail)")
                continue
            }
            for line in report.trace { print(line) }
            total.printOut(wall: Date().timeIntervalSince(began))
            let call = violation.call.map { ", call \($0)" } ?? ""
            print("FAILED: \(violation.invariant.rawValue) at \(violation.at)\(call): \(violation.detail)")
            print(
                "again with: tandem-simulate --seed \(settings.seed) --runs 1 --phones \(phones) --seconds \(seconds)"
                    + (fault.map { " --fault \($0.rawValue)" } ?? ""))
            print("\(run) passed, 1 failed")
            throw ExitCode(1)
        }
        total.printOut(wall: Date().timeIntervalSince(began))
        print("seeds \(first) to \(first &+ UInt64(max(1, runs)) - 1): \(runs - failures) passed, \(failures) failed")
        guard failures == 0 else { throw ExitCode(1) }
    }
}

/// Sums over runs.
struct Totals {
    var runs = 0
    var reports: [SimulationReport] = []

    mutating func add(_ report: SimulationReport) {
        runs += 1
        reports.append(report)
    }

    func printOut(wall: Double) {
        func sum(_ value: (SimulationReport) -> Int) -> Int { reports.reduce(0) { $0 + value($1) } }
        func hours(_ value: (SimulationReport) -> Duration) -> Double {
            Double(reports.reduce(Duration.zero) { $0 + value($1) }.components.seconds) / 3600
        }
        func longest(_ value: (SimulationReport) -> Duration) -> Duration { reports.map(value).max() ?? .zero }
        let slowest = longest(\.slowestAnswer)
        let callHours = hours(\.callTime)
        print("runs        \(runs)")
        print(
            "calls       \(sum(\.calls)), answered \(sum(\.answered)), refused \(sum(\.refused)), records \(sum(\.records)), lost with their center \(sum(\.lost))"
        )
        print(
            "disasters   \(sum(\.kills)) kills, \(sum(\.freezes)) freezes, \(sum(\.cuts)) cuts, \(sum(\.outages)) store outages, \(sum(\.promotions)) promotions, \(sum(\.orders)) orders, \(sum(\.garbage)) strange datagrams"
        )
        print(
            "takeovers   \(sum(\.orphaned)) calls lost their center, \(sum(\.resumed)) heard another, \(sum(\.positionsKept)) were asked the same again, \(sum(\.handovers)) given away by drains"
        )
        print(
            "silence     longest after a loss \(longest(\.longestGap)), at a drain \(longest(\.longestHandoverGap)); two centers at once for \(longest(\.longestOverlap))"
        )
        print("transfers   \(sum(\.transfers)) made, \(sum(\.toldDone)) heard to be done")
        print("network     \(sum(\.datagrams)) datagrams, \(sum(\.dropped)) lost")
        print("answers     the slowest that only dead centers held up: \(slowest)")
        print(
            String(
                format:
                    "time        %.2f hours simulated, %.2f call-hours, %.1f s of wall time, %.1f call-hours a second",
                hours(\.virtualTime), callHours, wall, wall > 0 ? callHours / wall : 0))
    }
}

Simulate.main()
