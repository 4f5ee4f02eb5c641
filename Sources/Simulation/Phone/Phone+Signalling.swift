import Primitives
import SIP

/// What comes over the network.
extension Phone {
    mutating func receive(_ message: Message, from source: Endpoint) {
        let number = message.callID.hasPrefix("c") ? Int(message.callID.dropFirst().prefix { $0 != "@" }) : nil
        let at = number.flatMap { index(of: $0) }
        if message.isRequest { return receiveRequest(message, from: source, at) }
        guard let at, let status = message.status, let branch = message.via.first?.branch else { return }
        let method = message.cseq.method.description
        guard let request = calls[at].requests.firstIndex(where: { $0.branch == branch && $0.method == method }) else {
            return
        }
        if method == "INVITE" { return receiveINVITEResponse(message, status, at, request) }
        guard status >= 200, !calls[at].requests[request].isDone else { return }
        calls[at].requests[request].isDone = true
        switch method {
        case "INFO":
            calls[at].infoInFlight = false
            if status == 200 { pressLater(at) }
        case "BYE", "CANCEL": break
        default: break
        }
    }

    private mutating func receiveINVITEResponse(_ response: Message, _ status: Int, _ at: Int, _ request: Int) {
        if status < 200 {
            calls[at].requests[request].isProvisional = true
            return
        }
        let isFirstFinal = !calls[at].requests[request].isDone
        calls[at].requests[request].isDone = true
        guard status < 300 else { return acknowledgeFailure(response, status, at, request, isFirstFinal) }
        let isInitial = request == 0
        if let peer = calls[at].peer, peer.tag == response.to.tag {
            if isInitial || !isFirstFinal { return outputs.append(.send(peer.ack, peer.nextHop)) }
            return sessionChanged(response, at, request)
        }
        if let stranger = calls[at].strangers.first(where: { $0.tag == response.to.tag }) {
            return outputs.append(.send(stranger.ack, stranger.nextHop))
        }
        guard isInitial, let peer = peer(of: response, at) else {
            return tell(.unexpected("a 2xx without Contact or tag"), at)
        }
        outputs.append(.send(peer.ack, peer.nextHop))
        guard isFirstFinal, calls[at].phase == .calling else {
            // §13.2.2.4: a further fork, or a call that is over: acknowledged and ended.
            calls[at].strangers.append(peer)
            return bye(peer, at)
        }
        calls[at].peer = peer
        if calls[at].isCancelled {
            // The answer crossed the CANCEL (§9.1).
            calls[at].phase = .over
            tell(.answered(after: now - calls[at].began), at)
            note(ended: at)
            return bye(peer, at)
        }
        answered(response, at)
    }

    private mutating func answered(_ response: Message, _ at: Int) {
        calls[at].phase = .answered
        calls[at].answeredAt = now
        calls[at].remoteRTP = Self.audio(of: response)
        if calls[at].remoteRTP == nil { tell(.unexpected("a 200 without audio"), at) }
        tell(.answered(after: now - calls[at].began), at)
        switch calls[at].errand.kind {
        case .music(let length), .echo(let length):
            schedule(.hangUp, at, length)
            if calls[at].errand.holds, length > .seconds(15) { schedule(.hold, at, .seconds(3)) }
        case .bank, .silent, .forgetful, .unknownLine, .cancels: break
        }
    }

    private func peer(of response: Message, _ at: Int) -> PhoneCall.Peer? {
        guard let tag = response.to.tag, let contact = response.contacts.first else { return nil }
        // §12.1.2: the route set is Record-Route in reverse order.
        var routes = response.recordRoutes.reversed().map(\.description)
        var target = contact.uri.description
        var nextHop =
            response.recordRoutes.last.flatMap { Self.endpoint($0.uri) } ?? Self.endpoint(contact.uri) ?? access
        if calls[at].errand.isRouteless {
            routes = []
            target = "sip:\(calls[at].errand.line)@\(access)"
            nextHop = access
        }
        var peer = PhoneCall.Peer(
            tag: tag, target: target, routes: routes, nextHop: nextHop, ack: [],
            ackedCSeq: Int(response.cseq.number))
        var random = SeededRandom(seed: UInt64(calls[at].number) << 8 | UInt64(response.cseq.number))
        peer.ack = request(
            "ACK", uri: target, at: at, branch: "z9hG4bK\(random.hex(16))", cseq: Int(response.cseq.number), toTag: tag,
            routes: routes, body: calls[at].errand.isOfferless && calls[at].peer == nil ? description(at) : nil)
        return peer
    }

