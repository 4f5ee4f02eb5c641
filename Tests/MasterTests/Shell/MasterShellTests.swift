import Dispatch
import HTTPKit
import NetworkIO
import Primitives
import Routing
import SIP
import Session
import Store
import Testing

@testable import Master

/// A whole master with its sockets and threads, against small nodes that answer pings.
@Suite(.serialized) struct MasterShellTests {
    @Test func pingsTellANodeWhatHoldsOfIt() async throws {
        try await MasterFixture.run { fixture in
            let center = fixture.centers[0]
            try await eventually("the notice names the incarnation") { center.state.notice?.incarnation == "k1" }
            try await eventually("the notice is a leader's, and says who lives") {
                center.state.notice == NodeNotice(node: "center-a", incarnation: "k1", want: .enabled, leader: 1)
                    && center.state.peers?.peers.map(\.node) == ["center-a", "center-b"]
            }
            #expect(center.state.takeovers.isEmpty)
            let report = try #require(await fixture.node.desk.report()?.nodes.first)
            #expect(report.calls == 3 && report.limit == 100)
            #expect((report.latency_ms ?? -1) >= 0)
        }
    }

    /// As at every node: a response counts under the method that it answers.
    @Test func pingsAndTheirAnswersCountAsOPTIONS() async throws {
        try await MasterFixture.run { fixture in
            let lines = fixture.registry.render().split(separator: "\n").filter {
                $0.contains("tandem_sip_messages_total{")
            }
            for direction in ["in", "out"] {
                let line = lines.first { $0.contains("direction=\"\(direction)\",method=\"OPTIONS\"") }
                #expect(line?.hasSuffix(" 0") == false, "\(lines)")
            }
            #expect(!lines.contains { $0.contains("\"response\"") })
        }
    }

    /// A ping is one datagram: each has a branch of its own, so none is a repetition.
    @Test func pingsAreNeverRepeated() async throws {
        try await MasterFixture.run { fixture in
            let center = fixture.centers[0]
            center.set { $0.isSilent = true }
            try await eventually("it is down") { await fixture.state(of: "center-a") == .down }
            let state = center.state
            #expect(state.branches.count == state.pings)
        }
    }

    /// TAKEOVER, Detection: two ICMP refusals are enough; publish, then fence.
    @Test func aKilledCenterIsRefusedFencedAndOutOfTheTable() async throws {
        try await MasterFixture.run { fixture in
            await fixture.centers[0].kill()
            try await eventually("it is down") { await fixture.state(of: "center-a") == .down }
            let report = try #require(await fixture.node.desk.report()?.nodes.first)
            #expect(report.reason == "port refused 2 times (ICMP)")
            let table = try #require(fixture.node.desk.table.current.value)
            #expect(table.storeID == "store-1")
            #expect(table.centers.map(\.state) == [.down, .up])
            let dead = try Given.node("center-a")
            try await eventually("it is fenced") { await fixture.store.submit(.heartbeat(dead)) == .fenced }
            #expect(fixture.node.desk.alarms.alarms.contains { $0.code == .nodeDown && $0.node == "center-a" })
            #expect(fixture.registry.render().contains("tandem_node_up{node=\"center-a\"} 0"))
            #expect(fixture.registry.render().contains("tandem_node_up{node=\"center-b\"} 1"))
        }
    }

    @Test func aCenterThatStartsAgainComesBackAsAnother() async throws {
        try await MasterFixture.run { fixture in
            let center = fixture.centers[0]
            let endpoint = center.endpoint
            await center.kill()
            try await eventually("it is down") { await fixture.state(of: "center-a") == .down }
            let reborn = try FakeNode("center-a", incarnation: "k2", at: endpoint)
            try await eventually("it is up") { await fixture.state(of: "center-a") == .up }
            try await eventually("it is told so") { reborn.state.notice?.incarnation == "k2" }
            try await eventually("the alarm is cleared") {
                !fixture.node.desk.alarms.alarms.contains { $0.code == .nodeDown }
            }
            await reborn.kill()
        }
    }

    @Test func anotherNodeAtTheAddressIsNoLifeSign() async throws {
        try await MasterFixture.run { fixture in
            fixture.centers[0].set { $0.name = "center-x" }
            try await eventually("it is down") { await fixture.state(of: "center-a") == .down }
            #expect(await fixture.state(of: "center-b") == .up)
        }
    }

