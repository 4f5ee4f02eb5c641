import Primitives
import SIP
import Testing

@testable import Center

/// A caller's phone as text: it writes requests inside and outside one dialog, and remembers what a dialog must.
final class Phone {
    static let flow = Flow(transport: .udp, remote: Endpoint(.v4(0xC000_0205), port: 5060))
    static let master = Flow(transport: .udp, remote: Endpoint(.v4(0x0A00_0009), port: 5070))

    /// The center that its requests reach.
    var bench: CenterBench
    let callID: String
    var flow: Flow
    var cseq: UInt32 = 1
    var fromTag = "caller"
    var toTag: String?
    var line = "95533"
    var contact = "<sip:alice@192.0.2.5:5060>"
    var recordRoutes: [String] = []
    private var branches = 0

    init(_ bench: CenterBench, callID: String = "call-1", flow: Flow = Phone.flow) {
        self.bench = bench
        self.callID = callID
        self.flow = flow
    }

    static let offer = sdp()

    static func sdp(
        address: String = "192.0.2.5", port: Int = 4000, formats: String = "8 0 101", direction: String = "sendrecv",
        version: Int = 1
    ) -> String {
        """
        v=0\r
        o=alice 1 \(version) IN IP4 192.0.2.5\r
        s=-\r
        c=IN IP4 \(address)\r
        t=0 0\r
        m=audio \(port) RTP/AVP \(formats)\r
        a=rtpmap:101 telephone-event/8000\r
        a=\(direction)\r

        """
    }

    var transport: String { flow.transport == .udp ? "UDP" : "TCP" }
    var lastBranch: String { "z9hG4bK-\(callID)-\(branches)" }

    /// Writes a request. Requests inside the dialog take the next CSeq unless one is given.
    func text(
        _ method: String, cseq number: UInt32? = nil, branch: String? = nil, headers: [String] = [],
        body: String = "", type: String = "application/sdp", toTag: String? = nil
    ) -> String {
        if branch == nil { branches += 1 }
        let to = (toTag ?? self.toTag).map { ";tag=\($0)" } ?? ""
        var lines = [
            "\(method) sip:\(line)@10.0.0.1:5081 SIP/2.0",
            "Via: SIP/2.0/\(transport) 192.0.2.5:5060;branch=\(branch ?? lastBranch);rport",
            "Max-Forwards: 70", "From: \"Alice\" <sip:alice@example.org>;tag=\(fromTag)",
            "To: <sip:\(line)@10.0.0.1>\(to)", "Call-ID: \(callID)", "CSeq: \(number ?? cseq) \(method)",
        ]
        if ["INVITE", "UPDATE"].contains(method) { lines.append("Contact: \(contact)") }
        if method == "INVITE" { lines += recordRoutes.map { "Record-Route: \($0)" } }
        lines += headers
        if !body.isEmpty { lines.append("Content-Type: \(type)") }
        lines.append("Content-Length: \(body.utf8.count)")
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + body
    }

    func send(_ text: String) throws { try bench.receive(text, from: flow) }

    /// Sends an INVITE and takes the tag of its answer.
    @discardableResult
    func invite(_ body: String = Phone.offer, headers: [String] = []) throws -> Phone {
        try send(text("INVITE", headers: headers, body: body))
        toTag = bench.sent.last { $0.message.callID == callID && $0.message.to.tag != nil }?.message.to.tag
        return self
    }

    func acknowledge(_ body: String = "", cseq number: UInt32? = nil) throws {
        try send(text("ACK", cseq: number, body: body))
    }

    /// A request inside the dialog.
    func request(
        _ method: String, headers: [String] = [], body: String = "", type: String = "application/sdp"
    ) throws {
        cseq += 1
        try send(text(method, headers: headers, body: body, type: type))
    }

    /// An answered call, acknowledged.
    @discardableResult
    func establish(_ body: String = Phone.offer, headers: [String] = []) throws -> Phone {
        try invite(body, headers: headers)
        try #require(bench.responses(200, to: .invite).last?.message.callID == callID)
        try acknowledge()
        return self
    }

    func hangUp() throws { try request("BYE") }

    /// Answers the last request that the center sent.
    func answer(_ status: Int, headers: [String] = [], body: String = "") throws {
        let request = try #require(bench.sent.last { $0.message.isRequest && $0.message.method != .ack }?.message)
        try send(reply(status, to: request, headers: headers, body: body))
    }

    /// Answers the re-INVITE that the center sent last.
    func answerInvite(_ status: Int = 200, headers: [String] = [], body: String? = nil) throws {
        let request = try #require(bench.requestsSent(.invite).last?.message)
        let accepted = status < 300 ? Phone.sdp(version: 2) : ""
        try send(reply(status, to: request, headers: headers, body: body ?? accepted))
    }

    func reply(_ status: Int, to request: Message, headers: [String] = [], body: String = "") throws -> String {
        var lines = ["SIP/2.0 \(status) Whatever"]
        for name in [HeaderName.via, .from, .to, .callID, .cseq] {
            for value in request.values(of: name) { lines.append("\(Self.spelling(name)): \(value)") }
        }
        if request.method == .invite || request.method == .update { lines.append("Contact: \(contact)") }
        lines += headers
        if !body.isEmpty { lines.append("Content-Type: application/sdp") }
        lines.append("Content-Length: \(body.utf8.count)")
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + body
    }

    private static func spelling(_ name: HeaderName) -> String {
        switch name {
        case .via: "Via"
        case .from: "From"
        case .to: "To"
        case .callID: "Call-ID"
        default: "CSeq"
        }
    }
}
