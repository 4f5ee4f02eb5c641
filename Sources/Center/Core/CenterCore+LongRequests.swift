import Primitives
import SIP

/// Transactions of requests inside dialogs. What is too long for a datagram goes by TCP, and by UDP after all where TCP
/// is refused (RFC 3261 §18.1.1).
extension CenterCore {
    /// Nil when there is no room for a transaction. An INVITE that gets provisional responses and no other is given up
    /// after timer C, as a proxy would: nothing else of the call waits for it longer.
    mutating func begin(
        _ bytes: [UInt8], _ method: Method, branch: String, to way: Flow, context: UInt64 = 0
    ) -> ClientTransactionID? {
        guard let (byTCP, connection) = byTCP(bytes, way) else {
            return transactions.request(
                bytes, method: method, branch: branch, to: way, isProxied: true, context: context, now: now.monotonic,
                into: &outputs)
        }
        let id = transactions.request(
            byTCP, method: method, branch: branch, to: connection, isProxied: true, context: context,
            now: now.monotonic, into: &outputs)
        if let id { long.insert(.init(bytes: bytes, branch: branch, method: method, way: way), as: id) }
        return id
    }

    /// The ACK of a 2xx has no transaction that could tell of a refusal.
    mutating func sendACK(_ bytes: [UInt8], by way: Flow) {
        guard let (byTCP, connection) = byTCP(bytes, way) else { return actions.append(.send(bytes, way)) }
        long.keep(ack: bytes, way, now: now.monotonic)
        actions.append(.send(byTCP, connection))
    }

    /// A connection broke or was refused: ACKs that may have been lost with it leave by UDP.
    mutating func sayACKsByDatagram(to flow: Flow) {
        guard flow.transport == .tcp else { return }
        for ack in long.takeACKs(to: flow.remote, now: now.monotonic) { actions.append(.send(ack.bytes, ack.way)) }
    }

    /// Nil for what stays a datagram.
    private func byTCP(_ bytes: [UInt8], _ way: Flow) -> (bytes: [UInt8], connection: Flow)? {
        guard way.transport == .udp, bytes.count > LongRequests.datagramLimit, contact(for: way).hasTCP,
            long.admits(way.remote, now: now.monotonic),
            // "If this causes a change in the transport protocol from the one indicated in the top Via, the value in the
            // top Via MUST be changed."
            let byTCP = bytes.replacing("SIP/2.0/UDP", with: "SIP/2.0/TCP")
        else { return nil }
        var connection = way
        connection.transport = .tcp
        connection.connection = 0
        return (byTCP, connection)
    }

    /// "If the attempt to establish the connection generates … a TCP reset, the element SHOULD retry the request, using
    /// UDP." True when it is on its way again.
    mutating func sayByDatagram(_ id: ClientTransactionID, after status: Int) -> Bool {
        guard let entry = long.remove(id), status == 503, !entry.isHeard else { return false }
        long.refused(by: entry.way.remote, now: now.monotonic)
        let branch = newBranch()
        guard let bytes = entry.bytes.replacing(entry.branch, with: branch),
            let next = transactions.request(
                bytes, method: entry.method, branch: branch, to: entry.way, isProxied: true, context: id.context,
                now: now.monotonic, into: &outputs)
        else { return false }
        if let bye = parting.remove(id) { parting.insert(.init(dialog: bye.dialog, flow: entry.way), as: next) }
        withCall(CallHandle(rawValue: id.context)) { _, call in
            if call.reinvite == id { call.reinvite = next }
            if call.update == id { call.update = next }
        }
        return true
    }
}

extension [UInt8] {
    /// With the first occurrence of a text replaced; nil where there is none.
    fileprivate func replacing(_ text: String, with other: String) -> [UInt8]? {
        let wanted = Array(text.utf8)
        guard let first = wanted.first, count >= wanted.count else { return nil }
        var start = startIndex
        while let found = self[start...].firstIndex(of: first), count - found >= wanted.count {
            if self[found..<found + wanted.count].elementsEqual(wanted) {
                var copy = self
                copy.replaceSubrange(found..<found + wanted.count, with: other.utf8)
                return copy
            }
            start = found + 1
        }
        return nil
    }
}