    /// Told by the master's pings, the survivor claims; `calls` then shows the new center, and nothing is lost.
    @Test func aSurvivorIsToldAndTakesTheCallsOver() async throws {
        try await MasterFixture.run { fixture in
            let dead = try Given.node("center-a")
            let survivor = try Given.node("center-b")
            for node in [dead, survivor] { _ = await fixture.store.submit(.register(Given.registration(node))) }
            for seed in 1...5 as ClosedRange<UInt64> {
                let write = SessionWrite(Given.checkpoint(seed), under: Ownership(node: dead))
                _ = await fixture.store.submit(.open(write))
            }
            let events = EventList<String>()
            let listener = Task {
                for try await event in fixture.events() { events.add(event.name ?? "") }
            }
            try await eventually("a listener hears what holds") { events.all.contains("node") }
            await fixture.centers[0].kill()
            try await eventually("the survivor is told") {
                fixture.centers[1].state.takeovers
                    == [TakeoverNotice(node: "center-a", incarnation: "k1", leader: 1)]
            }
            #expect(fixture.centers[1].state.peers?.peers.map(\.node) == ["center-b"])
            for seed in 1...5 as ClosedRange<UInt64> {
                let claim = StoreRequest.claim(
                    Given.session(seed), from: Ownership(node: dead), by: survivor, ground: .fenced)
                guard case .claimed = await fixture.store.submit(claim) else {
                    Issue.record("not claimed")
                    return
                }
            }
            try await eventually("it is told no more") { fixture.centers[1].state.takeovers.isEmpty }
            try await eventually("listeners are told") {
                events.all.contains("takeover-begun") && events.all.contains("takeover-ended")
            }
            listener.cancel()
            let calls = try await fixture.get("/api/v1/calls").text
            #expect(calls.components(separatedBy: "\"center\":\"center-b\"").count == 6)
            #expect(!fixture.node.desk.alarms.alarms.contains { $0.code == .callsLost })
            #expect(fixture.registry.render().contains("tandem_takeovers_total 1"))
        }
    }

    @Test func callsOfADeadCenterThatNobodyTakesAreClosedAsLost() async throws {
        try await MasterFixture.run { fixture in
            let owner = Ownership(node: try Given.node("center-a"))
            _ = await fixture.store.submit(.register(Given.registration(owner.node)))
            for seed in 1...5 as ClosedRange<UInt64> {
                _ = await fixture.store.submit(.open(SessionWrite(Given.checkpoint(seed), under: owner)))
            }
            await fixture.centers[0].kill()
            try await eventually("five records say lost") {
                guard case .callRecords(let records) = await fixture.store.submit(.callRecords(limit: 9, before: nil))
                else { return false }
                return records.filter { $0.end == .lost }.count == 5
            }
            try await eventually("an alarm says so") {
                try await fixture.get("/api/v1/alarms").decode([Alarm].self).contains {
                    $0.code == .callsLost && $0.message == "5 calls of center-a were lost: no center took them over"
                }
            }
            #expect(fixture.registry.render().contains("tandem_calls_total{end=\"lost\"} 5"))
        }
    }

    /// What was left when nobody watched: found when the master begins to lead.
    @Test func callsOfEarlierLivesAreClosedAtTheStart() async throws {
        let store = MemoryStore(id: "store-1")
        let owner = Ownership(node: try Given.node("center-a", "k0"))
        _ = await store.submit(.register(Given.registration(owner.node)))
        _ = await store.submit(.open(SessionWrite(Given.checkpoint(1), under: owner)))
        _ = await store.submit(.register(Given.registration(try Given.node("center-a", "k1"))))
        try await MasterFixture.run(store: store) { _ in
            try await eventually("it is closed") {
                guard case .callRecords(let records) = await store.submit(.callRecords(limit: 9, before: nil)) else {
                    return false
                }
                return records.map(\.end) == [.lost]
            }
        }
    }

    @Test func theStoreAwayIsAnAlarmAndRoutesGoOn() async throws {
        try await MasterFixture.run { fixture in
            fixture.store.setTrouble(StoreTrouble(.full, "no space left"))
            try await eventually("the alarm is raised") {
                fixture.node.desk.alarms.alarms.contains {
                    $0.code == .storeAway && $0.message == "full: no space left"
                }
            }
            await fixture.centers[1].kill()
            try await eventually("the table says so") {
                fixture.node.desk.table.current.value?.centers.last?.state == .down
            }
            let health = await fixture.node.health()
            #expect(health.canServe)
            #expect(health.degraded.contains("store: full: no space left"))
            fixture.store.setTrouble(nil)
            try await eventually("the alarm is cleared") {
                !fixture.node.desk.alarms.alarms.contains { $0.code == .storeAway }
            }
        }
    }

