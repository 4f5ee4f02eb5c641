import Access
import Center
import Foundation
import Master
import Primitives
import SIP

/// Bytes of strangers: noise, messages with some bytes changed, and requests with one known mistake (I9). They belong to
/// no caller's call.
extension World {
    mutating func throwGarbage() {
        let targets =
            accessNodes.map(\.address) + masters.map(\.address) + centers.map(\.endpoint)
        guard let to = targets.randomElement(using: &random) else { return }
        let from = Endpoint(.v4(0x0A09_0000 + UInt32.random(in: 0...255, using: &random)), port: 5060)
        let bytes: [UInt8] =
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                (0..<Int.random(in: 0...1_400, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
            case 1: mistakenRequest(to: to, from: from)
            default: mangledMessage(to: to, from: from)
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
        var bytes = Array(strangeMessage(first, method, to: to, from: from, toTag: toTag, id: random.hex(12)).utf8)
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

    private mutating func strangeMessage(
        _ first: String, _ method: String, to: Endpoint, from: Endpoint, toTag: String, id: String
    ) -> String {
        let body = "v=0\r\no=- 1 1 IN IP4 10.9.0.1\r\ns=-\r\nc=IN IP4 10.9.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n"
        return "\(first)\r\nVia: SIP/2.0/UDP \(from);branch=z9hG4bK\(random.hex(10))\r\nMax-Forwards: 70\r\n"
            + "From: <sip:stranger@\(from)>;tag=\(random.hex(6))\r\nTo: <sip:95533@\(to)>\(toTag)\r\n"
            + "Call-ID: \(id)\r\nCSeq: 7 \(method)\r\nContact: <sip:stranger@\(from)>\r\n"
            + "Content-Type: application/sdp\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    // MARK: One mistake

    /// What is wrong, and how RFC 3261 has it answered. The Call-ID begins with that status, for whoever judges.
    private static let mistakes: [(status: Int, good: String, bad: String)] = [
        (505, " SIP/2.0\r\nVia", " SIP/7.0\r\nVia"), (416, " sip:95533@", " http://95533@"),
        (400, " SIP/2.0\r\nVia", " SIP/2.0 \r\nVia"), (400, "CSeq: 7 ", "CSeq: seven "),
        (400, "CSeq: 7 ", "CSeq: 7 PUBLISH, "), (400, "CSeq: 7 ", "CSeq: 99999999999 "),
        (400, "Max-Forwards: 70", "Max-Forwards: 256"), (400, "Max-Forwards: 70", "neither name nor value"),
        (400, "Content-Length: ", "Content-Length: 9"), (400, "From: <", "From: \"never ends <"),
        (400, "To: <", "Subject: a\u{0}b\r\nTo: <"), (400, "Contact: ", "Call-ID: another\r\nContact: "),
    ]
    private static let mistakeMark = "mistake-"

    private mutating func mistakenRequest(to: Endpoint, from: Endpoint) -> [UInt8] {
        let method = ["INVITE", "BYE", "OPTIONS", "INFO"].randomElement(using: &random) ?? "INVITE"
        let mistake = Self.mistakes[Int.random(in: Self.mistakes.indices, using: &random)]
        let id = "\(Self.mistakeMark)\(mistake.status)-\(random.hex(12))"
        var text = strangeMessage(
            "\(method) sip:95533@\(to) SIP/2.0", method, to: to, from: from, toTag: "", id: id)
        if let place = text.range(of: mistake.good) { text.replaceSubrange(place, with: mistake.bad) }
        return Array(text.utf8)
    }

    /// What a request with one mistake has to be answered with; nil for everything else.
    private static func statusForMistake(in bytes: [UInt8]) -> Int? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let mark = text.range(of: "\r\nCall-ID: \(mistakeMark)") else { return nil }
        return Int(text[mark.upperBound...].prefix(3))
    }

    // MARK: Judging

    /// What a node did with bytes that are no message.
    private struct Reaction {
        var answers: [(bytes: [UInt8], flow: Flow)] = []
        /// How much the counter of malformed messages grew.
        var counted = 0
        /// Anything else than an answer and a count.
        var doesMore = false
    }

    /// I9: what cannot be parsed is answered if it can be, counted, and changes nothing. False for what can be parsed:
    /// that is served like anybody's.
    mutating func receiveGarbage(_ datagram: Datagram, _ flow: Flow) -> Bool {
        guard let node = datagram.toNode, process(node)?.isAtWork == true else { return false }
        let required = Self.statusForMistake(in: datagram.bytes)
        do throws(SIPParseError) {
            _ = try parser.parse(datagram.bytes, transport: .udp)
        } catch {
            let reaction = reaction(of: node, to: datagram, flow)
            judge(reaction, of: node, to: datagram, error, status: required ?? error.status)
            carryOut(node)
            return true
        }
        if let required { broken(.strangeBytes, "taken for a message, though it is to be answered \(required)") }
        return false
    }

    private mutating func reaction(of node: NodeName, to datagram: Datagram, _ flow: Flow) -> Reaction {
        switch node {
        case .access(let index): accessReacts(index, datagram, flow)
        case .center(let index): centerReacts(index, datagram, flow)
        case .master(let index): masterReacts(index, datagram, flow)
        case .store, .callers: Reaction()
        }
    }

    private mutating func accessReacts(_ index: Int, _ datagram: Datagram, _ flow: Flow) -> Reaction {
        let before = accessNodes[index].core.report
        accessNodes[index].receive(datagram.bytes, on: flow, parser, at: now)
        if settings.fault == .muteToGarbage { accessNodes[index].actions = [] }
        let after = accessNodes[index].core.report
        let malformed = RefusalReason.malformed.rawValue
        var reaction = Reaction()
        reaction.counted = Int(after.counters.refused[malformed]) - Int(before.counters.refused[malformed])
        reaction.doesMore =
            after.openRequests != before.openRequests || after.transactions != before.transactions
        for action in accessNodes[index].actions {
            if case .send(let bytes, let flow) = action {
                reaction.answers.append((bytes, flow))
            } else {
                reaction.doesMore = true
            }
        }
        return reaction
    }

    private mutating func centerReacts(_ index: Int, _ datagram: Datagram, _ flow: Flow) -> Reaction {
        let before = centers[index].core?.callCount
        let moment = moment(.center(index))
        centers[index].receive(datagram.bytes, on: flow, parser, at: moment)
        if settings.fault == .muteToGarbage {
            centers[index].actions.removeAll { if case .send = $0 { true } else { false } }
        }
        var reaction = Reaction()
        reaction.doesMore = centers[index].core?.callCount != before
        for action in centers[index].actions {
            switch action {
            case .send(let bytes, let flow): reaction.answers.append((bytes, flow))
            case .note(.rejected(.malformed)): reaction.counted += 1
            default: reaction.doesMore = true
            }
        }
        return reaction
    }

    private mutating func masterReacts(_ index: Int, _ datagram: Datagram, _ flow: Flow) -> Reaction {
        masters[index].receive(datagram.bytes, on: flow, parser, at: now)
        if settings.fault == .muteToGarbage { masters[index].effects = [] }
        var reaction = Reaction()
        reaction.doesMore = !masters[index].actions.isEmpty
        for effect in masters[index].effects {
            switch effect {
            case .send(let bytes, let flow): reaction.answers.append((bytes, flow))
            case .rejected(.malformed): reaction.counted += 1
            case .rejected: reaction.doesMore = true
            }
        }
        return reaction
    }

    private mutating func judge(
        _ reaction: Reaction, of node: NodeName, to datagram: Datagram, _ error: SIPParseError, status: Int?
    ) {
        let what = "\(node.text), which got what is no message (\(error)),"
        guard !reaction.doesMore else { return broken(.strangeBytes, "\(what) did more than answer and count") }
        // An open line's keep-alive is neither wrong nor worth a count.
        let count = error.problem == .keepAlive ? 0 : 1
        guard reaction.counted == count || settings.fault == .muteToGarbage else {
            return broken(.strangeBytes, "\(what) counted \(reaction.counted)")
        }
        var wanted = status
        if case .center(let index) = node, centers[index].isInDoubt { wanted = nil }
        guard let wanted else {
            if !reaction.answers.isEmpty { broken(.strangeBytes, "\(what) answered") }
            return
        }
        guard reaction.answers.count == 1, let answer = reaction.answers.first else {
            return broken(.strangeBytes, "\(what) gave \(reaction.answers.count) answers")
        }
        report.garbageAnswered += 1
        guard answer.bytes.starts(with: Array("SIP/2.0 \(wanted) ".utf8)) else {
            let line = String(decoding: answer.bytes.prefix { $0 != 13 }, as: UTF8.self)
            return broken(.strangeBytes, "\(what) answered \(line), \(wanted) was due")
        }
        guard answer.flow.remote.address == datagram.from.address else {
            return broken(.strangeBytes, "\(what) answered to \(answer.flow.remote)")
        }
    }

    private mutating func carryOut(_ node: NodeName) {
        switch node {
        case .access(let index): performAccess(index)
        case .center(let index): performCenter(index)
        case .master(let index): performMaster(index)
        case .store, .callers: break
        }
    }
}
