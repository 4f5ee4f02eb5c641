import Primitives
import Routing
import SIP
import Testing

@testable import Access

/// TAKEOVER.md, The old owner: "Access tells a fenced node so, once a second, when it sends."
@Suite struct OldOwnerTests {
    private func fenced(_ entry: RouteEntry) -> RouteEntry {
        var entry = entry
        entry.state = .down
        entry.fenced = entry.incarnation
        return entry
    }

    private func bye(branch: String, from tag: String = Known.tagA) throws -> Message {
        try Known.request(
            "BYE", from: .centerA, uri: "sip:bob@192.0.2.5:5062", branch: branch, fromTag: tag, toTag: "c-1")
    }

    @Test func requestsOfADeadIncarnationGoNoFurther() throws {
        var stage = try AccessStage()
        stage.tell(.table(Known.table(2, [fenced(.centerA), .centerB])))
        _ = stage.news()
        stage.receive(try bye(branch: "z9hG4bKbye1"), from: .centerA)
        #expect(stage.news() == ["OPTIONS → center-a"])
        let word = try stage.last(to: .centerA, "OPTIONS")
        #expect(word.first(.tandemNode) == "center-a;fenced=k1")
        #expect(stage.core.report.counters.refused[RefusalReason.oldOwner.rawValue] == 1)
    }

    @Test func aDeadIncarnationIsToldOnceASecond() throws {
        var stage = try AccessStage()
        stage.tell(.table(Known.table(2, [fenced(.centerA), .centerB])))
        for number in 0..<5 { stage.receive(try bye(branch: "z9hG4bKbye\(number)"), from: .centerA) }
        #expect(stage.news().filter { $0 == "OPTIONS → center-a" }.count == 1)
        stage.now = stage.now + .seconds(1)
        stage.receive(try bye(branch: "z9hG4bKbye9"), from: .centerA)
        #expect(stage.news().filter { $0 == "OPTIONS → center-a" }.count == 1)
    }

    @Test func theNextIncarnationIsHeardAgain() throws {
        var stage = try AccessStage()
        stage.tell(.table(Known.table(2, [fenced(.centerA), .centerB])))
        stage.tell(.table(Known.table(3, [.centerA, .centerB])))
        _ = stage.news()
        stage.receive(try bye(branch: "z9hG4bKbye1"), from: .centerA)
        #expect(stage.news() == ["BYE → caller"])
    }

    @Test func aCenterThatIsDownButNotFencedStillSpeaks() throws {
        // The store may be away, and then nobody else has its calls.
        var stage = try AccessStage()
        var down = RouteEntry.centerA
        down.state = .down
        stage.tell(.table(Known.table(2, [down, .centerB])))
        _ = stage.news()
        stage.receive(try bye(branch: "z9hG4bKbye1"), from: .centerA)
        #expect(stage.news() == ["BYE → caller"])
    }

    @Test func aSilentCenterHearsThatItCountsAsLiving() throws {
        // It may have stood still, and no master may be there to tell it.
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        stage.advance(by: .milliseconds(301))
        #expect(try stage.last(to: .centerA, "OPTIONS").first(.tandemNode) == "center-a;incarnation=k1")
    }

    @Test func everyDeadCenterIsNamed() throws {
        var stage = try AccessStage()
        var both = [RouteEntry.centerA, .centerB]
        for index in both.indices { both[index].state = .down }
        stage.tell(.table(Known.table(2, both)))
        #expect(stage.core.report.down == ["center-a", "center-b"])
        #expect(stage.core.report.hasRoute == false)
    }
}
