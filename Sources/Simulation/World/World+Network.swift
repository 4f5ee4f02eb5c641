import Primitives
import SIP

/// Datagrams on their way.
extension World {
    mutating func transmit(_ bytes: [UInt8], from: Endpoint, to: Endpoint) {
        let call = Self.callNumber(in: bytes)
        report.datagrams += 1
        let link = network[isCaller(from) || isCaller(to) ? .caller : .inner]
        if isCut(from, to) || hits(link.loss) || swallows(bytes, from, call) {
            report.dropped += 1
            if !swallows(bytes, from, call) { disturb(call) }
            return trace.datagram(from: from, to: to, bytes, .lost, call: call, at: now)
        }
        let datagram = Datagram(from: from, to: to, bytes: bytes, call: call)
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

    func isCaller(_ endpoint: Endpoint) -> Bool {
        if case .v4(let bits) = endpoint.address { return bits >> 16 == 0x0A01 }
        return false
    }

    /// The fault: final answers to every fifth caller do not leave access.
    private func swallows(_ bytes: [UInt8], _ from: Endpoint, _ call: Int?) -> Bool {
        guard settings.fault == .swallowAnswers, from == Self.accessAddress, let call, call % 5 == 0 else {
            return false
        }
        return bytes.starts(with: Array("SIP/2.0 2".utf8)) || bytes.starts(with: Array("SIP/2.0 4".utf8))
    }

    mutating func disturb(_ call: Int?) {
        if let call, calls.indices.contains(call) { calls[call].isDisturbed = true }
    }

    mutating func deliver(_ datagram: Datagram) {
        let flow = Flow(transport: .udp, remote: datagram.from)
        if datagram.to == Self.accessAddress {
            access.receive(datagram.bytes, on: flow, parser, at: now)
            performAccess()
        } else if datagram.to == Self.masterAddress {
            receiveAtMaster(datagram)
        } else if let index = centers.firstIndex(where: { $0.endpoint == datagram.to }) {
            receiveAtCenter(index, datagram, flow)
        } else if let index = phoneIndex(datagram.to), let message = try? parser.parse(datagram.bytes, transport: .udp)
        {
            withPhone(index) { $0.receive(message, from: datagram.from) }
        }
    }

    private mutating func receiveAtCenter(_ index: Int, _ datagram: Datagram, _ flow: Flow) {
        guard centers[index].core != nil else {
            trace.datagram(
                from: datagram.from, to: datagram.to, datagram.bytes, .unreachable, call: datagram.call, at: now)
            guard !centers[index].isHostGone else { return }
            let delay = network.inner.delay
            events.schedule(.refusal(at: datagram.from, by: datagram.to), at: now + delay)
            return
        }
        let moment = moment
        centers[index].receive(datagram.bytes, on: flow, parser, at: moment)
        performCenter(index)
    }

    mutating func refused(at: Endpoint, by: Endpoint) {
        if at == Self.accessAddress {
            note("access hears by ICMP that nobody listens at \(by)")
            access.handle(.unreachable(Flow(transport: .udp, remote: by)), at: now)
            performAccess()
        } else if at == Self.masterAddress, let center = centers.first(where: { $0.endpoint == by }) {
            tellMaster(.refused(node: center.name))
        }
    }

    func phoneIndex(_ endpoint: Endpoint) -> Int? {
        guard case .v4(let bits) = endpoint.address, isCaller(endpoint) else { return nil }
        let index = Int(bits & 0xFFFF)
        return phones.indices.contains(index) ? index : nil
    }

    /// The master and a center do not hear each other while they are cut off.
    private func isCut(_ one: Endpoint, _ other: Endpoint) -> Bool {
        guard one == Self.masterAddress || other == Self.masterAddress else { return false }
        return centers.contains { $0.isCut && ($0.endpoint == one || $0.endpoint == other) }
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
