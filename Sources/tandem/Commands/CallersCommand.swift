import ArgumentParser
import Callers
import Foundation
import Primitives

#if canImport(Glibc)
    import Glibc
#endif

struct CallersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "callers",
        abstract: "Phones in a box: place calls with audio both ways and report what they heard.",
        discussion: """
            Digits (--digits): 0-9 * # A-D press keys, "," pauses 1 s, "." 100 ms, "w" waits until the other side has \
            spoken and paused, "{10000000+n}" is a number for the n-th caller (also n%K, and :8 to pad), "e" takes any \
            BYE of the other side from there on for its goodbye, "h" hangs up.
            A login and the balance: --digits '2,1,{10000000+n}#,246810#,1w#e'
            A call that another center takes over goes on, and counts as moved: its audio came to live elsewhere. Each \
            caller's longest gap runs from packet to packet of whoever speaks to it then.
            Exit 1 if any call was lost: not answered, dropped, or silent for longer than --silence. Dropped is a BYE of \
            the other side before the plan was done, or one that gives a Reason; without a Reason after the plan's end \
            the menu said goodbye, and nothing is lost.
            """)

    @Option(help: "Where to call: HOST:PORT, a name or an address.") var to: String
    @Option(help: "The number to dial.") var line: String
    @Option(help: "How many calls.") var calls = 1
    @Option(help: "New calls a second.") var rate = 10.0
    @Option(help: "Seconds from the answer to hanging up.") var hold = 10.0
    @Option(help: "What each caller presses.") var digits = ""
    @Flag(help: "SIP over TCP.") var tcp = false
    @Flag(help: "For programs.") var json = false
    @Option(help: "Give up a call that rings so many seconds.") var patience = 10.0
    @Option(help: "Seconds without audio that make a caller silent; what a takeover may take.") var silence = 1.5
    @Option(help: "Our SIP port; 0 is any.") var port: UInt16 = 0
    @Option(name: .customLong("from"), help: "Our address; by default the one that the way there leaves by.")
    var address: String?
    @Option(name: .customLong("rtp-ports"), help: "Our RTP ports, FIRST-LAST.") var rtpPorts = "30000-32767"

    func run() async throws {
        let place = try checkedPlace()
        let settings = try checkedSettings(isV6: place.address?.isV6)
        let run: CallersRun
        do {
            run = try await CallersRun.start(settings, at: place, seed: .random(in: .min ... .max))
        } catch {
            throw CommandFailure.failed("callers: \(error)")
        }
        // A second signal ends the process at once.
        let signals = InterruptSignals { run.interrupt() }
        defer { signals.stop() }
        let shown = isatty(STDERR_FILENO) == 1 ? Task { await showProgress(of: run) } : nil
        let report = await run.report()
        shown?.cancel()
        if shown != nil { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
        if json { try printJSON(report) } else { printTables(report) }
        guard report.unsure == 0 else {
            throw CommandFailure.failed(
                "callers: \(report.unsure) of \(report.calls) callers could not be measured, this process was starved: "
                    + "place fewer calls or free the processor")
        }
        guard report.lost == 0 else {
            throw CommandFailure.failed("callers: \(report.lost) of \(report.calls) calls lost")
        }
    }

    // MARK: Usage

    private func checkedSettings(isV6: Bool?) throws -> CallersSettings {
        var problems: [String] = []
        func check(_ holds: Bool, _ option: String, _ found: Any, _ expected: String) {
            if !holds { problems.append("--\(option): found \(found), expected \(expected)") }
        }
        let place = HostPort(to)
        check(place != nil, "to", "\"\(to)\"", "HOST:PORT, such as 127.0.0.1:5060 or sip.bank.example:5060")
        let isNumber =
            !line.isEmpty
            && line.utf8.allSatisfy { byte in
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                    || "*#+-._".utf8.contains(byte)
            }
        check(isNumber, "line", "\"\(line)\"", "a number or name")
        check((1...100_000).contains(calls), "calls", calls, "1 to 100000")
        check(rate > 0 && rate <= 10_000, "rate", rate, "more than 0, at most 10000")
        check(hold >= 0 && hold <= 86_400, "hold", hold, "0 to 86400 seconds")
        check(patience > 0 && patience <= 3600, "patience", patience, "more than 0, at most 3600 seconds")
        check(silence > 0 && silence <= 3600, "silence", silence, "more than 0, at most 3600 seconds")
        var plan = DigitPlan.none
        do throws(DigitPlanError) {
            plan = try DigitPlan(digits)
        } catch {
            problems.append("--digits: \(error)")
        }
        guard problems.isEmpty, let place else { throw CommandFailure.usage(problems) }
        let target: Endpoint
        do throws(HostPort.Unresolved) { target = try place.endpoint(isV6: isV6) } catch {
            throw CommandFailure.failed("callers: --to: \(error)")
        }
        var settings = CallersSettings(
            target: target, line: line, transport: tcp ? .tcp : .udp, local: Endpoint(target.address, port: 0),
            calls: calls, rate: rate, hold: .seconds(hold), plan: plan)
        settings.patience = .seconds(patience)
        settings.silence = .seconds(silence)
        return settings
    }

    private func checkedPlace() throws -> CallersPlace {
        var place = CallersPlace()
        place.sipPort = port
        if let address {
            guard let parsed = IPAddress(address) else {
                throw CommandFailure.usage("--from: found \"\(address)\", expected an address of this machine")
            }
            place.address = parsed
        }
        let bounds = rtpPorts.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        guard bounds.count == 2, let first = bounds[0], let last = bounds[1], first >= 1024, first <= last else {
            throw CommandFailure.usage("--rtp-ports: found \"\(rtpPorts)\", expected FIRST-LAST in 1024...65535")
        }
        (place.firstRTPPort, place.lastRTPPort) = (first, last)
        return place
    }

    // MARK: For people

    private func showProgress(of run: CallersRun) async {
        while !Task.isCancelled {
            let now = await run.progress()
            let line =
                "\(now.placed) of \(calls) placed, \(now.talking) talking, \(now.answered) answered, \(now.lost) lost"
            FileHandle.standardError.write(Data("\r\u{1B}[K\(line)".utf8))
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func printTables(_ report: CallersReport) {
        func count(_ value: Int, bad: Bool = true) -> Table.Cell {
            Table.Cell(String(value), bad && value > 0 ? .red : .plain, right: true)
        }
        var counts = Table(
            "CALLS", "ANSWERED", "FAILED", "DROPPED", "SILENT", "LOST", "MOVED", "REDIRECTS", "RE-INVITES", "PACKETS/S")
        counts.add(
            count(report.calls, bad: false), count(report.answered, bad: false), count(report.failed),
            count(report.dropped), count(report.silent), count(report.lost), count(report.moved, bad: false),
            count(report.redirects, bad: false), count(report.reinvites, bad: false),
            Table.Cell(report.packetsPerSecond.map { String(format: "%.2f", $0) } ?? "–", right: true))
        counts.printOut()
        var spreads = Table("MS", "P50", "P99", "MAX")
        for (name, spread) in [
            ("answer", report.answerMs), ("first audio", report.firstAudioMs), ("longest gap", report.gapMs),
        ] {
            func cell(_ value: Double?) -> Table.Cell {
                Table.Cell(value.map { String(format: "%.1f", $0) } ?? "–", right: true)
            }
            spreads.add(Table.Cell(name), cell(spread?.p50), cell(spread?.p99), cell(spread?.max))
        }
        printNow("")
        spreads.printOut()
        let refusals = report.byStatus.filter { $0.key != "200" }.sorted { $0.key < $1.key }
        if !refusals.isEmpty {
            printNow("\nnot answered: " + refusals.map { "\($0.value) × \($0.key)" }.joined(separator: ", "))
        }
        if report.hungUpOn > 0 { printNow("the other side said goodbye when the plan was done: \(report.hungUpOn)") }
        if report.interrupted > 0 { printNow("ended before their time by you: \(report.interrupted)") }
        if report.withoutDigits > 0 {
            printNow("no digits sent, the other side takes no telephone-events: \(report.withoutDigits)")
        }
        if report.late > 0 {
            printNow("packets of a former sender after its successor had spoken: \(report.late)")
        }
        if report.overrun > 0 {
            printNow("this process was starved and lost \(report.overrun) packets: those callers' gaps are left out")
        }
    }
}

/// Ctrl-C and SIGTERM: the first asks for a polite end, the second ends the process.
private final class InterruptSignals: Sendable {
    // Written once in `init`; dispatch sources may be cancelled from any thread.
    private nonisolated(unsafe) let sources: [any DispatchSourceSignal]

    init(_ interrupt: @escaping @Sendable () -> Void) {
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                signal(number, SIG_DFL)
                interrupt()
            }
            source.resume()
            return source
        }
    }

    func stop() { for source in sources { source.cancel() } }
}