    /// §17.1.1.3: the ACK for other finals goes with the INVITE's branch.
    private mutating func acknowledgeFailure(
        _ response: Message, _ status: Int, _ at: Int, _ index: Int, _ isFirst: Bool
    ) {
        let outgoing = calls[at].requests[index]
        let peer = index == 0 ? nil : calls[at].peer
        let ack = request(
            "ACK", uri: peer?.target ?? "sip:\(calls[at].errand.line)@\(access)", at: at, branch: outgoing.branch,
            cseq: outgoing.cseq, toTag: response.to.tag, routes: peer?.routes ?? [])
        outputs.append(.send(ack, outgoing.to))
        guard isFirst else { return }
        guard index == 0 else {
            // A refused change leaves the session as it was (§14.1); 481 and 408 end it.
            if status == 481 || status == 408 { hangUp(at) }
            return
        }
        tell(.refused(status: status, after: now - calls[at].began), at)
        end(at)
    }

    private mutating func sessionChanged(_ response: Message, _ at: Int, _ request: Int) {
        guard var peer = peer(of: response, at) else { return tell(.unexpected("a 2xx without Contact"), at) }
        // The route set is fixed by the first 2xx (§12.2.1.2).
        peer.routes = calls[at].peer?.routes ?? []
        peer.nextHop = calls[at].peer?.nextHop ?? peer.nextHop
        calls[at].peer = peer
        if let audio = Self.audio(of: response) { calls[at].remoteRTP = audio }
        outputs.append(.send(peer.ack, peer.nextHop))
    }

    // MARK: Requests of the center

    private mutating func receiveRequest(_ request: Message, from source: Endpoint, _ at: Int?) {
        let method = request.method.description
        if method == "ACK" {
            if let at, calls[at].unacknowledged?.cseq == Int(request.cseq.number) { calls[at].unacknowledged = nil }
            return
        }
        let key = "\(request.via.first?.branch ?? "") \(method)"
        guard let at else { return outputs.append(.send(response(to: request, 481, "No Such Call", at: nil), source)) }
        if let earlier = calls[at].sent[key] { return outputs.append(.send(earlier, source)) }
        let isOurs =
            request.to.tag == calls[at].localTag
            && (request.from.tag == calls[at].peer?.tag || calls[at].strangers.contains { $0.tag == request.from.tag })
        let answer: [UInt8]
        switch method {
        case _ where !isOurs: answer = response(to: request, 481, "No Such Call", at: at)
        case "BYE":
            answer = response(to: request, 200, "OK", at: at)
            if calls[at].isAnswered, request.from.tag == calls[at].peer?.tag {
                end(at)
                tell(.hungUpOn, at)
            }
        case "OPTIONS": answer = response(to: request, 200, "OK", at: at)
        case "UPDATE" where calls[at].isAnswered && calls[at].errand.allowsUPDATE:
            answer = response(to: request, 200, "OK", at: at, headers: refreshed(request))
        case "INVITE" where calls[at].isAnswered:
            answer = response(
                to: request, 200, "OK", at: at, headers: refreshed(request), body: description(at))
            calls[at].unacknowledged = (Int(request.cseq.number), answer, source, 0)
            schedule(.answerAgain, at, Self.t1)
            if let audio = Self.audio(of: request) { calls[at].remoteRTP = audio }
        case "INVITE", "UPDATE": answer = response(to: request, 481, "No Such Call", at: at)
        default: answer = response(to: request, 405, "Method Not Allowed", at: at, headers: ["Allow: BYE"])
        }
        calls[at].sent[key] = answer
        outputs.append(.send(answer, source))
    }

    private func refreshed(_ request: Message) -> [String] {
        var headers = ["Contact: <sip:phone\(index)@\(address)>"]
        if let expires = request.first(.sessionExpires) {
            headers += ["Require: timer", "Session-Expires: \(expires)"]
        }
        return headers
    }

    mutating func repeatAnswer(_ at: Int) {
        guard var waiting = calls[at].unacknowledged, waiting.attempts < 9 else { return }
        waiting.attempts += 1
        calls[at].unacknowledged = waiting
        outputs.append(.send(waiting.bytes, waiting.to))
        schedule(.answerAgain, at, min(Self.t1 * (1 << waiting.attempts), Self.t2))
    }

    // MARK: Reading

    private static func endpoint(_ uri: URI) -> Endpoint? {
        IPAddress(uri.host).map { Endpoint($0, port: uri.port ?? 5060) }
    }

    /// Where the description says that audio is.
    private static func audio(of message: Message) -> Endpoint? {
        let text = String(decoding: message.bytes[message.body], as: UTF8.self)
        var host: IPAddress?
        var port: UInt16?
        for line in text.split(whereSeparator: \.isNewline) {
            if line.hasPrefix("c=IN IP4 ") { host = IPAddress(String(line.dropFirst(9))) }
            if line.hasPrefix("m=audio ") { port = UInt16(line.dropFirst(8).prefix { $0 != " " }) }
        }
        guard let host, let port, port != 0 else { return nil }
        return Endpoint(host, port: port)
    }
}
