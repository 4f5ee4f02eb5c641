import Media
import Primitives
import Routing
import SIP
import Session
import Store
import Testing

@testable import Center

/// TAKEOVER.md, The old owner.
@Suite struct StandstillTests {
    private let alive = "center-a;incarnation=k3f9x2"

    private func ping(_ bench: CenterBench, _ notice: String, from flow: Flow = Phone.master) throws {
        let master = Phone(bench, callID: "ping-\(bench.now.monotonic.nanoseconds)-\(notice)", flow: flow)
        try master.send(master.text("OPTIONS", headers: ["Tandem-Node: \(notice)"]))
    }

    /// An established call, the store silent from then on, and a standstill of the loop that reads the sockets.
    private func frozen(gap: Duration = .seconds(6), hasBacklog: Bool = true) throws -> (CenterBench, Phone) {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        bench.storeMode = .silent
        bench.forgetSent()
        bench.stop(for: gap)
        bench.handle(.stoodStill(gap, until: bench.now.monotonic, hasBacklog: hasBacklog))
        return (bench, phone)
    }

    private func answerStanding(_ bench: CenterBench, _ reply: StoreReply) {
        let questions = bench.unanswered.filter { if case .standing = $0.1 { true } else { false } }
        for (_, purpose) in questions { bench.handle(.stored(purpose, reply)) }
    }

    // MARK: Nothing leaves

    @Test func nothingLeavesAfterAStandstillUntilTheStoreConfirms() throws {
        let (bench, phone) = try frozen()
        let info = phone.text("INFO", cseq: 2)
        try phone.send(info)
        bench.advance(by: .seconds(2))
        #expect(bench.sent.isEmpty)
        #expect(bench.mutings.map(\.isMuted) == [true, true])
        answerStanding(bench, .done)
        #expect(bench.sent.isEmpty)
        // The phone repeats what was not answered.
        try phone.send(info)
        #expect(bench.responses(200, to: .info).count == 1)
        #expect(bench.mutings.last?.isMuted == false)
        #expect(bench.callCount == 1)
    }

    @Test func evenWhatCannotBeParsedWaitsForTheConfirmation() throws {
        let (bench, _) = try frozen()
        let request =
            "OPTIONS sip:center-a@10.0.0.2 SIP/7.0\r\nVia: SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKx\r\n"
            + "From: <sip:a@10.1.0.1>;tag=1\r\nTo: <sip:center-a@10.0.0.2>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n"
            + "Content-Length: 0\r\n\r\n"
        bench.receive(bytes: Array(request.utf8))
        #expect(bench.sent.isEmpty)
        answerStanding(bench, .done)
        bench.receive(bytes: Array(request.utf8))
        #expect(bench.sent.count == 1)
    }

    @Test func shorterGapIsNoStandstill() throws {
        let (bench, phone) = try frozen(gap: .milliseconds(399))
        try phone.request("INFO")
        #expect(bench.responses(200, to: .info).count == 1)
        #expect(bench.mutings.isEmpty)
    }

    @Test func storeIsAskedAtOnce() throws {
        let (bench, _) = try frozen(gap: .milliseconds(400))
        let asked = bench.unanswered.map(\.0)
        #expect(asked.contains(.heartbeat(try #require(CenterBench.identity))))
    }

    @Test func storeThatIsAwayIsAskedAgain() throws {
        let (bench, phone) = try frozen()
        bench.storeMode = .away
        answerStanding(bench, .unavailable(StoreTrouble(.locked, "away")))
        bench.advance(by: .seconds(5))
        try phone.request("INFO")
        #expect(bench.sent.isEmpty)
        bench.storeMode = .answers
        bench.advance(by: .milliseconds(100))
        try phone.request("INFO")
        #expect(bench.responses(200, to: .info).count == 1)
    }

    @Test func mastersPingConfirms() throws {
        let (bench, _) = try frozen()
        bench.handle(.caughtUp)
        try ping(bench, alive)
        // The ping itself is answered: that is the first thing that leaves.
        #expect(bench.sent.map(\.message.status) == [200])
        #expect(bench.mutings.last?.isMuted == false)
    }

    /// It was sent before the fence and lay in the socket's buffer while the node was frozen.
    @Test func pingThatWaitedDuringTheStandstillDoesNotConfirm() throws {
        let (bench, phone) = try frozen()
        try ping(bench, alive)
        try phone.request("INFO")
        #expect(bench.sent.isEmpty)
        bench.handle(.caughtUp)
        try phone.request("INFO")
        #expect(bench.sent.isEmpty)
    }

