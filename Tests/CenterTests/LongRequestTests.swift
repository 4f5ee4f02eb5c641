import Primitives
import SIP
import Session
import Testing

@testable import Center

/// RFC 3261 §18.1.1, for requests that a center sends inside its dialogs.
@Suite struct LongRequestTests {
    private static let proxy = Endpoint(.v4(0xC000_0201), port: 5060)

    /// A call whose route set makes every request of ours long.
    private func longWay(_ bench: CenterBench) throws -> Phone {
        let phone = Phone(bench)
        let token = String(repeating: "x", count: 1_200)
        phone.recordRoutes = ["<sip:192.0.2.1;lr;t=\(token)>"]
        try phone.establish()
        bench.forgetSent()
        return phone
    }

    @Test func requestThatIsTooLongForADatagramGoesByTCP() throws {
        let bench = try CenterBench()
        _ = try longWay(bench)
        bench.handle(.endAllCalls)
        let bye = try #require(bench.requestsSent(.bye).first)
        #expect(bye.flow.transport == .tcp)
        #expect(bye.flow.remote == Self.proxy)
        // "the value in the top Via MUST be changed."
        #expect(bye.message.via.first?.transport == .tcp)
        #expect(bye.message.bytes.count > LongRequests.datagramLimit)
    }

    @Test func shorterRequestStaysADatagram() throws {
        let bench = try CenterBench()
        try Phone(bench).establish()
        bench.handle(.endAllCalls)
        #expect(bench.requestsSent(.bye).map(\.flow.transport) == [.udp])
    }

    @Test func nodeWithoutTCPSendsDatagrams() throws {
        let bench = try CenterBench { $0.contacts = [.init(host: "10.0.0.1", port: 5081, hasTCP: false)] }
        _ = try longWay(bench)
        bench.handle(.endAllCalls)
        #expect(bench.requestsSent(.bye).map(\.flow.transport) == [.udp])
    }

    /// "the element SHOULD retry the request, using UDP".
    @Test func refusedTCPFallsBackToADatagram() throws {
        let bench = try CenterBench()
        let phone = try longWay(bench)
        bench.handle(.endAllCalls)
        bench.handle(.unreachable(Flow(transport: .tcp, remote: Self.proxy)))
        let byes = bench.requestsSent(.bye)
        #expect(byes.map(\.flow.transport) == [.tcp, .udp])
        let (first, second) = (try #require(byes.first).message, try #require(byes.last).message)
        #expect(second.via.first?.transport == .udp)
        #expect(second.via.first?.branch != first.via.first?.branch)
        #expect(second.cseq == first.cseq)
        #expect(!bench.isIdle)
        try phone.answer(200)
        #expect(bench.isIdle)
    }

    @Test func whoRefusedTCPIsNotAskedAgainSoon() throws {
        let bench = try CenterBench()
        _ = try longWay(bench)
        let second = Phone(bench, callID: "call-2")
        second.recordRoutes = ["<sip:192.0.2.1;lr;t=\(String(repeating: "x", count: 1_200))>"]
        try second.establish()
        let third = Phone(bench, callID: "call-3")
        third.recordRoutes = second.recordRoutes
        try third.establish()
        bench.forgetSent()
        bench.handle(.endAllCalls)
        bench.handle(.unreachable(Flow(transport: .tcp, remote: Self.proxy)))
        let later = Phone(bench, callID: "call-4")
        later.recordRoutes = second.recordRoutes
        try later.establish()
        bench.forgetSent()
        bench.handle(.endAllCalls)
        #expect(bench.requestsSent(.bye).map(\.flow.transport) == [.udp])
    }

    /// The ACK of a 2xx goes the same way, and has no transaction to say it again.
    @Test(arguments: [true, false])
    func longACKGoesByTCPAndByUDPWhereThatBreaks(_ breaks: Bool) throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        phone.recordRoutes = ["<sip:192.0.2.1;lr;t=\(String(repeating: "x", count: 1_200))>"]
        try phone.establish(headers: ["Supported: timer", "Session-Expires: 600;refresher=uas"])
        bench.advance(by: .seconds(300))
        try phone.answer(200, headers: ["Session-Expires: 600;refresher=uac"], body: Phone.offer)
        let ack = try #require(bench.requestsSent(.ack).first)
        #expect(ack.flow.transport == .tcp)
        #expect(ack.message.via.first?.transport == .tcp)
        if !breaks { bench.advance(by: LongRequests.ackMemory) }
        for _ in 0..<2 { bench.handle(.unreachable(Flow(transport: .tcp, remote: Self.proxy))) }
        #expect(bench.requestsSent(.ack).map(\.flow.transport) == (breaks ? [.tcp, .udp] : [.tcp]))
        #expect(bench.requestsSent(.ack).last?.message.via.first?.transport == (breaks ? .udp : .tcp))
    }

    @Test func reinviteThatFellBackIsStillTheCallsOwn() throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        phone.recordRoutes = ["<sip:192.0.2.1;lr;t=\(String(repeating: "x", count: 1_200))>"]
        try phone.establish(headers: ["Supported: timer", "Session-Expires: 600;refresher=uas"])
        bench.advance(by: .seconds(300))
        #expect(bench.requestsSent(.invite).map(\.flow.transport) == [.tcp])
        bench.handle(.unreachable(Flow(transport: .tcp, remote: Self.proxy)))
        #expect(bench.requestsSent(.invite).map(\.flow.transport) == [.tcp, .udp])
        try phone.answer(200, headers: ["Session-Expires: 600;refresher=uac"], body: Phone.offer)
        #expect(bench.requestsSent(.ack).count == 1)
        bench.advance(by: .seconds(299))
        #expect(bench.callCount == 1)
    }
}
