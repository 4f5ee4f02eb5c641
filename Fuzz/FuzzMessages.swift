import Primitives
import SIP

/// Whatever comes from the network: parsed, forwarded, answered and framed, must neither trap nor break what the parts
/// promise each other. The first byte chooses the way, so one corpus serves all of them.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzMessages(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start, count > 0 else { return 0 }
    let input = UnsafeRawBufferPointer(start: start, count: count)
    // Without an arena every allocation of libosip2 is one that the sanitizer watches.
    let parser = MessageParser(arenaCapacity: input[0] & 4 == 0 ? 0 : 4096)
    let bytes = [UInt8](input.dropFirst())
    if input[0] & 1 == 0 {
        check(bytes, transport: input[0] & 2 == 0 ? .udp : .tcp, parser)
    } else {
        frame(bytes, cut: Int(input[0] >> 3) + 1, parser)
    }
    return 0
}

private func check(_ bytes: [UInt8], transport: Transport, _ parser: MessageParser) {
    let source = Endpoint(.v4(0xC000_0207), port: 6111)
    let message: Message
    do {
        message = try parser.parse(bytes, transport: transport)
    } catch {
        if let answer = MessageWriter.response(to: error, toTag: "t", source: source) {
            precondition(answer.suffix(4) == [13, 10, 13, 10])
        }
        return
    }
    let same = ForwardingEdit(via: nil, decrementsMaxForwards: false).apply(to: message)
    precondition(same == Array(message.bytes[..<message.body.upperBound]), "an edit of nothing changed something")
    for field in message.fields { _ = message.first(field.name) }
    for via in message.via { _ = via.description }
    for address in [message.from, message.to] + message.contacts + message.routes { _ = address.description }
    if message.isRequest {
        checkRequest(message, source, parser)
    } else if let bytes = ForwardingEdit.response(message, removed: ForwardingEdit.untrusted) {
        let after = reparse(bytes, parser, "response")
        precondition(after.via == Array(message.via.dropFirst()), "more than the top Via changed")
    }
}

private func checkRequest(_ message: Message, _ source: Endpoint, _ parser: MessageParser) {
    let own = Via(transport: .udp, host: "203.0.113.1", port: 5060, branch: "z9hG4bKown")
    if message.via.count < MessageParser.fieldLimit, message.fields.count < MessageParser.fieldLimit - 4,
        message.recordRoutes.count < MessageParser.fieldLimit, message.bytes.count < 60_000
    {
        let edit = ForwardingEdit(
            via: own, source: source, requestURI: URI(user: "x", host: "h.example"), removesFirstRoute: true,
            recordRoutes: ["<sip:203.0.113.1;lr>"], removed: ForwardingEdit.untrusted, headers: [(.tandemSession, "s")])
        let after = reparse(edit.apply(to: message), parser, "request")
        precondition(after.via.first == own && after.via.count == message.via.count + 1, "Via")
        precondition(after.via[1].branch == message.via[0].branch, "branch")
        precondition(after.via[1].received == "192.0.2.7" || message.via[0].host == "192.0.2.7", "received")
        precondition(after.routes == Array(message.routes.dropFirst()), "Route")
        precondition(after.from == message.from && after.to == message.to && after.callID == message.callID, "dialog")
        precondition(after.first(.tandemSession) == "s" && after.values(of: .tandemSession).count == 1, "session")
    }
    let answer = MessageWriter.response(to: message, status: 200, toTag: "t", source: source)
    let parsed = reparse(answer, parser, "answer")
    precondition(parsed.from == message.from && parsed.cseq == message.cseq && parsed.to.tag != nil, "answer")
    guard message.method == .invite else { return }
    guard let cancel = MessageWriter.cancel(invite: message),
        let ack = MessageWriter.acknowledge(invite: message, final: parsed)
    else { preconditionFailure("an INVITE cannot be cancelled") }
    precondition(reparse(cancel, parser, "cancel").cseq == CSeq(message.cseq.number, .cancel), "CANCEL")
    precondition(reparse(ack, parser, "ack").to == parsed.to, "ACK")
}

/// What we write we must be able to read.
private func reparse(_ bytes: [UInt8], _ parser: MessageParser, _ what: StaticString) -> Message {
    do {
        return try parser.parse(bytes, transport: .udp)
    } catch {
        preconditionFailure("\(what): \(error)\n\(String(decoding: bytes, as: UTF8.self))")
    }
}

/// However a stream is cut, the same events come out.
private func frame(_ bytes: [UInt8], cut: Int, _ parser: MessageParser) {
    func events(of size: Int) -> [StreamFramer.Event] {
        var framer = StreamFramer(side: .opened)
        var events: [StreamFramer.Event] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            framer.feed(bytes[start..<min(start + size, bytes.count)])
            while let event = framer.next() { events.append(event) }
        }
        return events
    }
    let whole = events(of: max(1, bytes.count))
    let parts = events(of: cut)
    precondition(whole.count == parts.count, "cuts change the number of events")
    for (one, other) in zip(whole, parts) {
        if case .broken = one, case .broken = other { continue }
        precondition(one == other, "cuts change events")
        if case .message(let message) = one { check(message, transport: .tcp, parser) }
    }
}
