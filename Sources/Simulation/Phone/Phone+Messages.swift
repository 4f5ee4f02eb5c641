import Primitives
import SIP

/// Writing, with text and nothing of the switch's own writer.
extension Phone {
    private func via(_ branch: String) -> String { "Via: SIP/2.0/UDP \(address);rport;branch=\(branch)" }

    /// Begins a client transaction.
    mutating func send(
        _ method: String, uri: String, in at: Int, to: Endpoint, toTag: String? = nil, routes: [String] = [],
        headers: [String] = [], contentType: String = "application/sdp", body: String? = nil, branch: String? = nil,
        cseq: Int? = nil
    ) {
        let branch = branch ?? "z9hG4bK\(random.hex(16))"
        let cseq = cseq ?? calls[at].cseq
        let bytes = request(
            method, uri: uri, at: at, branch: branch, cseq: cseq, toTag: toTag, routes: routes, headers: headers,
            contentType: contentType, body: body)
        calls[at].requests.append(
            PhoneCall.Outgoing(method: method, cseq: cseq, branch: branch, bytes: bytes, to: to))
        let request = calls[at].requests.count - 1
        outputs.append(.send(bytes, to))
        schedule(.again(request: request), at, Self.t1)
        schedule(.limit(request: request), at, Self.limit)
    }

    /// Inside a dialog.
    mutating func send(
        _ method: String, in at: Int, towards peer: PhoneCall.Peer, headers: [String] = [],
        contentType: String = "application/sdp", body: String? = nil
    ) {
        send(
            method, uri: peer.target, in: at, to: peer.nextHop, toTag: peer.tag, routes: peer.routes,
            headers: headers, contentType: contentType, body: body)
    }

    func request(
        _ method: String, uri: String, at: Int, branch: String, cseq: Int, toTag: String?, routes: [String] = [],
        headers: [String] = [], contentType: String = "application/sdp", body: String? = nil
    ) -> [UInt8] {
        let call = calls[at]
        var lines = ["\(method) \(uri) SIP/2.0", via(branch), "Max-Forwards: 70"]
        for route in routes { lines.append("Route: \(route)") }
        lines.append("From: <sip:phone\(index)@\(address)>;tag=\(call.localTag)")
        lines.append("To: <sip:\(call.errand.line)@\(access)>" + (toTag.map { ";tag=\($0)" } ?? ""))
        lines.append("Call-ID: \(call.callID)")
        lines.append("CSeq: \(cseq) \(method)")
        lines += headers
        if body != nil { lines.append("Content-Type: \(contentType)") }
        lines.append("Content-Length: \(body?.utf8.count ?? 0)")
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")).utf8)
    }

    func response(
        to request: Message, _ status: Int, _ reason: String, at: Int?, headers: [String] = [], body: String? = nil
    ) -> [UInt8] {
        var lines = ["SIP/2.0 \(status) \(reason)"]
        for name in [HeaderName.via, .recordRoute, .from] { lines += request.values(of: name).map { "\(name): \($0)" } }
        var to = request.first(.to) ?? ""
        if request.to.tag == nil { to += ";tag=\(at.map { calls[$0].localTag } ?? "none\(index)")" }
        lines.append("To: \(to)")
        lines.append("Call-ID: \(request.callID)")
        lines.append("CSeq: \(request.first(.cseq) ?? "")")
        lines += headers
        if body != nil { lines.append("Content-Type: application/sdp") }
        lines.append("Content-Length: \(body?.utf8.count ?? 0)")
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")).utf8)
    }
}
