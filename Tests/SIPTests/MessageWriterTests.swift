import Primitives
import SIP
import Testing

struct MessageWriterTests {
    private let invite = """
        INVITE sip:95533@bank.example SIP/2.0
        Via: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKa1, SIP/2.0/TCP p.example;branch=z9hG4bKp
        Via: SIP/2.0/UDP q.example;branch=z9hG4bKq
        Route: <sip:r1.example;lr>, <sip:r2.example;lr>
        Record-Route: <sip:rr.example;lr>
        From: Ann <sip:ann@atlanta.example>;tag=1
        To: <sip:95533@bank.example>
        Call-ID: call@atlanta.example
        CSeq: 314 INVITE
        Timestamp: 54
        Max-Forwards: 70


        """

    private func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "\n")
    }

    /// RFC 3261 §8.2.6.2: "The From field of the response MUST equal the From header field of the request. … "
    @Test func responseCopiesWhatItMust() throws {
        let request = try parse(invite)
        let bytes = MessageWriter.response(
            to: request, status: 200, toTag: "b7", source: Endpoint("192.0.2.5:6000"),
            contact: NameAddress(uri: URI(host: "192.0.2.9", port: 5081)), headers: [(.supported, "timer")],
            body: ("application/sdp", Array("v=0\r\n".utf8)))
        #expect(
            text(bytes) == """
                SIP/2.0 200 OK
                Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKa1;received=192.0.2.5;rport=6000, SIP/2.0/TCP p.example;branch=z9hG4bKp
                Via: SIP/2.0/UDP q.example;branch=z9hG4bKq
                Record-Route: <sip:rr.example;lr>
                From: Ann <sip:ann@atlanta.example>;tag=1
                To: <sip:95533@bank.example>;tag=b7
                Call-ID: call@atlanta.example
                CSeq: 314 INVITE
                Contact: <sip:192.0.2.9:5081>
                Supported: timer
                Content-Type: application/sdp
                Content-Length: 5

                v=0

                """)
    }

    /// §8.2.6.1: a 100 needs no To tag and takes the Timestamp along.
    @Test func tryingHasTimestampAndNoTag() throws {
        let answer = try MessageParser().parse(
            MessageWriter.response(to: parse(invite), status: 100, toTag: "x"), transport: .udp)
        #expect(answer.to.tag == nil)
        #expect(answer.first(.timestamp) == "54")
        #expect(answer.recordRoutes.isEmpty)
    }

    @Test func anExistingToTagStays() throws {
        let request = try parse(
            invite.replacing("To: <sip:95533@bank.example>", with: "To: <sip:95533@bank.example>;tag=old"))
        let answer = try MessageParser().parse(
            MessageWriter.response(to: request, status: 481, toTag: "new"), transport: .udp)
        #expect(answer.to.parameters == [Parameter("tag", "old")])
        #expect(answer.recordRoutes.isEmpty)
    }

    /// RFC 3581 §4 with spoofed values from the client.
    @Test func claimedReceivedAndRportAreReplaced() throws {
        let request = try parse(
            invite.replacing(";rport;", with: ";received=9.9.9.9;rport=1;ttl=3;"))
        let answer = try MessageParser().parse(
            MessageWriter.response(to: request, status: 100, source: Endpoint("[2001:db8::5]:6000")), transport: .udp)
        #expect(answer.via.first?.received == "2001:db8::5")
        #expect(answer.via.first?.rport == .filled(6000))
        #expect(answer.via.first?.parameters == [Parameter("ttl", "3")])
        #expect(answer.via.first?.branch == "z9hG4bKa1")
    }

    /// §18.2.1: received is added only where sent-by differs.
    @Test func receivedIsLeftOutWhereSentByIsTheSource() throws {
        let request = try parse(invite.replacing(";rport;", with: ";"))
        let same = try MessageParser().parse(
            MessageWriter.response(to: request, status: 100, source: Endpoint("10.0.0.1:5060")), transport: .udp)
        let other = try MessageParser().parse(
            MessageWriter.response(to: request, status: 100, source: Endpoint("10.0.0.2:5060")), transport: .udp)
        #expect(same.via.first?.received == nil)
        #expect(other.via.first?.received == "10.0.0.2")
        #expect(other.via.first?.rport == .absent)
    }

    @Test func requestRoundTrips() throws {
        let via = Via(transport: .udp, host: "2001:db8::1", port: 5060, branch: "z9hG4bK1", rport: .requested)
        let from = NameAddress(
            displayName: "A \"q\" \\ B", uri: URI(user: "a b@c", host: "h.example"),
            parameters: [Parameter("tag", "t1"), Parameter("odd", "x;y z"), Parameter("flag")])
        let to = NameAddress(uri: URI(scheme: .tel, user: "+123", host: "", parameters: [Parameter("ext", "1")]))
        let uri = URI(
            scheme: .sips, user: "*9:7", host: "2001:db8::2", port: 5061,
            parameters: [Parameter("transport", "tcp"), Parameter("p", "a;b")])
        let bytes = MessageWriter.request(
            method: .other("HELLO"), uri: uri, via: via, from: from, to: to, callID: "c1", cseq: 7, maxForwards: 3,
            contact: NameAddress(uri: URI(host: "here.example")),
            routes: [NameAddress(uri: URI(host: "r", parameters: [Parameter("lr")]))],
            headers: [(.other("x-thing"), "value")], body: ("text/plain", [1, 2, 3]))
        let message = try MessageParser().parse(bytes, transport: .tcp)
        #expect(message.startLine == .request(.other("HELLO"), uri))
        #expect(message.via == [via])
        #expect(message.from == from)
        #expect(message.to == to)
        #expect(message.cseq == CSeq(7, .other("HELLO")))
        #expect(message.maxForwards == 3)
        #expect(message.routes.count == 1 && message.contacts.count == 1)
        #expect(message.first(HeaderName("X-THING")) == "value")
        #expect(Array(message.bytes[message.body]) == [1, 2, 3])
    }

    @Test func noTextEndsItsLine() throws {
        let evil = "x\r\nInjected: yes\r\n\r\nbody\0"
        let bytes = MessageWriter.request(
            method: .other(evil), uri: URI(user: evil, host: "h"),
            via: Via(
                transport: .other(evil), host: evil, branch: evil, received: evil, parameters: [Parameter(evil, evil)]),
            from: NameAddress(
                displayName: evil, uri: URI(scheme: .other(evil), user: evil, host: evil),
                parameters: [Parameter(evil, evil)]),
            to: NameAddress(
                uri: URI(user: evil, password: evil, host: evil, parameters: [Parameter(evil, evil)], headers: evil)),
            callID: evil, cseq: 1, headers: [(.other(evil), evil)], body: (evil, []))
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false)
        #expect(!lines.contains { $0.hasPrefix("Injected") })
        #expect(lines.count == 12)
        #expect(!bytes.contains(0))
    }

    /// RFC 3261 §17.1.1.3: the ACK has one Via, the topmost of the INVITE, its Call-ID, From, Request-URI and Routes, the
    /// To of the response, and the CSeq number with the method ACK.
    @Test func acknowledgeFollowsTheInvite() throws {
        let request = try parse(invite)
        let final = try MessageParser().parse(
            MessageWriter.response(to: request, status: 486, toTag: "b7"), transport: .udp)
        let expected = """
            ACK sip:95533@bank.example SIP/2.0
            Via: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKa1
            Max-Forwards: 70
            Route: <sip:r1.example;lr>, <sip:r2.example;lr>
            From: Ann <sip:ann@atlanta.example>;tag=1
            To: <sip:95533@bank.example>;tag=b7
            Call-ID: call@atlanta.example
            CSeq: 314 ACK
            Content-Length: 0


            """
        #expect(MessageWriter.acknowledge(invite: request, final: final).map(text) == expected)
        #expect(MessageWriter.acknowledge(invite: wire(invite), final: final).map(text) == expected)
    }

    /// §9.1: "The Request-URI, Call-ID, To, the numeric part of CSeq, and From header fields in the CANCEL request MUST be
    /// identical to those in the request being cancelled, including tags."
    @Test func cancelFollowsTheInvite() throws {
        let bytes = try #require(MessageWriter.cancel(invite: wire(invite)))
        let cancel = try MessageParser().parse(bytes, transport: .udp)
        let request = try parse(invite)
        #expect(cancel.method == .cancel && cancel.requestURI == request.requestURI)
        #expect(cancel.via == [request.via[0]])
        #expect(cancel.to == request.to && cancel.from == request.from && cancel.callID == request.callID)
        #expect(cancel.cseq == CSeq(314, .cancel))
        #expect(cancel.routes == request.routes)
        #expect(MessageWriter.cancel(invite: request) == bytes)
        #expect(MessageWriter.cancel(invite: bytes) == nil)
    }
}
