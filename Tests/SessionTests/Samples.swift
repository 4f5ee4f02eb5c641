import Primitives
import Session

enum Samples {
    static let start = WallTime(milliseconds: 1_772_352_930_250)

    static func checkpoint(seed: UInt64 = 1) -> Checkpoint {
        var random = SeededRandom(seed: seed)
        let id = SessionID(using: &random)
        let record = CallRecord(
            id: id, line: "95533", from: "+8613800000000", centers: ["center-a"], started: start,
            answered: start + .milliseconds(80), path: ["language", "main", "login", "banking", "transfer-payee"])
        let sdp = """
            v=0\r\no=- 3981 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 10000 RTP/AVP 8 101\r
            a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n
            """
        let dialog = DialogCheckpoint(
            leg: .caller, role: .server, state: .confirmed, callID: "\(random.hex(16))@192.0.2.7",
            localTag: "center-a.k3f9x2.\(random.hex(8))", remoteTag: random.hex(8),
            localURI: "sip:95533@bank.example", remoteURI: "sip:+8613800000000@192.0.2.7", localCSeq: 1,
            localInviteCSeq: 1, remoteCSeq: 2, routeSet: ["<sip:127.0.0.1:5060;lr>"],
            remoteTarget: "sip:u@192.0.2.7:5062",
            flow: "udp 127.0.0.1:5060", signalledFrom: "192.0.2.7", allowsUPDATE: true,
            invite: InviteCheckpoint(
                role: .server, cseq: 1, acknowledged: true,
                vias: [
                    "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK\(random.hex(12))",
                    "SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bK\(random.hex(12));rport=5062",
                ], recordRoutes: ["<sip:127.0.0.1:5060;lr>"], awaitsAnswer: false),
            localSDP: sdp, remoteSDP: sdp,
            timer: SessionTimerCheckpoint(interval: 1800, refresher: .remote, deadline: start + .seconds(1800)),
            ending: EndingCheckpoint(kind: .menu, detail: "goodbye"))
        let media = MediaCheckpoint(
            leg: .caller, codec: "PCMA", payloadType: 8, telephoneEventType: 101, packetTime: 20, direction: .sendrecv,
            signalledAddress: "192.0.2.7:4000", latchedAddress: "192.0.2.7:4000",
            origin: "- 3981 1 IN IP4 127.0.0.1", originVersion: 1)
        let menu = MenuCheckpoint(
            menu: "telephone-banking", hash: "9f2c", state: "transfer-payee", stack: ["main"],
            variables: ["payee": "10000008"], language: "zh",
            login: LoginCheckpoint(customer: "10000007", expires: start + .seconds(600)), retries: ["pin": 1],
            pendingOperation: PendingOperation(id: random.hex(32), phase: .offered))
        return Checkpoint(dialogs: [dialog], media: [media], menu: menu, record: record)
    }
}
