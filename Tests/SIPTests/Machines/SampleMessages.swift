import Primitives

@testable import SIP

/// Messages for tests. Lines are separated as Swift strings have them; CRLF is put in.
enum Sample {
    static func message(_ lines: String) throws -> Message {
        var text = lines.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
        if !text.contains("\r\n\r\n") { text += "\r\n\r\n" }
        return try Sample.parse(Array(text.utf8))
    }

    static func parse(_ bytes: [UInt8], transport: Transport = .udp) throws -> Message {
        try MessageParser().parse(bytes, transport: transport)
    }

    /// A request by the phone at 10.0.0.5:5062.
    static func request(
        _ method: String, branch: String = "z9hG4bK1", uri: String = "sip:95533@10.0.0.1",
        via: String = "10.0.0.5:5062",
        fromTag: String = "a1", toTag: String? = nil, callID: String = "call-1", cseq: Int = 1,
        cseqMethod: String? = nil, transport: String = "UDP", more: String = ""
    ) throws -> Message {
        let tag = toTag.map { ";tag=\($0)" } ?? ""
        let extra = more.isEmpty ? "" : "\n" + more
        return try message(
            """
            \(method) \(uri) SIP/2.0
            Via: SIP/2.0/\(transport) \(via);branch=\(branch)
            Max-Forwards: 70
            From: <sip:alice@10.0.0.5>;tag=\(fromTag)
            To: <\(uri)>\(tag)
            Call-ID: \(callID)
            CSeq: \(cseq) \(cseqMethod ?? method)\(extra)
            Content-Length: 0
            """)
    }

    static func response(
        to request: Message, _ status: Int, toTag: String = "b1", contact: String? = nil,
        headers: [(HeaderName, String)] = []
    ) throws -> Message {
        var headers = headers
        if let contact { headers.append((.contact, contact)) }
        return try parse(
            MessageWriter.response(to: request, status: status, toTag: status == 100 ? nil : toTag, headers: headers))
    }
}
