// CPU time of parsing, forwarding and answering one message: `MessageBenchmark [invite|ok|edit|editr|trying]`.
import Primitives
import SIP
import Glibc

func crlf(_ s: String) -> [UInt8] { Array(s.replacing("\n", with: "\r\n").utf8) }
let sdp =
    "v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
let invite =
    crlf(
        """
        INVITE sip:95533@127.0.0.1:5060 SIP/2.0
        Via: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bK-12345-1-0;rport
        From: sipp <sip:sipp@127.0.0.1:5061>;tag=12345SIPpTag001
        To: 95533 <sip:95533@127.0.0.1:5060>
        Call-ID: 1-12345@127.0.0.1
        CSeq: 1 INVITE
        Contact: sip:sipp@127.0.0.1:5061
        Max-Forwards: 70
        Subject: Performance Test
        Content-Type: application/sdp
        Content-Length: \(sdp.utf8.count)


        """) + Array(sdp.utf8)
let ok =
    crlf(
        """
        SIP/2.0 200 OK
        Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK3c2f5b0012345678
        Via: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bK-12345-1-0;received=127.0.0.1;rport=5061
        Record-Route: <sip:127.0.0.1:5060;lr>
        From: sipp <sip:sipp@127.0.0.1:5061>;tag=12345SIPpTag001
        To: 95533 <sip:95533@127.0.0.1:5060>;tag=center-a.k3f9x2.0123456789abcdef
        Call-ID: 1-12345@127.0.0.1
        CSeq: 1 INVITE
        Contact: <sip:127.0.0.1:5081>
        Content-Type: application/sdp
        Content-Length: \(sdp.utf8.count)


        """) + Array(sdp.utf8)
let parser = MessageParser()
func nanos() -> UInt64 {
    var t = timespec(); clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return UInt64(t.tv_sec) * 1_000_000_000 + UInt64(t.tv_nsec)
}
@inline(never) func measure(_ name: String, _ body: () -> Int) {
    var sink = 0
    for _ in 0..<20_000 { sink &+= body() }
    let n = 300_000
    var best = Double.infinity
    for _ in 0..<3 {
        let start = nanos()
        for _ in 0..<n { sink &+= body() }
        best = min(best, Double(nanos() - start) / Double(n))
    }
    print(name, "\(best.rounded()) ns", sink == 42 ? "" : "")
}
let inv = try parser.parse(invite, transport: .udp)
let res = try parser.parse(ok, transport: .udp)
let edit = ForwardingEdit(
    via: Via(transport: .udp, host: "127.0.0.1", port: 5060, branch: "z9hG4bK3c2f5b0012345678"),
    source: Endpoint(.v4(0x7F000001), port: 5061), requestURI: URI(user: "95533", host: "127.0.0.1", port: 5081),
    recordRoutes: ["<sip:127.0.0.1:5060;lr>"], removed: ForwardingEdit.untrusted,
    headers: [(.tandemSession, "6f1c2a3e-0000-4000-8000-000000000000")])
let only = CommandLine.arguments.dropFirst().first
func want(_ s: String) -> Bool { only == nil || only == s }
if want("invite") {
    measure("parse INVITE") { invite.withUnsafeBytes { (try? parser.parse($0, transport: .udp))?.fields.count ?? 0 } }
}
if want("ok") {
    measure("parse 200") { ok.withUnsafeBytes { (try? parser.parse($0, transport: .udp))?.fields.count ?? 0 } }
}
if want("edit") { measure("edit INVITE") { edit.apply(to: inv).count } }
if want("editr") { measure("edit 200") { ForwardingEdit.response(res)?.count ?? 0 } }
if want("trying") {
    measure("write 100") {
        MessageWriter.response(to: inv, status: 100, source: Endpoint(.v4(0x7F000001), port: 5061)).count
    }
}
