import Primitives
import SIP
import Testing

struct ForwardingEditTests {
    private static let own = Via(transport: .udp, host: "203.0.113.1", port: 5060, branch: "z9hG4bKown")
    private static let source = Endpoint(.v4(0xC000_0207), port: 6111)

    /// The lines of a message, as they stand.
    private func lines(_ message: Message, except names: [HeaderName] = []) -> [String] {
        message.fields.filter { !names.contains($0.name) }.map {
            String(decoding: message.bytes[$0.line], as: UTF8.self)
        }
    }

    @Test(arguments: Corpus.cases.filter { $0.verdict == .accept })
    func forwardingChangesOnlyWhatItNames(entry: Corpus.Case) throws {
        let parser = MessageParser()
        let before = try parser.parse(CorpusTests.bytes(of: entry.name), transport: entry.transport)
        // One Via more would be over the next hop's limit.
        guard before.isRequest, before.via.count < MessageParser.fieldLimit else { return }
        let target = URI(user: "x", host: "2001:db8::99", port: 5081)
        let edit = ForwardingEdit(
            via: Self.own, source: Self.source, requestURI: target, removesFirstRoute: true,
            recordRoutes: ["<sip:203.0.113.1;lr>", "<sip:198.51.100.1;lr>"], removed: ForwardingEdit.untrusted,
            headers: [(.tandemSession, "s1"), (.other("x-new"), "a\r\nb")])
        let bytes = edit.apply(to: before)
        let after = try parser.parse(bytes, transport: .udp)
        #expect(after.startLine == .request(before.method, target))
        #expect(after.via.first == Self.own)
        #expect(after.via.dropFirst().dropFirst() == before.via.dropFirst())
        let stamped = try #require(after.via.dropFirst().first)
        #expect(stamped.branch == before.via[0].branch && stamped.parameters == before.via[0].parameters)
        #expect(stamped.received == "192.0.2.7")
        #expect(stamped.rport == (before.via[0].rport == .absent ? .absent : .filled(6111)))
        #expect(after.routes == Array(before.routes.dropFirst()))
        #expect(
            after.recordRoutes.map(\.uri.host) == ["203.0.113.1", "198.51.100.1"] + before.recordRoutes.map(\.uri.host))
        #expect(after.maxForwards == before.maxForwards.map { max(0, $0 - 1) } ?? 70)
        #expect(after.first(.tandemSession) == "s1")
        #expect(after.values(of: HeaderName("x-new")) == ["a  b"])
        #expect(Array(after.bytes[after.body]) == Array(before.bytes[before.body]))
        let touched: [HeaderName] = [.via, .route, .recordRoute, .maxForwards, .tandemSession, HeaderName("x-new")]
        #expect(lines(after, except: touched) == lines(before, except: touched))
    }

    @Test(arguments: Corpus.cases.filter { $0.verdict == .accept })
    func anEditOfNothingGivesTheSameBytes(entry: Corpus.Case) throws {
        let message = try MessageParser().parse(CorpusTests.bytes(of: entry.name), transport: entry.transport)
        let edit = ForwardingEdit(via: nil, decrementsMaxForwards: false)
        #expect(edit.apply(to: message) == Array(message.bytes[..<message.body.upperBound]))
    }

    /// What one proxy adds to a request, it takes off the response, and nothing else.
    @Test(arguments: Corpus.cases.filter { $0.verdict == .accept })
    func responseLosesItsTopViaOnly(entry: Corpus.Case) throws {
        let parser = MessageParser()
        let message = try parser.parse(CorpusTests.bytes(of: entry.name), transport: entry.transport)
        guard let bytes = ForwardingEdit.response(message) else {
            #expect(message.via.count == 1)
            return
        }
        let after = try parser.parse(bytes, transport: .udp)
        #expect(after.startLine == message.startLine)
        #expect(after.via == Array(message.via.dropFirst()))
        #expect(lines(after, except: [.via]) == lines(message, except: [.via]))
        #expect(Array(after.bytes[after.body]) == Array(message.bytes[message.body]))
    }

    @Test func outsideHeadersAreRemoved() throws {
        let message = try parse(
            """
            BYE sip:a@b SIP/2.0
            v: SIP/2.0/UDP h;branch=z9hG4bK1
            Tandem-Session: forged
            tandem-node: center-a;incarnation=1
            TANDEM-LOAD: calls=0
            P-Asserted-Identity: <sip:ceo@bank.example>
            User-to-User: 56a390f3d2b7310023;encoding=hex
            f: <sip:a@b>;tag=1
            t: <sip:a@b>;tag=2
            i: x
            CSeq: 2 BYE


            """)
        let edit = ForwardingEdit(via: Self.own, removed: ForwardingEdit.untrusted)
        let after = try MessageParser().parse(edit.apply(to: message), transport: .udp)
        #expect(after.fields.map(\.name) == [.via, .maxForwards, .via, .from, .to, .callID, .cseq])
    }

    @Test func theLastRouteTakesItsLineAlong() throws {
        let message = try parse(
            "BYE sip:a@b SIP/2.0\nv: SIP/2.0/UDP h;branch=z9hG4bK1\nRoute: <sip:us;lr>\nf: <sip:a@b>;tag=1\nt: <sip:a@b>;tag=2\ni: x\nCSeq: 2 BYE\n\n"
        )
        let after = try MessageParser().parse(
            ForwardingEdit(via: nil, removesFirstRoute: true).apply(to: message), transport: .udp)
        #expect(after.fields.allSatisfy { $0.name != .route })
    }

    /// §16.6: values of one list stay one list when its first one goes.
    @Test func aListKeepsItsOtherValues() throws {
        let message = try parse(
            "SIP/2.0 200 OK\nVia: SIP/2.0/UDP us;branch=z9hG4bK1;x=\"a,b\" ,  SIP/2.0/UDP them;branch=z9hG4bK2\nf: <sip:a@b>;tag=1\nt: <sip:a@b>;tag=2\ni: x\nCSeq: 2 BYE\n\n"
        )
        let bytes = try #require(ForwardingEdit.response(message))
        #expect(String(decoding: bytes, as: UTF8.self).contains("\r\nVia: SIP/2.0/UDP them;branch=z9hG4bK2\r\nf:"))
    }
}
