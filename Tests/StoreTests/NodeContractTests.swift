import Primitives
import Routing
import Session
import Testing

@testable import Store

@Suite struct NodeContractTests {
    @Test(arguments: EngineKind.allCases) func aNodeIsListedAsItRegistered(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let registration = Given.registration(try Given.node("center-a"))
        #expect(store.ask(.register(registration)) == .done)
        store.pass(.seconds(1))
        #expect(store.ask(.heartbeat(registration.identity)) == .done)
        #expect(
            store.ask(.nodes)
                == .nodes([
                    NodeRow(
                        registration: registration, registered: Given.start,
                        lastHeartbeat: Given.start + .seconds(1), isFenced: false, administrative: .enabled)
                ]))
        #expect(store.ask(.heartbeat(try Given.node("center-b"))) == .notFound)
    }

    @Test(arguments: EngineKind.allCases) func aRestartFencesTheLifeBefore(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let (first, second) = (try Given.node("center-a", "i1"), try Given.node("center-a", "i2"))
        _ = store.ask(.register(Given.registration(first)))
        _ = store.ask(.open(Given.write(Given.checkpoint(1), first)))
        #expect(store.ask(.register(Given.registration(second))) == .done)
        #expect(store.ask(.heartbeat(first)) == .fenced)
        #expect(store.ask(.register(Given.registration(first))) == .fenced)
        #expect(store.ask(.checkpoint(Given.write(Given.checkpoint(1), first))) == .notOwner)
        #expect(store.ask(.session(Given.session(1))).head?.ownerFenced == true)
        guard case .nodes(let rows) = store.ask(.nodes) else { return unexpectedReply() }
        #expect(rows.map(\.registration.identity) == [second])
        guard
            case .claimed = store.ask(
                .claim(Given.session(1), from: Ownership(node: first), by: second, ground: .fenced))
        else { return unexpectedReply("a restarted node reclaims its own") }
    }

    @Test(arguments: EngineKind.allCases) func administrativeStateSurvivesARestartAndIsAudited(_ kind: EngineKind)
        throws
    {
        var store = try StoreUnderTest(kind)
        _ = store.ask(.register(Given.registration(try Given.node("center-a", "i1"))))
        #expect(store.ask(.administer(node: "center-a", .draining, by: "li", under: nil)) == .done)
        #expect(store.ask(.administer(node: "center-a", .disabled, by: "wu", under: nil)) == .done)
        _ = store.ask(.register(Given.registration(try Given.node("center-a", "i2"))))
        guard case .nodes(let rows) = store.ask(.nodes) else { return unexpectedReply() }
        #expect(rows.map(\.administrative) == [.disabled])
        #expect(
            store.ask(.administrativeChanges(limit: 9))
                == .administrativeChanges([
                    AdministrativeChange(at: Given.start, node: "center-a", state: .disabled, by: "wu"),
                    AdministrativeChange(at: Given.start, node: "center-a", state: .draining, by: "li"),
                ]))
    }

    /// Access nodes never register, and other nodes are rolled ever again.
    @Test(arguments: EngineKind.allCases) func theNewestOrderOfEachNodeStandsHoweverManyCameSince(_ kind: EngineKind)
        throws
    {
        var store = try StoreUnderTest(kind)
        #expect(store.ask(.standingOrders) == .administrativeChanges([]))
        var orders: [StoreRequest] = [
            .administer(node: "access-1", .disabled, by: "li", under: nil),
            .administer(node: "access-1", .draining, by: "wu", under: nil),
        ]
        for round in 1...600 {
            orders.append(.administer(node: "center-b", .draining, by: "roll \(round)", under: nil))
            orders.append(.administer(node: "center-b", .enabled, by: "roll \(round)", under: nil))
        }
        let replies = try store.ask(all: orders)
        #expect(replies.allSatisfy { $0 == .done })
        store.pass(.seconds(1))
        #expect(store.ask(.administer(node: "center-a", .draining, by: "li", under: nil)) == .done)
        #expect(
            store.ask(.standingOrders)
                == .administrativeChanges([
                    AdministrativeChange(at: Given.start, node: "access-1", state: .draining, by: "wu"),
                    AdministrativeChange(
                        at: Given.start + .seconds(1), node: "center-a", state: .draining, by: "li"),
                    AdministrativeChange(at: Given.start, node: "center-b", state: .enabled, by: "roll 600"),
                ]))
    }

    @Test(arguments: EngineKind.allCases) func aLeaseHasOneHolderAndEachTermItsEpoch(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let (a, b) = (try Given.node("master-a"), try Given.node("master-b"))
        func ask(_ holder: NodeIdentity) -> Lease? {
            let reply = store.ask(.acquireLease(name: "leader", holder: holder, duration: .seconds(1)))
            if case .lease(let lease) = reply { return lease } else { return nil }
        }
        let first = LeaderTerm(lease: "leader", holder: a, epoch: 1)
        #expect(ask(a) == Lease(term: first, remaining: .seconds(1)))
        store.pass(.milliseconds(600))
        #expect(ask(b) == Lease(term: first, remaining: .milliseconds(400)))
        #expect(ask(a) == Lease(term: first, remaining: .seconds(1)))
        store.pass(.milliseconds(999))
        #expect(ask(b)?.term == first)
        store.pass(.milliseconds(1))
        #expect(ask(b)?.term == LeaderTerm(lease: "leader", holder: b, epoch: 2))
        #expect(ask(a)?.term.holder == b)
    }

    @Test(arguments: EngineKind.allCases) func aLeaseOfAnotherBootIsOver(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let (a, b) = (try Given.node("master-a"), try Given.node("master-b"))
        _ = store.ask(.acquireLease(name: "leader", holder: a, duration: .seconds(3600)))
        store.now.bootID = "boot-2"
        store.now.sinceBoot = .zero
        let reply = store.ask(.acquireLease(name: "leader", holder: b, duration: .seconds(1)))
        #expect(reply == .lease(Lease(term: LeaderTerm(lease: "leader", holder: b, epoch: 2), remaining: .seconds(1))))
    }

    @Test(arguments: EngineKind.allCases) func aStaleLeadersCommandsAreRefused(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        let (a, b, center) = (try Given.node("master-a"), try Given.node("master-b"), try Given.node("center-a"))
        _ = store.ask(.acquireLease(name: "leader", holder: a, duration: .seconds(1)))
        let old = LeaderTerm(lease: "leader", holder: a, epoch: 1)
        #expect(store.ask(.administer(node: "center-a", .draining, by: "li", under: old)) == .done)
        #expect(store.ask(.releaseLease(old)) == .done)
        _ = store.ask(.acquireLease(name: "leader", holder: b, duration: .seconds(1)))
        #expect(store.ask(.fence(center, under: old)) == .staleLeader)
        #expect(store.ask(.administer(node: "center-a", .enabled, by: "li", under: old)) == .staleLeader)
        #expect(store.ask(.heartbeat(center)) == .notFound)
        #expect(store.ask(.releaseLease(old)) == .done)
        #expect(store.ask(.fence(center, under: LeaderTerm(lease: "leader", holder: b, epoch: 2))) == .done)
        #expect(store.ask(.fence(a, under: nil)) == .done)
        #expect(store.ask(.acquireLease(name: "other", holder: a, duration: .seconds(1))) == .fenced)
    }

    @Test(arguments: EngineKind.allCases) func menusAreKeptByTheirHash(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        #expect(store.ask(.menu(hash: "h")) == .notFound)
        #expect(store.ask(.putMenu(hash: "h", Array("states:".utf8))) == .done)
        #expect(store.ask(.putMenu(hash: "h", Array("states:".utf8))) == .done)
        #expect(store.ask(.menu(hash: "h")) == .menu(Array("states:".utf8)))
        #expect(store.ask(.putMenu(hash: "empty", [])) == .done)
        #expect(store.ask(.menu(hash: "empty")) == .menu([]))
        let large = [UInt8](repeating: 0, count: StoreRequest.menuSizeLimit + 1)
        #expect(store.ask(.putMenu(hash: "large", large)) != .done)
    }

    @Test(arguments: EngineKind.allCases) func theStoreKnowsItself(_ kind: EngineKind) throws {
        var store = try StoreUnderTest(kind)
        guard case .identity(let identity) = store.ask(.identity) else { return unexpectedReply() }
        #expect(!identity.id.isEmpty)
        #expect(identity.pinKeyID == nil)
        #expect(store.ask(.bindPINKey(id: "k1")) == .done)
        #expect(store.ask(.bindPINKey(id: "k1")) == .done)
        #expect(store.ask(.bindPINKey(id: "k2")) == .wrongKey(expected: "k1"))
        guard case .identity(let bound) = store.ask(.identity) else { return unexpectedReply() }
        #expect(bound.pinKeyID == "k1")
    }

    @Test func nodesWriteTheNewestFormatThatAllCanRead() throws {
        func row(_ versions: ClosedRange<Int>, fenced: Bool = false, role: NodeRole = .center) throws -> NodeRow {
            var registration = Given.registration(try Given.node("n"), role: role)
            registration.checkpointVersions = versions
            return NodeRow(
                registration: registration, registered: Given.start, lastHeartbeat: Given.start, isFenced: fenced,
                administrative: .enabled)
        }
        #expect(NodeRow.commonCheckpointVersion(of: []) == Checkpoint.currentVersion)
        #expect(NodeRow.commonCheckpointVersion(of: [try row(1...3), try row(1...1)]) == 1)
        #expect(NodeRow.commonCheckpointVersion(of: [try row(0...0)]) == 0)
        #expect(NodeRow.commonCheckpointVersion(of: [try row(0...0, fenced: true)]) == Checkpoint.currentVersion)
        #expect(NodeRow.commonCheckpointVersion(of: [try row(2...3)]) == nil)
        #expect(NodeRow.commonCheckpointVersion(of: [try row(0...0, role: .master)]) == 0, "it writes records of them")
        let gone = try row(0...0)
        #expect(NodeRow.commonCheckpointVersion(of: [gone], heardSince: Given.start) == 0)
        #expect(
            NodeRow.commonCheckpointVersion(of: [gone], heardSince: Given.start + .seconds(1))
                == Checkpoint.currentVersion)
    }
}
