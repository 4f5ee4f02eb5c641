import Foundation
import Primitives
import Testing

@testable import Callers

@Suite struct CallersReportTests {
    @Test func ranksAreNearestRanks() throws {
        let hundred = try #require(CallersReport.Spread((1...100).map(Double.init).shuffled()))
        #expect(hundred.p50 == 50)
        #expect(hundred.p99 == 99)
        #expect(hundred.max == 100)
        let three = try #require(CallersReport.Spread([3, 1, 2]))
        #expect(three.p50 == 2)
        #expect(three.p99 == 3)
        #expect(CallersReport.Spread([]) == nil)
    }

    @Test func aCallIsLostOnceHoweverMuchWentWrong() throws {
        var record = CallerRecord(number: 1, callID: "a", placedAt: .zero)
        record.answeredAt = .ms(20)
        record.endedAt = .ms(5_020)
        record.ending = .dropped("BYE")
        var heard = ReceptionMeter(begun: .ms(20))
        heard.heard(at: .ms(30))
        heard.heard(at: .ms(50))
        heard.end(at: .ms(5_020))
        record.reception = heard
        let report = CallersReport([record], settings: settings())
        #expect(report.dropped == 1)
        #expect(report.silent == 1)
        #expect(report.lost == 1)
        #expect(report.gapMs?.max == 4_970)
        #expect(report.callers.first?.gapAtMs == 5_020)
    }

    @Test func aStarvedObserverAccusesNobody() throws {
        var record = CallerRecord(number: 1, callID: "a", placedAt: .zero)
        record.answeredAt = .ms(0)
        record.endedAt = .ms(5_000)
        record.ending = .held
        var heard = ReceptionMeter(begun: .ms(0))
        heard.heard(at: .ms(10))
        heard.end(at: .ms(5_000))
        record.reception = heard
        record.overrun = 40
        let report = CallersReport([record], settings: settings())
        #expect(report.silent == 0)
        #expect(report.lost == 0)
        #expect(report.unsure == 1)
        #expect(report.overrun == 40)
        #expect(report.gapMs == nil)
        #expect(report.callers.first?.gapMs == 4_990)
    }

    @Test func programsReadTheseKeys() throws {
        var record = CallerRecord(number: 1, callID: "a", placedAt: .zero)
        record.answeredAt = .ms(20)
        record.endedAt = .ms(1_020)
        record.ending = .held
        var heard = ReceptionMeter(begun: .ms(20))
        for tick in 0..<50 { heard.heard(at: .ms(Double(30 + tick * 20))) }
        heard.end(at: .ms(1_020))
        record.reception = heard
        let data = try JSONEncoder().encode(CallersReport([record], settings: settings()))
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        for key in ["calls", "answered"] { #expect(object[key] as? Int == 1, "\(key)") }
        for key in ["failed", "dropped", "silent", "lost"] { #expect(object[key] as? Int == 0, "\(key)") }
        #expect((object["answer_ms"] as? [String: Double]) == ["p50": 20, "p99": 20, "max": 20])
        #expect((object["gap_ms"] as? [String: Double]) == ["p50": 20, "p99": 20, "max": 20])
        #expect(object["packets_per_s"] as? Double == 50)
        #expect((object["by_status"] as? [String: Int]) == ["200": 1])
        #expect((object["callers"] as? [[String: Any]])?.count == 1)
    }

    private func settings() -> CallersSettings {
        CallersSettings(
            target: Bench.center, line: "1", local: Bench.phones, calls: 1, rate: 1, hold: .seconds(1))
    }
}
