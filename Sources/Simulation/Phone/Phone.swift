import Primitives
import SIP

/// A telephone and the person at it, by RFC 3261's rules for user agents. It shares nothing with the switch but the
/// parser, so that both cannot be wrong in the same way.
struct Phone: Sendable {
    static let t1: Duration = .milliseconds(500)
    static let t2: Duration = .seconds(4)
    static let limit: Duration = .seconds(32)

    let index: Int
    let address: Endpoint
    let access: Endpoint
    let library: SpokenLibrary
    var random: SeededRandom
    /// The call in progress is last; earlier ones still answer repetitions.
    var calls: [PhoneCall] = []
    var now = MonotonicTime.zero
    var outputs: [PhoneOutput] = []

    init(index: Int, access: Endpoint, library: SpokenLibrary, seed: UInt64) {
        self.index = index
        self.access = access
        self.library = library
        address = Endpoint(.v4(0x0A01_0000 + UInt32(index)), port: 5060)
        random = SeededRandom(seed: seed)
    }

    var isBusy: Bool { calls.last.map { $0.phase != .over } ?? false }

    func index(of number: Int) -> Int? { calls.lastIndex { $0.number == number } }

    // MARK: Beginning

    mutating func begin(_ errand: Errand, number: Int) {
        calls.removeAll { $0.phase == .over && ($0.endedAt.map { now - $0 > .seconds(70) } ?? false) }
        let rtp = Endpoint(address.address, port: UInt16(4000 + number % 20_000 * 2))
        var call = PhoneCall(number: number, errand: errand, began: now, localTag: random.hex(8), rtp: rtp)
        if case .bank(let items) = errand.kind { call.agenda = items }
        calls.append(call)
        let at = calls.count - 1
        var headers = ["Contact: <sip:phone\(index)@\(address)>", "Allow: \(allow(errand))"]
        if let seconds = errand.sessionExpires_s {
            headers += ["Supported: timer", "Session-Expires: \(seconds);refresher=uas"]
        }
        send(
            "INVITE", uri: "sip:\(errand.line)@\(access)", in: at, to: access, headers: headers,
            body: errand.isOfferless ? nil : description(at))
        if case .cancels(let after) = errand.kind { schedule(.cancel, at, after) }
        schedule(.hangUp, at, errand.patience)
    }

    private func allow(_ errand: Errand) -> String {
        "INVITE, ACK, BYE, CANCEL, OPTIONS" + (errand.allowsUPDATE ? ", UPDATE" : "")
    }

    func description(_ at: Int) -> String {
        let call = calls[at]
        let host = address.address
        return
            "v=0\r\no=phone \(call.number) \(call.offerVersion) IN IP4 \(host)\r\ns=-\r\nc=IN IP4 \(host)\r\nt=0 0\r\n"
            + "m=audio \(call.rtp.port) RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
            + "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=\(call.onHold ? "sendonly" : "sendrecv")\r\n"
    }

    // MARK: Timers

    mutating func fired(_ timer: PhoneTimer, call number: Int) {
        guard let at = index(of: number) else { return }
        switch timer {
        case .again(let request): repeatRequest(request, at)
        case .limit(let request): giveUp(request, at)
        case .answerAgain: repeatAnswer(at)
        case .cancel: cancel(at)
        case .hangUp:
            if calls[at].phase == .calling { cancel(at) } else { hangUp(at) }
        case .hold, .resume: hold(at, timer)
        case .press(let step):
            guard calls[at].isAnswered, calls[at].step == step else { return }
            pressNext(at)
        case .impatience(let silence):
            guard calls[at].isAnswered, calls[at].silence == silence, !calls[at].onHold else { return }
            hangUp(at)
        case .sourceDue(let source): sourceDue(source, at)
        case .begin: break
        }
    }

    mutating func schedule(_ timer: PhoneTimer, _ at: Int, _ delay: Duration) {
        outputs.append(.schedule(timer, call: calls[at].number, delay))
    }

    mutating func tell(_ news: PhoneNews, _ at: Int) { outputs.append(.told(news, call: calls[at].number)) }

    private mutating func repeatRequest(_ request: Int, _ at: Int) {
        var outgoing = calls[at].requests[request]
        // RFC 3261 §17.1.1.2: a provisional response ends the repetition of an INVITE.
        guard !outgoing.isDone, !(outgoing.isProvisional && outgoing.method == "INVITE") else { return }
        outgoing.attempts += 1
        calls[at].requests[request] = outgoing
        outputs.append(.send(outgoing.bytes, outgoing.to))
        let doubled = Self.t1 * (1 << min(outgoing.attempts, 10))
        schedule(.again(request: request), at, outgoing.method == "INVITE" ? doubled : min(doubled, Self.t2))
    }

    private mutating func giveUp(_ request: Int, _ at: Int) {
        guard !calls[at].requests[request].isDone else { return }
        calls[at].requests[request].isDone = true
        let method = calls[at].requests[request].method
        tell(.unanswered(method: method, began: now + (.zero - Self.limit)), at)
        if calls[at].phase == .calling || method == "BYE" { end(at) }
        if method == "INFO" { calls[at].infoInFlight = false }
    }

    private mutating func cancel(_ at: Int) {
        guard calls[at].phase == .calling, let invite = calls[at].requests.first, !calls[at].isCancelled else { return }
        guard invite.isProvisional else {
            // §9.1: "If no provisional response has been received, the CANCEL request MUST NOT be sent".
            return schedule(.cancel, at, .milliseconds(100))
        }
        calls[at].isCancelled = true
        let line = calls[at].errand.line
        send(
            "CANCEL", uri: "sip:\(line)@\(access)", in: at, to: access, branch: invite.branch, cseq: invite.cseq)
    }

    mutating func hangUp(_ at: Int) {
        guard calls[at].isAnswered, let peer = calls[at].peer else { return }
        calls[at].phase = .over
        note(ended: at)
        bye(peer, at)
    }

    mutating func note(ended at: Int) {
        guard calls[at].endedAt == nil else { return }
        calls[at].endedAt = now
        tell(.over, at)
    }

    mutating func end(_ at: Int) {
        calls[at].phase = .over
        note(ended: at)
    }

    mutating func bye(_ peer: PhoneCall.Peer, _ at: Int) {
        calls[at].cseq += 1
        send("BYE", in: at, towards: peer)
    }

    private mutating func hold(_ at: Int, _ timer: PhoneTimer) {
        guard calls[at].isAnswered, let peer = calls[at].peer else { return }
        guard !calls[at].requests.contains(where: { $0.method == "INVITE" && !$0.isDone }) else { return }
        if case .hold = timer {
            calls[at].onHold = true
            schedule(.resume, at, .seconds(8))
        } else {
            calls[at].onHold = false
        }
        calls[at].offerVersion += 1
        calls[at].cseq += 1
        send(
            "INVITE", in: at, towards: peer, headers: ["Contact: <sip:phone\(index)@\(address)>"], body: description(at)
        )
    }
}