    /// The loop is held in the middle of a message, as by a disk that hangs: what waits for it shows in the metrics.
    @Test func theDepthOfTheMailboxMoves() async throws {
        try await MasterFixture.run { fixture in
            func depth() throws -> Int {
                let line = try #require(
                    fixture.registry.render().split(separator: "\n")
                        .first { $0.hasPrefix("tandem_mailbox_depth{loop=\"sip\"} ") })
                return try #require(line.split(separator: " ").last.flatMap { Int($0) })
            }
            let mailbox = fixture.node.desk.mailbox
            let release = DispatchSemaphore(value: 0)
            await withCheckedContinuation { (held: CheckedContinuation<Void, Never>) in
                mailbox.post(
                    .report { _ in
                        held.resume()
                        release.wait()
                    })
            }
            for _ in 1...5 { mailbox.post(.report { _ in }) }
            let waiting = Result { try depth() }
            release.signal()
            #expect(try waiting.get() >= 5)
            try await eventually("it is empty again") { try depth() == 0 }
        }
    }

    @Test func anInviteIsRedirectedByUDPAndTCP() async throws {
        try await MasterFixture.run { fixture in
            let answers = Inbox()
            let target = try #require(fixture.node.endpoints.first)
            let phone = try DatagramLoop.start(LoopConfiguration(name: "phone", listeners: [FakeNode.anyPort])) {
                Phone(inbox: answers, target: target, bytes: Phone.invite("UDP"))
            }
            try await eventually("302 by UDP") { answers.statuses.contains(302) }
            phone.stop()
            await phone.waitUntilStopped()

            let streamed = Inbox()
            let streams = StreamTransport { event in
                if case .message(let bytes, _) = event { streamed.add(bytes) }
                return true
            }
            let flow = Flow(transport: .tcp, remote: try #require(fixture.node.streamEndpoints.first))
            streams.send(Phone.invite("TCP"), to: flow)
            try await eventually("302 by TCP") { streamed.statuses.contains(302) }
            await streams.stop()
        }
    }

    @Test func endingGivesUpTheLead() async throws {
        let store = MemoryStore(id: "store-1")
        try await MasterFixture.run(store: store) { _ in }
        let other = try Given.node("master-b", "m9")
        let reply = await store.submit(.acquireLease(name: "leader", holder: other, duration: .seconds(1)))
        guard case .lease(let lease) = reply else {
            Issue.record("no lease: \(reply)")
            return
        }
        #expect(lease.term.holder == other)
    }
}

/// What came back, by status.
private final class Inbox: Sendable {
    private let received = EventList<[UInt8]>()
    var statuses: [Int] {
        received.all.compactMap { try? MessageParser().parse($0, transport: .udp) }.compactMap(\.status)
    }
    func add(_ bytes: [UInt8]) { received.add(bytes) }
}

/// Sends one INVITE when it starts.
private struct Phone: DatagramHandler {
    let inbox: Inbox
    let target: Endpoint
    let bytes: [UInt8]
    var isSent = false

    static func invite(_ transport: String) -> [UInt8] {
        Array(
            """
            INVITE sip:95533@127.0.0.1:5070 SIP/2.0\r
            Via: SIP/2.0/\(transport) 127.0.0.1:5099;branch=z9hG4bK-\(transport);rport\r
            Max-Forwards: 70\r
            From: <sip:10000007@127.0.0.1>;tag=caller\r
            To: <sip:95533@127.0.0.1>\r
            Call-ID: call-1@127.0.0.1\r
            CSeq: 1 INVITE\r
            Content-Length: 0\r
            \r

            """.utf8)
    }

    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, from source: Endpoint, listener: UInt16, now: MonotonicTime,
        into outbox: inout Outbox
    ) { inbox.add(Array(bytes)) }
    mutating func receive(_ message: Never, now: MonotonicTime, into outbox: inout Outbox) {}
    mutating func nextDeadline() -> MonotonicTime? { isSent ? nil : .zero }
    mutating func fire(now: MonotonicTime, into outbox: inout Outbox) {
        guard !isSent else { return }
        isSent = true
        outbox.send(bytes, to: target, listener: 0)
    }
}
