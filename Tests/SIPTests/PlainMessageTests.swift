import Primitives
import Testing

@testable import SIP

/// A message that is read without libosip2 is one that libosip2, with the checks around it, reads alike.
@Suite struct PlainMessageTests {
    private static let invite = """
        INVITE sip:95533@10.0.0.1:5060;transport=udp SIP/2.0\r
        Via: SIP/2.0/UDP 10.0.0.9:5062;branch=z9hG4bKp1;rport, SIP/2.0/TCP phone.example;received=10.0.0.8;x=y\r
        Max-Forwards: 70\r
        Record-Route: <sip:10.0.0.2;lr>, <sip:10.0.0.3:5061;transport=tcp;lr>\r
        Route: <sip:10.0.0.1;lr;t=abc>\r
        From: "Alice A." <sip:alice@10.0.0.9>;tag=a1\r
        t: <sip:95533@10.0.0.1>;tag=b2;x\r
        Call-ID: c1@10.0.0.9\r
        CSeq: 12 INVITE\r
        Contact: <sip:alice@10.0.0.9:5062;ob>;expires=60\r
        X-Other: 1\r
        Content-Type: application/sdp\r
        Content-Length: 3\r
        \r
        v=0
        """
    private static let response = """
        SIP/2.0 180 Ringing Now\r
        v: SIP/2.0/UDP 10.0.0.9:5062;branch=z9hG4bKp1;rport=7000\r
        From: <sip:alice@10.0.0.9>;tag=a1\r
        To: <sip:95533@10.0.0.1>;tag=b2\r
        Call-ID: c1@10.0.0.9\r
        CSeq: 12 INVITE\r
        Contact: <sip:10.0.0.5:5080>\r
        Content-Length: 0\r
        \r

        """

    /// Both readings; nil for what is refused.
    private func both(_ bytes: [UInt8], _ transport: Transport) -> (plain: Message?, whole: Message?) {
        let arena = Arena(capacity: 64 * 1024)
        return bytes.withUnsafeBytes { buffer in
            guard let head = try? HeadIndex(of: buffer) else { return (nil, nil) }
            let plain = PlainMessage(head, of: buffer, transport: transport).map {
                Message(bytes: bytes, lines: head.lines, method: $0.method, places: $0.places, eager: nil)
            }
            arena.enter()
            defer { arena.leave() }
            guard let parsed = try? ParsedMessage(head, of: buffer, in: arena) else { return (plain, nil) }
            return (plain, try? parsed.message(holding: bytes, transport: transport))
        }
    }

    private func expectAlike(_ plain: Message, _ whole: Message?, _ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let whole else {
            Issue.record("only refused by libosip2: \(text)")
            return
        }
        #expect(plain.startLine == whole.startLine && plain.via == whole.via, "\(text)")
        #expect(plain.from == whole.from && plain.to == whole.to && plain.callID == whole.callID, "\(text)")
        #expect(plain.cseq == whole.cseq && plain.maxForwards == whole.maxForwards, "\(text)")
        #expect(plain.contacts == whole.contacts && plain.routes == whole.routes, "\(text)")
        #expect(plain.recordRoutes == whole.recordRoutes && plain.body == whole.body, "\(text)")
        #expect(plain.requestHop == whole.requestHop && plain.senderHop == whole.senderHop, "\(text)")
        #expect(plain.hasToTag == whole.hasToTag && plain.sentBy == whole.sentBy, "\(text)")
        #expect(
            ServerIdentity(plain, method: plain.method) == ServerIdentity(whole, method: whole.method), "\(text)")
    }

    @Test(arguments: Corpus.cases) func theCorpusIsReadAlike(entry: Corpus.Case) throws {
        let bytes = try CorpusTests.bytes(of: entry.name)
        let (plain, whole) = both(bytes, entry.transport)
        if let plain { expectAlike(plain, whole, bytes) }
    }

    @Test(arguments: [invite, response]) func usualMessagesArePlain(text: String) throws {
        let (plain, whole) = both(Array(text.utf8), .udp)
        expectAlike(try #require(plain), whole, Array(text.utf8))
    }

    /// Bytes changed, left out, doubled: what the plain reader still takes, both take alike.
    @Test(arguments: 1...8) func spoiledMessagesAreReadAlike(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let letters = Array(" \t\r\n:;,=@<>\"%\\/?&.0159aZ-_*[]{}\u{e9}".utf8)
        var taken = 0
        for _ in 0..<6_000 {
            var bytes = Array((Bool.random(using: &random) ? Self.invite : Self.response).utf8)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                let letter = letters[Int.random(in: 0..<letters.count, using: &random)]
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] = letter
                case 1: bytes.insert(letter, at: place)
                case 2: bytes.remove(at: place)
                default: bytes.insert(contentsOf: bytes[place..<min(place + 30, bytes.count)], at: place)
                }
            }
            let (plain, whole) = both(bytes, .udp)
            guard let plain else { continue }
            taken += 1
            expectAlike(plain, whole, bytes)
        }
        #expect(taken > 300)
    }
}
