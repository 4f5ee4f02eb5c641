import Primitives
import Routing
import SIP
import Testing

@testable import Access

/// Two masters may publish: whose table counts, and whose orders.
@Suite struct MastersTests {
    private func table(_ store: String, _ epoch: UInt64, _ generation: UInt64) -> RouteTable {
        RouteTable(storeID: store, leaderEpoch: epoch, generation: generation, centers: [.centerA, .centerB])
    }

    /// TAKEOVER, Identity: "ordered by (store id, leader epoch, generation). A table of an unknown store id replaces what
    /// access kept on disk; a lower one is ignored."
    @Test func theTableOfTheHigherEpochWinsAndAnotherStoresReplacesIt() throws {
        var stage = try AccessStage()
        for next in [
            table("s1", 3, 1), table("s1", 2, 90), table("s1", 3, 2), table("s1", 3, 2), table("s2", 1, 1),
            table("s2", 1, 5),
        ] {
            stage.tell(.table(next))
        }
        #expect(stage.adopted == [table("s1", 3, 1), table("s1", 3, 2), table("s2", 1, 1), table("s2", 1, 5)])
    }

    @Test func anotherStoresLeaderOrdersFromItsFirstEpochOn() throws {
        var stage = try AccessStage()
        stage.receive(try Known.ping(NodeNotice(node: "access-1", want: .enabled, leader: 40)), from: .centerB)
        stage.tell(.table(table("s2", 1, 1)))
        stage.receive(try Known.ping(NodeNotice(node: "access-1", want: .draining, leader: 1)), from: .centerB)
        #expect(stage.core.report.isDraining)
    }

    /// Nobody publishes any more: this node's own detection finds a dead center, and calls go round it.
    @Test func withoutAnyMasterADeadCenterIsPassedOver() throws {
        var stage = try AccessStage()
        stage.receive(try Known.request("INVITE"))
        stage.tell(.unreachable(.centerA))
        #expect(stage.news() == ["100 → caller", "INVITE → center-a", "INVITE → center-b"])
        stage.receive(try Known.request("INVITE", branch: "z9hG4bKn", callID: "next"))
        #expect(stage.news().last == "INVITE → center-b")
        #expect(stage.adopted.isEmpty)
    }
}
