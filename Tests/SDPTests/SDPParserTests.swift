import Primitives
import SDP
import Testing

@Suite struct SDPParserTests {
    @Test func sippBuiltInOfferIsRead() throws {
        let session = try description(
            "v=0", "o=user1 53655765 2353687637 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
            "m=audio 6000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000")
        #expect(session.origin.username == "user1")
        #expect(session.origin.version == 2_353_687_637)
        #expect(session.connection?.address == IPAddress("127.0.0.1"))
        #expect(session.media.count == 1)
        #expect(session.media[0].port == 6000)
        #expect(session.media[0].formats == ["0"])
        #expect(session.media[0].value(of: "rtpmap", format: "0") == "PCMU/8000")
    }

    @Test func whatWasWrittenReadsBackTheSame() throws {
        let text = sdp(
            "v=0", "o=- 18446744073709551615 7 IN IP6 2001:db8::1", "s=a call", "c=IN IP6 2001:db8::1", "t=1 2",
            "a=group:BUNDLE a", "m=audio 4000/2 RTP/AVP 8 101", "c=IN IP6 2001:db8::2", "a=sendonly", "a=ptime:30",
            "m=video 0 RTP/AVP 31")
        #expect(try SessionDescription(parsing: text).bytes == text)
    }

    @Test(arguments: [
        "v=0\no=- 1 1 IN IP4 1.2.3.4\ns=-\nm=audio 9 RTP/AVP 8",
        "v=0\r\ns=-\r\na=x\r\nt=0 0\r\no=- 1 1 IN IP4 1.2.3.4\r\nm=audio 9 RTP/AVP 8\r\n\r\n\r\n",
        "v=0\r\no=- x y IN IP4 1.2.3.4 more\r\nz=0 0\r\nm=audio 9 RTP/AVP 8\r\n",
        "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=\r\nm=audio 9 RTP/AVP 8\r\nq=what\r\n",
    ])
    func harmlessFaultsAreForgiven(text: String) throws {
        let session = try SessionDescription(parsing: Array(text.utf8))
        #expect(session.media.first?.formats == ["8"])
        #expect(session.timings == ["0 0"])
    }

    @Test(arguments: [
        ("", SDPError.empty),
        ("v=1\r\n", .version),
        ("o=- 1 1 IN IP4 1.2.3.4\r\n", .version),
        ("hello", .version),
        ("v=0\r\ns=-\r\n", .noOrigin),
        ("v=0\r\no=- 1 1 IN IP4\r\n", .malformed(line: 2)),
        ("v=0\r\no=- 1 1 IN IP4 h\r\n\r\ns=-\r\n", .malformed(line: 4)),
        ("v=0\r\no=- 1 1 IN IP4 h\r\nc=IN IP4\r\n", .malformed(line: 3)),
        ("v=0\r\no=- 1 1 IN IP4 h\r\nt=0 x\r\n", .malformed(line: 3)),
        ("v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 65536 RTP/AVP 0\r\n", .malformed(line: 3)),
        ("v=0\r\no=- 1 1 IN IP4 h\r\nm=audio -1 RTP/AVP 0\r\n", .malformed(line: 3)),
        ("v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 1 RTP/AVP\r\n", .malformed(line: 3)),
        ("v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 1/0 RTP/AVP 0\r\n", .malformed(line: 3)),
        ("v=0\r\no=- 1 1 IN IP4 h\r\nm=aud\u{7F}io 1 RTP/AVP 0\r\n", .malformed(line: 3)),
        ("v=0\r\no=- 1 1 IN IP4 h\r\nX=1\r\n", .malformed(line: 3)),
        ("v=0\r\nv=0\r\n", .malformed(line: 2)),
    ])
    func faultsAreNamedWithTheirLine(text: String, error: SDPError) {
        #expect(throws: error) { try SessionDescription(parsing: Array(text.utf8)) }
    }

    @Test func everyLimitIsKept() {
        let head = "v=0\r\no=- 1 1 IN IP4 h\r\n"
        func parse(_ text: String) throws { _ = try SessionDescription(parsing: Array((head + text).utf8)) }
        #expect(throws: SDPError.tooLong) { try parse(String(repeating: "a", count: SDPLimits.bytes)) }
        #expect(throws: SDPError.tooMany(.lines, line: 513)) { try parse(String(repeating: "i=x\n", count: 511)) }
        #expect(throws: SDPError.tooMany(.attributes, line: 131)) {
            try parse(String(repeating: "a=x\n", count: 129))
        }
        #expect(throws: SDPError.tooMany(.media, line: 19)) {
            try parse(String(repeating: "m=audio 1 RTP/AVP 0\n", count: 17))
        }
        #expect(throws: SDPError.tooMany(.formats, line: 3)) {
            try parse("m=audio 1 RTP/AVP" + String(repeating: " 0", count: 65))
        }
        #expect(throws: SDPError.tooMany(.timings, line: 11)) { try parse(String(repeating: "t=0 0\n", count: 9)) }
        #expect(throws: Never.self) { try parse(String(repeating: "a=x\n", count: 128)) }
    }

    @Test func randomDamageNeverTraps() throws {
        let whole = sdp(
            "v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", "m=audio 6000/1 RTP/AVP 8 0 101",
            "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15,16", "a=rtcp:6001 IN IP4 192.0.2.1", "a=ptime:20",
            "a=maxptime:40", "a=sendonly")
        var random = SeededRandom(seed: 4)
        var read = 0
        for _ in 0..<4000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.insert(UInt8.random(in: 32...126, using: &random), at: place)
                }
            }
            guard let session = try? SessionDescription(parsing: bytes) else { continue }
            read += 1
            var negotiation = freshNegotiation()
            _ = try? negotiation.answer(session, with: ourMedia)
        }
        #expect(read > 400)
    }

    @Test(arguments: [
        ("IN IP4 192.0.2.1", "192.0.2.1"), ("IN IP6 2001:db8::9", "2001:db8::9"), ("IN IP4 0.0.0.0", "0.0.0.0"),
        ("IN IP4 224.2.1.1/127", nil), ("IN IP4 224.2.1.1", nil), ("IN IP6 ff15::101", nil),
        ("IN IP4 phone.example", nil), ("IN IP6 192.0.2.1", nil), ("ATM IP4 192.0.2.1", nil),
    ])
    func onlyUnicastAddressesCount(connection: String, address: String?) throws {
        let session = try audioOffer("8", connection: connection)
        #expect(session.audioAddress == address.flatMap { IPAddress($0) })
    }
}
