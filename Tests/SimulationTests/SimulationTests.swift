import Foundation
import Testing

@testable import Simulation

/// The shipped menu, found from where this file stands.
let shipped: SpokenLibrary? = {
    var folder = URL(fileURLWithPath: #filePath)
    for _ in 0..<3 { folder.deleteLastPathComponent() }
    return try? SpokenLibrary.load(profiles: folder.path + "/sip-profiles")
}()

func small(_ seed: UInt64, fault: Fault? = nil, only kinds: [String]? = nil) -> SimulationSettings {
    var settings = SimulationSettings(seed: seed)
    settings.phones = 6
    settings.callingTime = .seconds(40)
    settings.mayBeNarrow = false
    settings.fault = fault
    settings.kinds = kinds
    return settings
}

@Suite struct SimulationTests {
    @Test func everythingHoldsThroughDisasters() throws {
        let library = try #require(shipped)
        var total = (calls: 0, disasters: 0)
        for seed in 1...2 as ClosedRange<UInt64> {
            let report = Simulation.run(small(seed), library: library)
            #expect(report.violation == nil, "seed \(seed): \(report.trace.suffix(40).joined(separator: "\n"))")
            #expect(report.answered > 0)
            total.calls += report.calls
            total.disasters += report.kills + report.cuts + report.freezes + report.outages + report.orders
        }
        // A run in which nothing happens proves nothing.
        #expect(total.calls > 8)
        #expect(total.disasters > 0)
    }

    /// I4: after the death of a center its callers hear another one soon, which asks what was asked last.
    @Test func callsOutliveTheirCenter() throws {
        let report = try run(small(3, only: ["killCenter"]))
        #expect(report.kills > 0)
        #expect(report.resumed > 0)
        #expect(report.longestGap <= Simulation.gapLimit)
    }

    /// I4: "Two deaths in a row … lose nothing", and each is heard for no longer than one.
    @Test func callsOutliveTwoDeathsInARow() throws {
        let report = try run(small(2, only: ["killTwo"]))
        #expect(report.kills >= 2)
        #expect(report.resumedAfterTwo > 0)
        #expect(report.lost == 0)
        #expect(report.longestGap <= Simulation.gapLimit)
    }

    /// I4 and I10: the limit holds for a center that dies together with the leading master.
    @Test func callsOutliveTheirCenterAndTheLeaderAtOnce() throws {
        let report = try run(small(1, only: ["killLeaderAndCenter"]))
        #expect(report.kills >= 2)
        #expect(report.resumedWithoutLeader > 0)
        #expect(report.lost == 0)
        #expect(report.longestGap <= Simulation.gapLimit)
    }

    /// I8 and I4: who is refused hears when to come again; of those whose center died the oldest go on.
    @Test func whatHasNoRoomIsRefusedOrEndsInOrderOfAge() throws {
        var settings = small(1, only: ["killTwo"])
        settings.phones = 12
        settings.callLimit = 5
        let report = try run(settings)
        #expect(report.turnedAway > 0)
        #expect(report.lostForRoom > 0)
        #expect(report.resumed > 0)
    }

    /// I9, while nothing else goes wrong.
    @Test func whatCannotBeParsedIsAnsweredAndCounted() throws {
        let report = try run(small(1, only: ["stepClock"]))
        #expect(report.garbageAnswered > 10)
        #expect(report.garbageAnswered < report.garbage)
    }

    /// TAKEOVER.md, The old owner.
    @Test func aCenterThatStoodStillDoesNoHarm() throws {
        let report = try run(small(1, only: ["freezeCenter"]))
        #expect(report.freezes > 0)
        #expect(report.longestOverlap == .zero)
    }

    @Test func aDrainIsNotHeard() throws {
        let report = try run(small(1, only: ["drain"]))
        #expect(report.handovers > 0)
        #expect(report.longestHandoverGap <= Simulation.handoverLimit)
    }

    /// I2 and I3 with a death somewhere between the key that confirms a transfer and what the caller is told.
    @Test func moneyMovesOnceThoughTheCenterDiesInTheMiddle() throws {
        var settings = small(1, only: ["killAtTransfer"])
        settings.phones = 12
        settings.callingTime = .seconds(60)
        let report = try run(settings)
        #expect(report.transfers > 0)
        #expect(report.kills > 0)
    }

    private func run(_ settings: SimulationSettings) throws -> SimulationReport {
        let report = Simulation.run(settings, library: try #require(shipped))
        #expect(report.violation == nil, "\(report.trace.suffix(40).joined(separator: "\n"))")
        return report
    }

    @Test func aSeedReplaysExactly() throws {
        let library = try #require(shipped)
        let first = Simulation.run(small(4), library: library)
        let again = Simulation.run(small(4), library: library)
        #expect(first == again)
        #expect(first.traceHash != 0)
        let other = Simulation.run(small(5), library: library)
        #expect(other.traceHash != first.traceHash)
    }

    /// The canaries: a simulation that does not notice these would notice nothing.
    @Test(arguments: Fault.allCases) func aFaultBreaksItsInvariant(_ fault: Fault) throws {
        let library = try #require(shipped)
        // Two take long to be noticed, and not in the first.
        let first: UInt64 = fault == .staleWrites || fault == .freshOperationID ? 2 : 1
        for seed in first...first + 19 {
            var settings = small(seed, fault: fault, only: fault == .idleStandby ? ["killLeaderAndCenter"] : nil)
            if fault == .freshOperationID || fault == .staleWrites || fault == .youngestFirst {
                // A death has to hit one caller in the few milliseconds of a transfer; a fenced center has to write
                // before it is told that it is; there have to be too many callers for those who are left.
                settings.phones = 14
                settings.callingTime = .seconds(60)
            }
            let report = Simulation.run(settings, library: library)
            guard let violation = report.violation else { continue }
            #expect(violation.invariant == fault.breaks, "seed \(seed): \(violation.detail)")
            #expect(!report.trace.isEmpty)
            return
        }
        Issue.record("nothing was noticed of \(fault.rawValue)")
    }

    @Test func aTraceNeverShowsThePIN() throws {
        let library = try #require(shipped)
        let report = Simulation.run(small(1, fault: .leakPIN), library: library)
        #expect(report.violation?.invariant == .noSecrets)
        #expect(!report.trace.contains { SecretWatch.contains(Array($0.utf8)) })
    }
}

@Suite struct SecretWatchTests {
    @Test func thePINCountsOnlyByItself() {
        #expect(SecretWatch.contains(Array("pin 246810.".utf8)))
        #expect(SecretWatch.contains(Array("246810".utf8)))
        #expect(SecretWatch.contains(Array("a246810 \"246810\"".utf8)))
        #expect(!SecretWatch.contains(Array("1246810 246810a f246810".utf8)))
        #expect(!SecretWatch.contains(Array("24681".utf8)))
    }
}

@Suite struct PhoneTests {
    @Test func amountsAreKeyedWithAStarForThePoint() {
        #expect(Phone.keyed(10_000) == "100#")
        #expect(Phone.keyed(10_005) == "100*05#")
        #expect(Phone.keyed(10_050) == "100*50#")
    }

    /// RFC 3261 §17.1.1.2: timer A doubles; a provisional response ends the repetition.
    @Test func anINVITEIsRepeatedAtDoublingIntervals() throws {
        let library = try #require(shipped)
        var phone = Phone(index: 1, access: Places.access(0), library: library, seed: 1)
        let errand = Errand(kind: .silent, customer: 10_000_001, language: "en", patience: .seconds(60))
        phone.begin(errand, number: 7)
        #expect(sends(&phone) == [.milliseconds(500)])
        phone.fired(.again(request: 0), call: 7)
        #expect(sends(&phone) == [.seconds(1)])
        phone.fired(.again(request: 0), call: 7)
        #expect(sends(&phone) == [.seconds(2)])
        phone.calls[0].requests[0].isProvisional = true
        phone.fired(.again(request: 0), call: 7)
        #expect(sends(&phone).isEmpty)
    }

    private func sends(_ phone: inout Phone) -> [Duration] {
        defer { phone.outputs = [] }
        return phone.outputs.compactMap {
            if case .schedule(.again, _, let delay) = $0 { delay } else { nil }
        }
    }
}
