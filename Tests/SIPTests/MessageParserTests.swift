import Primitives
import Testing

@testable import SIP

/// Messages for tests, written with plain line ends.
func wire(_ text: String) -> [UInt8] { Array(text.replacing("\n", with: "\r\n").utf8) }

func parse(_ text: String, transport: Transport = .udp) throws(SIPParseError) -> Message {
    try MessageParser().parse(wire(text), transport: transport)
}

struct MessageParserTests {
    private let invite = """
        INVITE sip:+86-95533;x=y@Bank.example:5070;transport=udp;lr SIP/2.0
        Via: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKp1;custom="a b", SIP/2.0/TCP [2001:db8::1];branch=z9hG4bKa1;rport=9;received=192.0.2.7
        Max-Forwards: 69
        f: "Ann \\"A\\" Lee" <sip:ann%20lee:pw@atlanta.example>;tag=88s;x
        To: sip:95533@bank.example
        i: a84b@pc33
        CSeq: 314 INVITE
        m: <sip:ann@192.0.2.1?a=b>;q=0.5, <tel:+123;ext=4>
        Route: "One, two" <sip:p1.example;lr>, <sip:p2.example;lr>
        Record-Route: <sip:p0.example;lr>
        Subject: one
          two
        Content-Length: 2

        hi
        """