    /// Only the thread that sends audio stood still: the sockets were read all the time.
    @Test func standstillOfTheMediaLoopSilencesSignallingToo() throws {
        let (bench, phone) = try frozen(gap: .milliseconds(500), hasBacklog: false)
        try phone.request("INFO")
        #expect(bench.sent.isEmpty)
        try ping(bench, alive)
        #expect(bench.sent.map(\.message.status) == [200])
    }

    @Test(arguments: ["center-a", "center-a;incarnation=k3f9x9", "center-b;incarnation=k3f9x2"])
    func pingThatDoesNotNameThisIncarnationDoesNotConfirm(_ notice: String) throws {
        let (bench, phone) = try frozen()
        bench.handle(.caughtUp)
        try ping(bench, notice)
        try phone.request("INFO")
        #expect(bench.sent.isEmpty)
    }

    @Test func strangersPingDoesNotConfirm() throws {
        let (bench, phone) = try frozen()
        bench.handle(.caughtUp)
        try ping(bench, alive, from: Phone.flow)
        try phone.request("INFO")
        #expect(bench.sent.isEmpty)
    }

    /// The store said so before the standstill, and its word waited in the mailbox.
    @Test func answerFromBeforeTheStandstillDoesNotConfirm() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        bench.storeMode = .silent
        bench.advance(by: .milliseconds(400))
        let (_, early) = try #require(bench.unanswered.last)
        bench.forgetSent()
        bench.stop(for: .seconds(6))
        bench.handle(.stoodStill(.seconds(6), until: bench.now.monotonic, hasBacklog: true))
        bench.handle(.stored(early, .done))
        try phone.request("INFO")
        #expect(bench.sent.isEmpty)
        answerStanding(bench, .done)
        try phone.request("INFO")
        #expect(bench.responses(200, to: .info).count == 1)
    }

    /// What is due in doubt is done afterwards, and repeated then: here the 200 that has no ACK yet.
    @Test func repetitionsWaitForTheConfirmation() throws {
        let bench = try CenterBench()
        try Phone(bench).invite()
        bench.storeMode = .silent
        bench.forgetSent()
        bench.stop(for: .seconds(3))
        bench.handle(.stoodStill(.seconds(3), until: bench.now.monotonic, hasBacklog: true))
        bench.advance(by: .seconds(1))
        #expect(bench.sent.isEmpty)
        answerStanding(bench, .done)
        bench.advance(by: .seconds(4))
        #expect(!bench.responses(200, to: .invite).isEmpty)
    }

    @Test func newCallInDoubtGetsItsAnswerAfterwards() throws {
        let (bench, _) = try frozen()
        let other = Phone(bench, callID: "call-2")
        let invite = other.text("INVITE", body: Phone.offer)
        try other.send(invite)
        #expect(bench.sent.isEmpty)
        #expect(bench.callCount == 1)
        answerStanding(bench, .done)
        try other.send(invite)
        #expect(bench.responses(503, to: .invite).first?.message.first(.retryAfter) == "1")
    }

    /// What is said as of a time before the media loop's own standstill would be void.
    @Test func mediaIsUnmutedAsOfATimeAfterTheStandstill() throws {
        let bench = try CenterBench()
        try Phone(bench).establish()
        let later = bench.now.monotonic + .microseconds(3)
        bench.handle(.stoodStill(.milliseconds(500), until: later, hasBacklog: false))
        try #require(bench.mutings.map(\.isMuted) == [true, false])
        #expect(bench.mutings[1].asOf >= later)
    }

    // MARK: Connections

    private static let tcp = Flow(
        transport: .tcp, remote: Endpoint(.v4(0xC000_0206), port: 40_000), listener: 0, connection: 7)

    private func frozenOverTCP() throws -> (CenterBench, Phone) {
        let bench = try CenterBench()
        let phone = try Phone(bench, flow: Self.tcp).establish()
        bench.storeMode = .silent
        bench.forgetSent()
        bench.handle(.stoodStill(.seconds(1), until: bench.now.monotonic, hasBacklog: true))
        return (bench, phone)
    }

    /// Nobody repeats anything on a connection.
    @Test func messagesForAConnectionWaitForTheConfirmation() throws {
        let (bench, phone) = try frozenOverTCP()
        try phone.request("INFO")
        try phone.request("OPTIONS")
        #expect(bench.sent.isEmpty)
        answerStanding(bench, .done)
        #expect(bench.sent.map(\.message.cseq.method) == [.info, .options])
        #expect(bench.sent.allSatisfy { $0.message.status == 200 && $0.flow == Self.tcp })
    }

    @Test func messagesForAConnectionAreDroppedWhenTheNodeIsFenced() throws {
        let (bench, phone) = try frozenOverTCP()
        try phone.request("INFO")
        answerStanding(bench, .fenced)
        bench.handle(.fenced(newIdentity: try #require(CenterBench.nextIdentity)))
        bench.advance(by: .seconds(1))
        #expect(bench.sent.isEmpty)
    }

    @Test func staleMessagesForAConnectionAreDropped() throws {
        let (bench, phone) = try frozenOverTCP()
        try phone.request("INFO")
        bench.advance(by: HeldMessages.patience + .milliseconds(1))
        answerStanding(bench, .done)
        #expect(bench.sent.isEmpty)
    }

    @Test func messagesThatWaitAreBounded() throws {
        let (bench, phone) = try frozenOverTCP()
        for _ in 0..<HeldMessages.limit + 50 { try phone.request("INFO") }
        answerStanding(bench, .done)
        #expect(bench.sent.count == HeldMessages.limit)
    }

    /// The transport's own thread was stopped before it wrote.
    @Test func messageThatWasNotWrittenIsHandedBackAndWaitsToo() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench, flow: Self.tcp).establish()
        bench.storeMode = .silent
        let handedIn = bench.now.monotonic
        try phone.request("INFO")
        let bytes = try #require(bench.sent.last).message.bytes
        bench.forgetSent()
        bench.stop(for: .seconds(1))
        bench.handle(.unwritten(bytes, Self.tcp, since: handedIn))
        #expect(bench.sent.isEmpty)
        answerStanding(bench, .done)
        #expect(bench.sent.map(\.message.cseq.method) == [.info])
        // This loop ran all the time: pings go on to count.
        bench.handle(.stoodStill(.milliseconds(500), until: bench.now.monotonic, hasBacklog: false))
        try ping(bench, alive)
        #expect(bench.mutings.last?.isMuted == false)
    }

    @Test func messageOfTheDeadIncarnationThatIsHandedBackIsDropped() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench, flow: Self.tcp).establish()
        let handedIn = bench.now.monotonic
        try phone.request("INFO")
        let bytes = try #require(bench.sent.last).message.bytes
        bench.forgetSent()
        bench.stop(for: .seconds(1))
        bench.handle(.fenced(newIdentity: try #require(CenterBench.nextIdentity)))
        bench.handle(.unwritten(bytes, Self.tcp, since: handedIn))
        bench.advance(by: .seconds(5))
        #expect(bench.sent.isEmpty)
    }

    // MARK: Fenced meanwhile

    @Test func nodeThatWasFencedWhileItStoodStillDropsItsCallsInSilence() throws {
        let (bench, _) = try frozen()
        let call = bench.lastCall
        answerStanding(bench, .fenced)
        #expect(bench.callCount == 0)
        #expect(bench.records.isEmpty)
        #expect(bench.renewals == [try #require(CenterBench.identity)])
        #expect(bench.isClosed(call))
        // RTP and its goodbye are muted before the stream closes.
        let mute = try #require(bench.index { if case .mute(true, _) = $0 { true } else { false } })
        let close = try #require(bench.index { if case .media(_, .close) = $0 { true } else { false } })
        #expect(mute < close)
        bench.handle(.fenced(newIdentity: try #require(CenterBench.nextIdentity)))
        #expect(bench.mutings.last?.isMuted == false)
        bench.advance(by: .seconds(40))
        #expect(bench.sent.isEmpty)
        bench.storeMode = .answers
        answerStanding(bench, .done)
        let phone = try Phone(bench, callID: "call-2").establish()
        #expect(phone.toTag?.hasPrefix("center-a.k3f9x3.") == true)
    }

    /// A BYE of ours that nobody answered before the standstill would end the call at its new owner.
    @Test func requestsOfTheDeadIncarnationAreNotRepeated() throws {
        let bench = try CenterBench()
        try Phone(bench).establish()
        bench.handle(.endAllCalls)
        try #require(bench.requestsSent(.bye).count == 1)
        bench.forgetSent()
        bench.storeMode = .silent
        bench.handle(.stoodStill(.seconds(1), until: bench.now.monotonic, hasBacklog: true))
        answerStanding(bench, .fenced)
        bench.handle(.fenced(newIdentity: try #require(CenterBench.nextIdentity)))
        bench.advance(by: .seconds(40))
        #expect(bench.sent.isEmpty)
    }

    /// Access holds the table: it tells a node that it takes for dead (its OPTIONS have the masters' header).
    @Test func accessTellsAFencedNode() throws {
        let (bench, _) = try frozen()
        try ping(
            bench, "center-a;fenced=k3f9x2", from: Flow(transport: .udp, remote: Endpoint(.v4(0x0A00_0007), port: 5060))
        )
        #expect(bench.callCount == 0)
        #expect(bench.sent.isEmpty)
        #expect(bench.renewals.count == 1)
    }

    /// The word of the fence may come while nobody stood still, as after a cut: audio stops all the same.
    @Test func fencedNodeIsMutedUntilItIsANewOne() throws {
        let bench = try CenterBench()
        try Phone(bench).establish()
        try ping(bench, "center-a;fenced=k3f9x2")
        #expect(bench.mutings.map(\.isMuted) == [true])
        bench.handle(.fenced(newIdentity: try #require(CenterBench.nextIdentity)))
        #expect(bench.mutings.map(\.isMuted) == [true, false])
    }

    // MARK: Isolation

    @Test func nodeThatHearsNobodyForASecondIsMutedAndTakesNoCalls() throws {
        let bench = try CenterBench()
        let phone = try Phone(bench).establish()
        bench.storeMode = .away
        bench.advance(by: .milliseconds(999))
        #expect(bench.mutings.isEmpty)
        bench.advance(by: .milliseconds(1))
        #expect(bench.mutings.map(\.isMuted) == [true])
        try Phone(bench, callID: "call-2").invite()
        #expect(bench.responses(503, to: .invite).first?.message.first(.retryAfter) == "1")
        // Callers get their answers, and a ping ends it.
        try phone.request("INFO")
        #expect(bench.responses(200, to: .info).count == 1)
        try ping(bench, alive)
        #expect(bench.mutings.map(\.isMuted) == [true, false])
        try Phone(bench, callID: "call-3").invite()
        #expect(bench.callCount == 2)
    }

    @Test func nodeWithoutMastersGoesOnWithItsStore() throws {
        let bench = try CenterBench()
        try Phone(bench).establish()
        bench.advance(by: .seconds(60))
        #expect(bench.mutings.isEmpty)
        try Phone(bench, callID: "call-2").invite()
        #expect(bench.callCount == 2)
    }

    @Test func nodeWithoutStoreGoesOnWithItsMasters() throws {
        let bench = try CenterBench()
        try Phone(bench).establish()
        bench.storeMode = .away
        for _ in 0..<20 {
            bench.advance(by: .milliseconds(250))
            try ping(bench, alive)
        }
        #expect(bench.mutings.isEmpty)
    }

    @Test func nodeWithoutStoreAndMastersGoesOnWhileAccessSendsCalls() throws {
        let bench = try CenterBench()
        bench.storeMode = .away
        let access = Flow(transport: .udp, remote: Endpoint(.v4(0x0A00_0007), port: 5060))
        for number in 0..<6 {
            bench.advance(by: .milliseconds(600))
            let phone = Phone(bench, callID: "call-\(number)", flow: access)
            try phone.invite(headers: ["Tandem-Session: 0b2f4c9e-1111-4222-8333-00000000000\(number)"])
        }
        #expect(bench.mutings.isEmpty)
        #expect(bench.callCount == 6)
    }

    /// Without pings the store is asked, and says what the masters cannot.
    @Test func nodeCutOffFromTheMastersLearnsOfItsFenceFromTheStore() throws {
        let bench = try CenterBench()
        try Phone(bench).establish()
        bench.replies = { if case .heartbeat = $0 { .fenced } else { nil } }
        bench.advance(by: Standing.askInterval)
        #expect(bench.renewals.count == 1)
        #expect(bench.callCount == 0)
    }

    @Test func pingedNodeDoesNotAskTheStore() throws {
        let bench = try CenterBench()
        for _ in 0..<20 {
            bench.advance(by: .milliseconds(250))
            try ping(bench, alive)
        }
        #expect(bench.requests.isEmpty)
    }

    @Test func storeThatHangsIsNotAskedForEver() throws {
        let bench = try CenterBench()
        try Phone(bench).establish()
        bench.storeMode = .silent
        bench.advance(by: .seconds(120))
        let questions = bench.unanswered.filter { if case .standing = $0.1 { true } else { false } }
        #expect(questions.count == Standing.questionLimit)
        #expect(bench.mutings.map(\.isMuted) == [true])
        bench.storeMode = .answers
        answerStanding(bench, .done)
        #expect(bench.mutings.map(\.isMuted) == [true, false])
    }
}
