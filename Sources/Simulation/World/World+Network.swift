import Foundation
import Primitives
import SIP

/// Datagrams on their way.
extension World {
    mutating func transmit(_ sent: [UInt8], from: Endpoint, to: Endpoint) {
        let bytes = mistaken(sent)
        let call = Self.callNumber(in: bytes)
        report.datagrams += 1
        let (source, target) = (Places.node(at: from), Places.node(at: to))
        let link = network[source == .callers || target == .callers ? .caller : .inner]
        let isSwallowed = swallows(bytes, from: source, call)
        if isSwallowed || isCut(source, target) || hits(link.loss) {
            report.dropped += 1
            if !isSwallowed { disturb(call) }
            return trace.datagram(from: from, to: to, bytes, .lost, call: call, at: now)
        }
        let datagram = Datagram(from: from, to: to, toNode: target, bytes: bytes, call: call)
        let isTwice = hits(link.duplication)
        trace.datagram(from: from, to: to, bytes, isTwice ? .twice : .sent, call: call, at: now)
        for _ in 0...(isTwice ? 1 : 0) {
            var delay = link.delay + link.jitter * Double.random(in: 0...1, using: &random)
            if hits(link.spikes) {
                delay += link.spike
                disturb(call)
            }
            events.schedule(.arrives(datagram), at: now + delay)
        }
    }

    private mutating func hits(_ perMillion: Int) -> Bool {
        perMillion > 0 && Int.random(in: 0..<1_000_000, using: &random) < perMillion
    }

    func isCut(_ from: NodeName?, _ to: NodeName?) -> Bool {
        guard !cuts.isEmpty, let from, let to else { return false }
        return cuts.blocks(from, to)
    }

    /// Faults by which nodes say something else than they mean to.
    private func mistaken(_ bytes: [UInt8]) -> [UInt8] {
        switch settings.fault {
        case .staleOrigin: Self.withOldOrigin(bytes)
        case .noRetryAfter: Self.withoutRetryAfter(bytes)
        default: bytes
        }
    }

    private static func withoutRetryAfter(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.starts(with: Array("SIP/2.0 503 ".utf8)) else { return bytes }
        let lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
        return Array(lines.filter { !$0.hasPrefix("Retry-After") }.joined(separator: "\r\n").utf8)
    }

    /// The fault: the description in a re-INVITE has the version of the one before.
    private static func withOldOrigin(_ bytes: [UInt8]) -> [UInt8] {
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.hasPrefix("INVITE "), let origin = text.range(of: "\r\no="), text.contains("To: <sip:phone") else {
            return bytes
        }
        var parts = text[origin.upperBound...].prefix { $0 != "\r\n" }.split(separator: " ").map(String.init)
        let line = parts.joined(separator: " ")
        guard parts.count == 6, let version = Int(parts[2]), "\(version - 1)".count == parts[2].count else {
            return bytes
        }
        parts[2] = "\(version - 1)"
        return Array(text.replacing("o=" + line, with: "o=" + parts.joined(separator: " ")).utf8)
    }

    /// The fault: final answers to every fifth caller do not leave access.
    private func swallows(_ bytes: [UInt8], from: NodeName?, _ call: Int?) -> Bool {
        guard settings.fault == .swallowAnswers, case .access? = from, let call, call % 5 == 0 else { return false }
        return bytes.starts(with: Array("SIP/2.0 2".utf8)) || bytes.starts(with: Array("SIP/2.0 4".utf8))
    }

    mutating func disturb(_ call: Int?) {
        guard let call, calls.indices.contains(call) else { return }
        calls[call].isDisturbed = true
        calls[call].disturbedAt = now
    }

    mutating func deliver(_ datagram: Datagram) {
        let flow = Flow(transport: .udp, remote: datagram.from)
        if Places.node(at: datagram.from) == nil, receiveGarbage(datagram, flow) { return }
        switch datagram.toNode {
        case .access(let index):
            guard accessNodes[index].process.isRunning else { return nobodyListens(datagram, .access(index)) }
            accessNodes[index].receive(datagram.bytes, on: flow, parser, at: now)
            performAccess(index)
        case .master(let index):
            guard masters[index].process.isRunning else { return nobodyListens(datagram, .master(index)) }
            receiveAtMaster(index, datagram)
        case .center(let index):
            guard centers[index].core != nil else { return nobodyListens(datagram, .center(index)) }
            let moment = moment(.center(index))
            centers[index].receive(datagram.bytes, on: flow, parser, at: moment)
            performCenter(index)
        case .callers:
            guard let index = phoneIndex(datagram.to),
                let message = try? parser.parse(datagram.bytes, transport: .udp)
            else { return }
            withPhone(index) { $0.receive(message, from: datagram.from) }
        case .store, nil: break
        }
    }

    /// The host refuses, if it is there and the way back is open.
    private mutating func nobodyListens(_ datagram: Datagram, _ node: NodeName) {
        trace.datagram(
            from: datagram.from, to: datagram.to, datagram.bytes, .unreachable, call: datagram.call, at: now)
        guard process(node)?.isHostGone == false, !isCut(node, Places.node(at: datagram.from)) else { return }
        events.schedule(.refusal(at: datagram.from, by: datagram.to), at: now + network.inner.delay)
    }

    mutating func refused(at: Endpoint, by: Endpoint) {
        switch Places.node(at: at) {
        case .access(let index):
            guard accessNodes[index].process.isRunning else { return }
            note("\(Places.accessNames[index]) hears by ICMP that nobody listens at \(by)")
            accessNodes[index].handle(.unreachable(Flow(transport: .udp, remote: by)), at: now)
            performAccess(index)
        case .master(let index):
            guard let node = Places.node(at: by) else { return }
            tellMaster(index, .refused(node: node.text))
        case .center(let index):
            guard centers[index].core != nil else { return }
            tellCenter(index, .unreachable(Flow(transport: .udp, remote: by)))
        case .callers, .store, nil: break
        }
    }

    func phoneIndex(_ endpoint: Endpoint) -> Int? {
        guard let index = Places.callerIndex(endpoint) else { return nil }
        return phones.indices.contains(index) ? index : nil
    }

    /// Calls are named `c17@phones`, so that every datagram of a call is known.
    static func callNumber(in bytes: [UInt8]) -> Int? {
        bytes.withUnsafeBytes { buffer in
            guard let place = buffer.place(of: callIDStart) else { return nil }
            var index = place + callIDStart.count
            var number = 0
            while index < buffer.count, (48...57).contains(buffer[index]), number < 1_000_000_000 {
                number = number * 10 + Int(buffer[index] - 48)
                index += 1
            }
            return index < buffer.count && buffer[index] == 64 ? number : nil
        }
    }

    private static let callIDStart = Array("\r\nCall-ID: c".utf8)
}