    @Test func requestGivesItsValues() throws {
        let message = try parse(invite)
        let uri = try #require(message.requestURI)
        #expect(message.method == .invite)
        #expect(
            uri
                == URI(
                    user: "+86-95533;x=y", host: "Bank.example", port: 5070,
                    parameters: [Parameter("transport", "udp"), Parameter("lr")]))
        #expect(
            message.via == [
                Via(
                    transport: .udp, host: "192.0.2.9", port: 5062, branch: "z9hG4bKp1",
                    parameters: [Parameter("custom", "a b")]),
                Via(
                    transport: .tcp, host: "2001:db8::1", branch: "z9hG4bKa1", received: "192.0.2.7", rport: .filled(9)),
            ])
        #expect(message.maxForwards == 69)
        #expect(message.from.displayName == "Ann \"A\" Lee")
        #expect(message.from.uri == URI(user: "ann lee", password: "pw", host: "atlanta.example"))
        #expect(message.from.tag == "88s")
        #expect(message.from.parameters == [Parameter("tag", "88s"), Parameter("x")])
        #expect(message.to == NameAddress(uri: URI(user: "95533", host: "bank.example")))
        #expect(message.callID == "a84b@pc33")
        #expect(message.cseq == CSeq(314, .invite))
        #expect(message.contacts.count == 2)
        #expect(message.contacts.first?.uri.headers == "a=b")
        #expect(
            message.contacts.last?.uri == URI(scheme: .tel, user: "+123", host: "", parameters: [Parameter("ext", "4")])
        )
        #expect(message.routes.map(\.uri.host) == ["p1.example", "p2.example"])
        #expect(message.routes.first?.displayName == "One, two")
        #expect(message.recordRoutes.map(\.uri.host) == ["p0.example"])
        #expect(message.first(.subject)?.split(separator: " ") == ["one", "two"])
        #expect(String(decoding: message.bytes[message.body], as: UTF8.self) == "hi")
    }

    @Test func responseGivesItsValues() throws {
        let message = try parse(
            "SIP/2.0 486 Busy Here\nv: SIP/2.0/UDP h;branch=z9hG4bK1\nf: <sip:a@b>;tag=1\nt: <sip:c@d>;TAG=2\ni: x\nCSeq: 1 BYE\n\n"
        )
        #expect(message.startLine == .response(status: 486, reason: "Busy Here"))
        #expect(message.method == .bye)
        #expect(message.to.tag == "2")
        #expect(message.maxForwards == nil)
        #expect(message.body.isEmpty)
    }

    @Test func fieldsKeepTheirPlaces() throws {
        let message = try parse(invite)
        let bytes = message.bytes
        #expect(
            message.fields.map { String(decoding: bytes[$0.line], as: UTF8.self) }.joined().utf8.count == message.body
                .lowerBound - 2 - message.fields[0].line.lowerBound)
        #expect(message.fields.map(\.name).prefix(4) == [.via, .maxForwards, .from, .to])
    }

    @Test func nulInUserIsKept() throws {
        let bytes = try CorpusTests.bytes(of: "escaped-nul-in-user")
        let message = try MessageParser().parse(bytes, transport: .udp)
        #expect(message.from.uri.user == "null-\0-null")
    }

    @Test func aBranchWithoutCookieIsFlagged() throws {
        for (name, flagged) in [
            ("plain-invite", false), ("no-branch", true), ("branch-without-cookie", true), ("branch-only-cookie", true),
        ] {
            let message = try MessageParser().parse(CorpusTests.bytes(of: name), transport: .udp)
            #expect(message.via.first?.hasMagicCookie == !flagged, "\(name)")
        }
    }

    /// The memory of one message must not show in the next, nor may a message that outgrows the arena differ.
    @Test func aSmallArenaGivesTheSameMessages() throws {
        let small = MessageParser(arenaCapacity: 64)
        let large = MessageParser()
        for entry in Corpus.cases where entry.verdict == .accept {
            let bytes = try CorpusTests.bytes(of: entry.name)
            let first = try small.parse(bytes, transport: entry.transport)
            let second = try large.parse(bytes, transport: entry.transport)
            #expect(first.via == second.via && first.from == second.from && first.to == second.to)
            #expect(first.startLine == second.startLine && first.contacts == second.contacts)
        }
    }

    @Test func headerNamesCompareWithoutCaseAndCompact() {
        #expect(HeaderName("vIA") == .via)
        #expect(HeaderName("v") == .via)
        #expect(HeaderName("X-Thing") == .other("x-thing"))
        #expect(HeaderName("TANDEM-session") == .tandemSession)
        #expect(HeaderName("p-asserted-IDENTITY") == .pAssertedIdentity)
        #expect(HeaderName("x-thing").description == "X-Thing")
        #expect(HeaderName.userToUser.description == "User-to-User")
    }

    @Test func everyKnownNameIsFoundByItsSpelling() {
        for name in HeaderName.known { #expect(HeaderName(name.description.uppercased()) == name) }
    }

    /// RFC 3261 §7: lines end with CRLF, and neither half stands alone.
    @Test(arguments: [13, 10] as [UInt8]) func aBareLineEndAnywhereInTheHeadIsRefused(byte: UInt8) throws {
        let bytes = Array(invite.replacing("\n", with: "\r\n").utf8)
        let head = try MessageParser().parse(bytes, transport: .udp).body.lowerBound
        for place in 1..<head - 1 {
            var spoiled = bytes
            spoiled.insert(byte, at: place)
            #expect(throws: SIPParseError.self) { try MessageParser().parse(spoiled, transport: .udp) }
        }
    }

    /// RFC 3261 §18.2.2, RFC 3581 §4, for what cannot be parsed: its topmost Via says where the answer goes, if it can.
    @Test(arguments: [
        ("SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK1", 5070), ("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1", 5060),
        ("SIP/2.0/UDP phone.example : 5071 ;branch=z9hG4bK1", 5071), ("SIP/2.0/UDP [2001:db8::9]:5072", 5072),
        ("SIP/2.0/UDP [2001:db8::9]", 5060), ("SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK1;rport", 40_000),
        ("SIP/2.0/UDP 192.0.2.9:70000", 40_000), ("SIP/2.0/UDP 192.0.2.9:", 40_000), ("nonsense:x", 40_000),
        ("SIP/2.0/UDP 192.0.2.9:5070, SIP/2.0/UDP 192.0.2.8:5090", 5070),
    ])
    func answerToWhatCannotBeParsedGoesWhereItsViaSays(_ via: String, _ port: UInt16) throws {
        let text = "OPTIONS sip:a@b SIP/2.0\nVia: \(via)\nFrom: x\nTo: y\nCall-ID: c\nCSeq: x OPTIONS\n\n"
        let flow = Flow(transport: .udp, remote: Endpoint(.v4(0xC000_0209), port: 40_000))
        do {
            _ = try parse(text)
            Issue.record("parsed")
        } catch {
            #expect(error.responseFlow(on: flow).remote == Endpoint(flow.remote.address, port: port))
            let connection = Flow(transport: .tcp, remote: flow.remote, connection: 3)
            #expect(error.responseFlow(on: connection) == connection)
        }
    }
}
