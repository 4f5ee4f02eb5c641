import Foundation
import Primitives
import Session
import Testing

@Suite struct CheckpointTests {
    @Test func comesBackAsItWas() throws {
        let checkpoint = Samples.checkpoint()
        #expect(try Checkpoint(encoded: checkpoint.encoded()) == checkpoint)
    }

    @Test func carriesItsFormatVersion() throws {
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(Samples.checkpoint().encoded())) as? [String: Any])
        #expect(object["v"] as? Int == Checkpoint.currentVersion)
    }

    @Test func anUnknownVersionIsRefusedNotGuessed() throws {
        var checkpoint = Samples.checkpoint()
        checkpoint.version = 2
        let bytes = try checkpoint.encoded()
        #expect(throws: CheckpointError.unknownVersion(2)) { try Checkpoint(encoded: bytes) }
    }

    @Test func theVersionIsReadBeforeFieldsThatAnotherVersionMayLack() {
        #expect(throws: CheckpointError.unknownVersion(9)) { try Checkpoint(encoded: Array(#"{"v":9}"#.utf8)) }
    }

    @Test func keysOfALaterReleaseAreIgnored() throws {
        let checkpoint = Samples.checkpoint()
        var text = String(decoding: try checkpoint.encoded(), as: UTF8.self)
        text = "{\"later\":[1]," + text.dropFirst()
        #expect(try Checkpoint(encoded: Array(text.utf8)) == checkpoint)
    }

    @Test(arguments: ["", "{}", "[]", "{\"v\":1}", "nonsense"])
    func bytesThatAreNoCheckpointAreAnError(_ text: String) {
        #expect(throws: CheckpointError.self) { try Checkpoint(encoded: Array(text.utf8)) }
    }

    @Test func oversizedCheckpointsAreRefused() {
        var checkpoint = Samples.checkpoint()
        checkpoint.menu?.variables["x"] = String(repeating: "y", count: Checkpoint.sizeLimit)
        #expect(throws: CheckpointError.self) { try checkpoint.encoded() }
    }

    @Test func summaryShowsWhatTheAPIShows() throws {
        let checkpoint = Samples.checkpoint()
        let call = checkpoint.liveCall(center: "center-b")
        let object = try #require(
            try JSONSerialization.jsonObject(with: JSONEncoder().encode(call)) as? [String: Any])
        #expect(
            Set(object.keys) == [
                "id", "line", "from", "center", "started", "menu", "state", "language", "authenticated", "takeovers",
            ])
        #expect(object["center"] as? String == "center-b")
        #expect(object["started"] as? String == "2026-03-01T08:15:30.250Z")
        #expect(object["authenticated"] as? Bool == true)
    }
}
