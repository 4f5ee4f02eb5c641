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
            // Who has waited for so long for a key does not type on: the entry is over for the center by now.
            if now - calls[at].infoSentAt > .seconds(3) { calls[at].keys = [] }
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
        take(RemoteDescription(of: response), at)
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
        let saysWhen = response.first(.retryAfter) != nil
        tell(.refused(status: status, after: now - calls[at].began, saysWhen: saysWhen), at)
        end(at)
    }

    private mutating func sessionChanged(_ response: Message, _ at: Int, _ request: Int) {
        guard var peer = peer(of: response, at) else { return tell(.unexpected("a 2xx without Contact"), at) }
        // The route set is fixed by the first 2xx (§12.2.1.2).
        peer.routes = calls[at].peer?.routes ?? []
        peer.nextHop = calls[at].peer?.nextHop ?? peer.nextHop
        calls[at].peer = peer
        take(RemoteDescription(of: response), at)
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
        let answer =
            isOurs ? answer(to: request, method, from: source, at) : response(to: request, 481, "No Such Call", at: at)
        calls[at].sent[key] = answer
        outputs.append(.send(answer, source))
    }

    /// A request inside one of this call's dialogs, seen for the first time.
    private mutating func answer(to request: Message, _ method: String, from source: Endpoint, _ at: Int) -> [UInt8] {
        let isOfPeer = request.from.tag == calls[at].peer?.tag
        let cseq = Int(request.cseq.number)
        if isOfPeer {
            guard cseq > calls[at].remoteCSeq else {
                // §12.2.2: "If the remote sequence number is … greater …, the request is out of order and MUST be
                // rejected with a 500".
                if calls[at].isAnswered {
                    tell(.outOfOrder("\(method) with CSeq \(cseq) after \(calls[at].remoteCSeq)"), at)
                }
                return response(to: request, 500, "CSeq Out Of Order", at: at)
            }
            calls[at].remoteCSeq = cseq
        }
        switch method {
        case "BYE":
            if calls[at].isAnswered, isOfPeer {
                end(at)
                tell(.hungUpOn, at)
            }
            return response(to: request, 200, "OK", at: at)
        case "OPTIONS": return response(to: request, 200, "OK", at: at)
        case "UPDATE" where calls[at].isAnswered && calls[at].errand.allowsUPDATE:
            return response(to: request, 200, "OK", at: at, headers: refreshed(request))
        case "INVITE" where calls[at].isAnswered: return answerINVITE(request, cseq, from: source, at)
        case "INVITE", "UPDATE": return response(to: request, 481, "No Such Call", at: at)
        default: return response(to: request, 405, "Method Not Allowed", at: at, headers: ["Allow: BYE"])
        }
    }

    /// A re-INVITE of the center (§14.2).
    private mutating func answerINVITE(_ request: Message, _ cseq: Int, from source: Endpoint, _ at: Int) -> [UInt8] {
        if calls[at].requests.contains(where: { $0.method == "INVITE" && !$0.isDone }) {
            // "A UAS that receives an INVITE on a dialog while an INVITE it had sent on that dialog is in progress MUST
            // return a 491". The description was seen all the same.
            calls[at].refusedVersion = RemoteDescription(of: request)?.version
            return response(to: request, 491, "Request Pending", at: at)
        }
        guard calls[at].unacknowledged == nil || calls[at].unacknowledged.map({ $0.cseq < cseq }) ?? true else {
            return response(to: request, 500, "Too Early", at: at, headers: ["Retry-After: 1"])
        }
        // The target is refreshed (§12.2.2): requests go to the new Contact, by the old route set.
        if let contact = request.contacts.first?.uri, !calls[at].errand.isRouteless {
            calls[at].peer?.target = contact.description
            if calls[at].peer?.routes.isEmpty == true, let hop = Self.endpoint(contact) {
                calls[at].peer?.nextHop = hop
            }
        }
        take(RemoteDescription(of: request), at)
        let answer = response(to: request, 200, "OK", at: at, headers: refreshed(request), body: description(at))
        calls[at].unacknowledged = (cseq, answer, source, 0)
        schedule(.answerAgain, at, Self.t1)
        return answer
    }

    /// RFC 3264 §8: "the origin line … MUST be identical … except that the version in the origin field MUST increment by
    /// one from the previous SDP", if anything changed at all.
    private mutating func take(_ new: RemoteDescription?, _ at: Int) {
        guard let new else { return }
        if let old = calls[at].remoteDescription {
            if new.origin != old.origin {
                tell(.brokenRule("o= was \(old.origin), is \(new.origin)"), at)
            } else if new.rest == old.rest ? new.version != old.version : new.version != old.version + 1 {
                let change = new.rest == old.rest ? "unchanged" : "changed"
                if new.version == calls[at].refusedVersion.map({ $0 + 1 }) { return accept(new, at) }
                tell(
                    .version(
                        "the version in o= was \(old.version), is \(new.version), \(change)",
                        isForward: new.version > old.version), at)
            }
        }
        accept(new, at)
    }

    private mutating func accept(_ new: RemoteDescription, _ at: Int) {
        calls[at].remoteDescription = new
        calls[at].refusedVersion = nil
        guard let audio = new.audio else { return }
        if let old = calls[at].remoteRTP, old != audio { calls[at].movedAt = now }
        calls[at].remoteRTP = audio
    }

    private func refreshed(_ request: Message) -> [String] {
        var headers = ["Contact: <sip:phone\(index)@\(address)>"]
        if let expires = request.first(.sessionExpires) {
            headers += ["Require: timer", "Session-Expires: \(expires)"]
        }
        return headers
    }

    mutating func repeatAnswer(_ at: Int) {
        guard var waiting = calls[at].unacknowledged else { return }
        guard waiting.attempts < 9 else {
            // §13.3.1.4: no ACK for 64*T1.
            calls[at].unacknowledged = nil
            if calls[at].isAnswered { tell(.unacknowledged, at) }
            return hangUp(at)
        }
        waiting.attempts += 1
        calls[at].unacknowledged = waiting
        outputs.append(.send(waiting.bytes, waiting.to))
        schedule(.answerAgain, at, min(Self.t1 * (1 << waiting.attempts), Self.t2))
    }

    // MARK: Reading

    private static func endpoint(_ uri: URI) -> Endpoint? {
        IPAddress(uri.host).map { Endpoint($0, port: uri.port ?? 5060) }
    }
}

/// A description as far as a phone looks at it.
struct RemoteDescription: Sendable, Equatable {
    /// The line `o=` without its version.
    var origin = ""
    var version = 0
    /// Everything but `o=`.
    var rest = ""
    var audio: Endpoint?

    /// Nil without a body.
    init?(of message: Message) {
        guard !message.body.isEmpty else { return nil }
        var host: IPAddress?
        var port: UInt16?
        for line in String(decoding: message.bytes[message.body], as: UTF8.self).split(whereSeparator: \.isNewline) {
            if line.hasPrefix("o=") {
                var parts = line.split(separator: " ")
                guard parts.count == 6, let number = Int(parts[2]) else { continue }
                version = number
                parts.remove(at: 2)
                origin = parts.joined(separator: " ")
                continue
            }
            rest += line + "\n"
            if line.hasPrefix("c=IN IP4 ") { host = IPAddress(String(line.dropFirst(9))) }
            if line.hasPrefix("m=audio ") { port = UInt16(line.dropFirst(8).prefix { $0 != " " }) }
        }
        if let host, let port, port != 0 { audio = Endpoint(host, port: port) }
    }
}
