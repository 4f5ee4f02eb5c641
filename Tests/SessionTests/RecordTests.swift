import Foundation
import Primitives
import Session
import Testing

@Suite struct RecordTests {
    private func object(_ value: some Encodable) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: JSONEncoder().encode(value)) as? [String: Any])
    }

    @Test func aClosedRecordHasTheFieldsOfTheAPI() throws {
        let record = Samples.checkpoint().record.closed(.caller, at: Samples.start + .milliseconds(12_580))
        let json = try object(record)
        #expect(
            Set(json.keys) == [
                "id", "line", "from", "centers", "started", "answered", "ended", "duration_s", "end", "path",
                "takeovers",
            ])
        #expect(json["duration_s"] as? Double == 12.5)
        #expect(json["end"] as? String == "caller")
        #expect(json["ended"] as? String == "2026-03-01T08:15:42.830Z")
        #expect(try JSONDecoder().decode(CallRecord.self, from: JSONEncoder().encode(record)) == record)
    }

    @Test func whatIsNotKnownIsNull() throws {
        var record = Samples.checkpoint().record
        record.answered = nil
        let json = try object(record)
        for key in ["answered", "ended", "duration_s", "end"] { #expect(json[key] is NSNull, "\(key)") }
        let call = try object(LiveCall(record))
        #expect(call["menu"] is NSNull)
        #expect(call["language"] is NSNull)
    }

    @Test func theFirstEndStands() {
        let record = Samples.checkpoint().record.closed(.caller, at: Samples.start + .seconds(5))
        #expect(record.closed(.lost, at: Samples.start + .seconds(9)) == record)
    }

    @Test func aClockThatStepsBackNeverGivesANegativeDuration() {
        let record = Samples.checkpoint().record.closed(.menu, at: Samples.start + .seconds(-60))
        #expect(record.duration == .zero)
    }

    @Test func thePathIsBounded() {
        var record = Samples.checkpoint().record
        for _ in 0..<1000 { record.enter("main") }
        #expect(record.path.count == CallRecord.longestPath)
    }

    @Test func endKindsAreTheContracts() {
        #expect(EndKind.allCases.map(\.rawValue) == ["caller", "menu", "agent", "operator", "limit", "lost"])
        #expect(
            TimelineEntry.Kind.allCases.map(\.rawValue) == ["sip", "state", "bank", "queue", "takeover", "end"])
    }

    @Test func longDetailsAreCutBetweenCharacters() {
        let entry = TimelineEntry(at: Samples.start, kind: .state, detail: "a" + String(repeating: "语", count: 400))
        #expect(entry.detail.utf8.count <= TimelineEntry.longestDetail)
        #expect(entry.detail.utf8.count > TimelineEntry.longestDetail - 3)
        #expect(entry.detail.hasSuffix("语"))
    }

    @Test func aCallWithItsTimelineIsOneObject() throws {
        let detail = CallDetail(
            call: Samples.checkpoint().liveCall(center: "center-a"),
            timeline: [TimelineEntry(at: Samples.start, kind: .sip, detail: "INVITE")])
        let json = try object(detail)
        #expect(json["line"] as? String == "95533")
        #expect((json["timeline"] as? [[String: Any]])?.first?["kind"] as? String == "sip")
        #expect(try JSONDecoder().decode(CallDetail.self, from: JSONEncoder().encode(detail)) == detail)
    }
}

@Suite struct IdentityTests {
    @Test func idsAreVersionFourAndReadBack() throws {
        var random = SeededRandom(seed: 7)
        for _ in 0..<200 {
            let id = SessionID(using: &random)
            let text = Array(id.description)
            #expect(text[14] == "4")
            #expect("89ab".contains(text[19]))
            #expect(SessionID(id.description) == id)
            #expect(SessionID(id.description.uppercased()) == id)
        }
    }

    @Test(arguments: [
        "", "x", "123e4567-e89b-12d3-a456-42661417400", "123e4567+e89b-12d3-a456-426614174000",
        "123e4567-e89b-12d3-a456-42661417400g",
    ])
    func otherTextsAreNoID(_ text: String) { #expect(SessionID(text) == nil) }

    @Test func aTagNamesItsNode() {
        let node = NodeIdentity(name: "center-a", incarnation: "k3f9x2")
        #expect(NodeIdentity(tag: "center-a.k3f9x2.77aa") == node)
        #expect(node?.description == "center-a.k3f9x2")
    }

    @Test(arguments: ["7712834", "center-a.k3f9x2", "center-a.k3f9x2.", "Center.k3.1", "center-a.K3.1", "a.b.c.d", ""])
    func tagsOfOthersNameNoNode(_ tag: String) { #expect(NodeIdentity(tag: tag) == nil) }
}
