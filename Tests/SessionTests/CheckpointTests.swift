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

@Suite struct CheckpointWritingTests {
    @Test func absentPartsComeBackAbsent() throws {
        var checkpoint = Samples.checkpoint()
        checkpoint.dialogs[0].remoteCSeq = nil
        checkpoint.dialogs[0].localInviteCSeq = nil
        checkpoint.dialogs[0].allowsUPDATE = nil
        checkpoint.dialogs[0].signalledFrom = nil
        checkpoint.dialogs[0].invite.awaitsAnswer = nil
        checkpoint.dialogs[0].timer = nil
        checkpoint.dialogs[0].routeSet = []
        checkpoint.media[0].telephoneEventType = nil
        checkpoint.media[0].latchedAddress = nil
        checkpoint.menu?.login = nil
        checkpoint.menu?.language = nil
        checkpoint.menu?.pendingOperation = nil
        checkpoint.menu?.variables = [:]
        checkpoint.record.answered = nil
        #expect(try Checkpoint(encoded: checkpoint.encoded()) == checkpoint)
        checkpoint.menu = nil
        checkpoint.media = []
        checkpoint.dialogs = []
        #expect(try Checkpoint(encoded: checkpoint.encoded()) == checkpoint)
    }

    @Test func theFastWriterAndCodableWriteTheSameKeys() throws {
        func keys(_ value: Any, _ path: String = "") -> Set<String> {
            if let object = value as? [String: Any] {
                return object.reduce(into: []) { found, entry in
                    if entry.value is NSNull { return }
                    found.insert(path + "." + entry.key)
                    found.formUnion(keys(entry.value, path + "." + entry.key))
                }
            }
            if let array = value as? [Any] { return array.reduce(into: []) { $0.formUnion(keys($1, path + "[]")) } }
            return []
        }
        let checkpoint = Samples.checkpoint()
        let fast = try JSONSerialization.jsonObject(with: Data(checkpoint.encoded()))
        let codable = try JSONSerialization.jsonObject(with: JSONEncoder().encode(checkpoint))
        #expect(keys(fast) == keys(codable))
        #expect(keys(fast).count > 50)
    }

    @Test func twoLegsAndAClosedRecordComeBack() throws {
        var checkpoint = Samples.checkpoint()
        var agent = Samples.checkpoint(seed: 2)
        agent.dialogs[0].leg = .agent
        agent.dialogs[0].role = .client
        agent.dialogs[0].secure = true
        checkpoint.dialogs += agent.dialogs
        checkpoint.media += agent.media
        checkpoint.record = checkpoint.record.closed(.operator, at: Samples.start + .seconds(3))
        #expect(try Checkpoint(encoded: checkpoint.encoded()) == checkpoint)
    }

    @Test func anyTextComesBack() throws {
        let texts = ["\"\\/\u{0}\u{1}\u{1f}\u{7f}\r\n\t", "转账 €𝄞", "{\"v\":9}", "", "\\u0041"]
        for text in texts {
            var checkpoint = Samples.checkpoint()
            checkpoint.dialogs[0].callID = text
            checkpoint.dialogs[0].remoteSDP = text
            checkpoint.menu?.variables = [text: text, "b": "c"]
            checkpoint.menu?.retries = [text: -3]
            checkpoint.record.path = texts
            #expect(try Checkpoint(encoded: checkpoint.encoded()) == checkpoint, "\(text)")
        }
    }

    @Test func extremeNumbersComeBack() throws {
        var checkpoint = Samples.checkpoint()
        checkpoint.media[0].originVersion = .max
        checkpoint.dialogs[0].localCSeq = .max
        #expect(try Checkpoint(encoded: checkpoint.encoded()) == checkpoint)
    }

    @Test func equalCheckpointsAreEqualBytes() throws {
        var checkpoint = Samples.checkpoint()
        checkpoint.menu?.variables = Dictionary(uniqueKeysWithValues: (0..<50).map { ("k\($0)", "v") })
        var other = checkpoint
        other.menu?.variables = Dictionary(uniqueKeysWithValues: (0..<50).reversed().map { ("k\($0)", "v") })
        #expect(try checkpoint.encoded() == other.encoded())
    }
}
