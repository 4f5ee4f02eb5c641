import SIP
import Testing

/// RFC 3261 §7.1, §8.2.6.2.
@Suite struct SentMethodTests {
    @Test func aRequestNamesItsMethodFirst() {
        #expect(SentMethod.of(Array("BYE sip:a@192.0.2.1 SIP/2.0\r\nCSeq: 2 INVITE\r\n\r\n".utf8)) == .bye)
        #expect(SentMethod.of(Array("ACK sip:a@192.0.2.1 SIP/2.0\r\n\r\n".utf8)) == .ack)
        #expect(SentMethod.of(Array("FOO sip:a@192.0.2.1 SIP/2.0\r\n\r\n".utf8)) == .other("FOO"))
    }

    @Test(arguments: ["CSeq: 7 UPDATE", "cseq:7  UPDATE", "CSEQ : 7\tUPDATE ", "CSeq: 7\r\n UPDATE"])
    func aResponseHasTheMethodOfItsCSeq(line: String) {
        let head =
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\(line)\r\nContent-Length: 0\r\n\r\n"
        #expect(SentMethod.of(Array(head.utf8)) == .update)
    }

    /// Wherever the line stands, and whatever stands before it.
    @Test func cseqIsFoundAtAnyPlace() {
        for length in 0..<40 {
            for filler in ["x", "e", "s", "c", "q", "CSeq: 1 BYE ", "\r\n cseq"] {
                let value = String(String(repeating: filler, count: length).prefix(length))
                let head = "SIP/2.0 200 OK\r\nSubject: \(value)\r\nCSeq: 1 PRACK\r\n\r\n"
                #expect(SentMethod.of(Array(head.utf8)) == .prack, "\(value)")
            }
        }
    }

    @Test func whatHasNoneHasNone() {
        #expect(SentMethod.of([]) == nil)
        for text in [
            "SIP/2.0", "SIP/2.0 200 OK\r\nTo: x\r\n\r\n", "SIP/2.0 200 OK\r\nCSeq", "SIP/2.0 200 OK\r\nCSeq: 1 ",
        ] {
            #expect(SentMethod.of(Array(text.utf8)) == nil)
        }
    }
}
