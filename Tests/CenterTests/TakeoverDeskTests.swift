import Primitives
import Routing
import Session
import Store
import Testing

@testable import Center

/// TAKEOVER.md, Order of a takeover.
@Suite struct TakeoverDeskTests {
    private static func peer(_ name: String) throws -> PeerList.Peer {
        PeerList.Peer(node: name, incarnation: "k1", sip: try #require(Endpoint("10.0.0.1:5081")))
    }

    private func identity(_ name: String) throws -> NodeIdentity {
        try #require(NodeIdentity(name: name, incarnation: "k1"))
    }

    private func at(_ milliseconds: Int64) -> MonotonicTime { .zero + .milliseconds(milliseconds) }

    /// Sessions of a dead center, the first the oldest.
    private func heads(_ count: Int, of dead: NodeIdentity, pending: Set<Int> = []) -> [SessionHead] {
        var random = SeededRandom(seed: 5)
        return (0..<count).map { number in
            SessionHead(
                id: SessionID(using: &random), ownership: Ownership(node: dead),
                started: WallTime(milliseconds: Int64(number)), hasPendingOperation: pending.contains(number))
        }
    }

    private func claims(_ desk: inout TakeoverDesk, room: Int = 10_000, at now: MonotonicTime) -> [SessionHead] {
        desk.claims(room: room, now: now).compactMap { if case .claim(let head) = $0 { head } else { nil } }
    }

    /// "with five centers and one death each takes a quarter", and nobody's session is forgotten or fought for.
    @Test func survivorsShareByRendezvousHash() throws {
        let dead = try identity("center-e")
        let names = ["center-a", "center-b", "center-c", "center-d"]
        let peers = PeerList(try names.map(Self.peer))
        let all = heads(800, of: dead)
        var taken: [SessionID: Int] = [:]
        for name in names {
            var desk = TakeoverDesk()
            _ = desk.heed(dead, now: .zero)
            desk.listed(dead, all, peers: peers, own: try identity(name), now: at(1))
            var own = 0
            while true {
                let next = claims(&desk, at: at(2))
                if next.isEmpty { break }
                for head in next {
                    taken[head.id, default: 0] += 1
                    desk.settled(head.id)
                    own += 1
                }
            }
            #expect((150...250).contains(own), "\(name) takes \(own) of 800")
        }
        #expect(taken.count == 800)
        #expect(taken.values.allSatisfy { $0 == 1 })
    }

    /// "callers with a pending bank operation first, then the oldest".
    @Test func pendingOperationsFirstThenTheOldest() throws {
        let dead = try identity("center-b")
        let own = try identity("center-a")
        var desk = TakeoverDesk()
        _ = desk.heed(dead, now: .zero)
        let all = heads(10, of: dead, pending: [7, 4])
        desk.listed(dead, all.shuffled(), peers: PeerList([try Self.peer("center-a")]), own: own, now: at(1))
        let order = claims(&desk, at: at(1)).map { Int($0.started.milliseconds) }
        #expect(order == [4, 7, 0, 1, 2, 3, 5, 6, 8, 9])
    }

    /// "after 500 ms any survivor takes what is left".
    @Test func whatIsLeftAfter500MillisecondsIsAnybodys() throws {
        let dead = try identity("center-c")
        let own = try identity("center-a")
        let peers = PeerList([try Self.peer("center-a"), try Self.peer("center-b")])
        let all = heads(100, of: dead)
        var desk = TakeoverDesk()
        #expect(desk.heed(dead, now: .zero) == [.list(dead), .lookAgain(dead, after: .milliseconds(500))])
        desk.listed(dead, all, peers: peers, own: own, now: at(1))
        let mine = claims(&desk, at: at(1))
        #expect(mine.count < 100)
        for head in mine { desk.settled(head.id) }
        #expect(desk.look(at: dead, now: at(500)) == [.list(dead)])
        let left = all.filter { !mine.contains($0) }
        desk.listed(dead, left, peers: peers, own: own, now: at(501))
        #expect(claims(&desk, at: at(501)).count == left.count)
    }

    /// "Chunks of 100".
    @Test func aHundredClaimsAreOutAtOnce() throws {
        let dead = try identity("center-b")
        var desk = TakeoverDesk()
        _ = desk.heed(dead, now: .zero)
        desk.listed(dead, heads(250, of: dead), peers: PeerList(), own: try identity("center-a"), now: at(1))
        let first = claims(&desk, at: at(1))
        #expect(first.count == 100)
        #expect(claims(&desk, at: at(1)).isEmpty)
        for head in first.prefix(30) { desk.settled(head.id) }
        #expect(claims(&desk, at: at(2)).count == 30)
        #expect(desk.count == 220)
    }

    /// "Takeover respects capacity": the oldest that fit, the rest stay for others.
    @Test func roomIsRespected() throws {
        let dead = try identity("center-b")
        var desk = TakeoverDesk()
        _ = desk.heed(dead, now: .zero)
        desk.listed(dead, heads(50, of: dead), peers: PeerList(), own: try identity("center-a"), now: at(1))
        #expect(claims(&desk, room: 7, at: at(1)).map { Int($0.started.milliseconds) } == Array(0..<7))
        #expect(claims(&desk, room: 7, at: at(1)).isEmpty, "those that are out count")
        #expect(claims(&desk, room: 0, at: at(1)).isEmpty)
    }

    /// A center that drains is not in the list: it takes nothing over.
    @Test func whoIsNotAmongThePeersKeepsOut() throws {
        let dead = try identity("center-b")
        var desk = TakeoverDesk()
        _ = desk.heed(dead, now: .zero)
        let peers = PeerList([try Self.peer("center-c")])
        desk.listed(dead, heads(5, of: dead), peers: peers, own: try identity("center-a"), now: at(600))
        #expect(claims(&desk, at: at(600)).isEmpty)
    }

    /// "Where no other center lives, a restarted node reclaims its own sessions".
    @Test func restartedNodeReclaimsItsOwn() throws {
        let dead = try identity("center-a")
        let next = try #require(NodeIdentity(name: "center-a", incarnation: "k2"))
        var desk = TakeoverDesk()
        _ = desk.heed(dead, now: .zero)
        desk.listed(dead, heads(5, of: dead), peers: PeerList([try Self.peer("center-a")]), own: next, now: at(1))
        #expect(claims(&desk, at: at(1)).count == 5)
    }

    /// A notice is repeated at every ping; the store is asked only so often, and again when its answer is lost.
    @Test func noticesDoNotFloodTheStore() throws {
        let dead = try identity("center-b")
        var desk = TakeoverDesk()
        #expect(desk.heed(dead, now: .zero).contains(.list(dead)))
        #expect(desk.heed(dead, now: at(1_000)).isEmpty, "its answer is out")
        #expect(desk.heed(dead, now: at(5_000)) == [.list(dead)], "… and lost")
        desk.listed(dead, nil, peers: PeerList(), own: try identity("center-a"), now: at(5_001))
        #expect(desk.heed(dead, now: at(5_100)).isEmpty)
        #expect(desk.heed(dead, now: at(5_250)) == [.list(dead)])
        #expect(desk.noticed(dead) == .zero)
    }

    /// The answer to a claim is lost: the session is listed again, and may be claimed again.
    @Test func lostClaimIsMadeAgain() throws {
        let dead = try identity("center-b")
        let own = try identity("center-a")
        let all = heads(1, of: dead)
        var desk = TakeoverDesk()
        _ = desk.heed(dead, now: .zero)
        desk.listed(dead, all, peers: PeerList(), own: own, now: at(1))
        #expect(claims(&desk, at: at(1)).count == 1)
        desk.listed(dead, all, peers: PeerList(), own: own, now: at(300))
        #expect(claims(&desk, at: at(300)).isEmpty)
        #expect(claims(&desk, at: at(5_001)).isEmpty, "it was not listed again yet")
        desk.listed(dead, all, peers: PeerList(), own: own, now: at(5_100))
        #expect(claims(&desk, at: at(5_100)).count == 1)
    }

    @Test func deathsAreBounded() throws {
        var desk = TakeoverDesk()
        for number in 0..<100 {
            let dead = try #require(NodeIdentity(name: "center-b", incarnation: "k\(number)"))
            #expect(desk.heed(dead, now: .zero).isEmpty == (number >= TakeoverDesk.deathLimit))
        }
        // What nobody speaks of any more makes room.
        let late = try #require(NodeIdentity(name: "center-b", incarnation: "z1"))
        #expect(!desk.heed(late, now: at(30_000)).isEmpty)
    }
}
