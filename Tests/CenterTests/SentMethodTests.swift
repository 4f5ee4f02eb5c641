import Testing

@testable import Center

/// RFC 3261 §7.1, §8.2.6.2.
@Suite struct SentMethodTests {
    @Test func aRequestNamesItsMethodFirst() {
        #expect(SentMethod.of(Array("BYE sip:a@192.0.2.1 SIP/2.0\r\nCSeq: 2 INVITE\r\n\r\n".utf8)) == .bye)
        #expect(SentMethod.of(Array("ACK sip:a@192.0.2.1 SIP/2.0\r\n\r\n".utf8)) == .ack)
    }

    @Test(arguments: ["CSeq: 7 UPDATE", "cseq:7  UPDATE", "CSEQ : 7\tUPDATE "])
    func aResponseHasTheMethodOfItsCSeq(line: String) {
        let head =
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\(line)\r\nContent-Length: 0\r\n\r\n"
        #expect(SentMethod.of(Array(head.utf8)) == .update)
    }

    @Test func aBodyIsNotTakenForAHeader() {
        #expect(SentMethod.of(Array("SIP/2.0 200 OK\r\nTo: x\r\n\r\nCSeq: 1 BYE\r\n".utf8)) == nil)
        #expect(SentMethod.of([]) == nil)
        #expect(SentMethod.of(Array("SIP/2.0".utf8)) == nil)
    }
}
