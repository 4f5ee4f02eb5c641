import Primitives

/// Bytes of strangers: noise, or messages with some bytes changed (I9). They belong to no caller's call.
extension World {
    mutating func throwGarbage() {
        let targets =
            accessNodes.map(\.address) + masters.map(\.address) + centers.map(\.endpoint)
        guard let to = targets.randomElement(using: &random) else { return }
        let from = Endpoint(.v4(0x0A09_0000 + UInt32.random(in: 0...255, using: &random)), port: 5060)
        var bytes: [UInt8]
        if Int.random(in: 0..<4, using: &random) == 0 {
            bytes = (0..<Int.random(in: 0...1_400, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
            }
        } else {
            bytes = mangledMessage(to: to, from: from)
        }
        report.garbage += 1
        transmit(bytes, from: from, to: to)
    }

    private mutating func mangledMessage(to: Endpoint, from: Endpoint) -> [UInt8] {
        let methods = ["INVITE", "BYE", "CANCEL", "OPTIONS", "ACK", "INFO", "UPDATE", "PRACK", "REGISTER", "NOTIFY"]
        let method = methods.randomElement(using: &random) ?? "INVITE"
        let isResponse = Int.random(in: 0..<4, using: &random) == 0
        let first =
            isResponse
            ? "SIP/2.0 \(Int.random(in: 100...699, using: &random)) Whatever" : "\(method) sip:95533@\(to) SIP/2.0"
        let toTag = Bool.random(using: &random) ? ";tag=center-a.1.\(random.hex(16))" : ""
        let body = "v=0\r\no=- 1 1 IN IP4 10.9.0.1\r\ns=-\r\nc=IN IP4 10.9.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n"
        let text =
            "\(first)\r\nVia: SIP/2.0/UDP \(from);branch=z9hG4bK\(random.hex(10))\r\nMax-Forwards: 70\r\n"
            + "From: <sip:stranger@\(from)>;tag=\(random.hex(6))\r\nTo: <sip:95533@\(to)>\(toTag)\r\n"
            + "Call-ID: \(random.hex(12))\r\nCSeq: 7 \(method)\r\nContact: <sip:stranger@\(from)>\r\n"
            + "Content-Type: application/sdp\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            let place = Int.random(in: bytes.indices, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 9)], at: place)
            default: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...9, using: &random)))
            }
            if bytes.isEmpty { break }
        }
        return bytes
    }
}
