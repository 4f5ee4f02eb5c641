import Glibc
import NetworkIO
import Primitives
import Routing
import SIP
import Session

/// OPTIONS pings: one connected socket a node, so that the kernel tells of ICMP refusals (TAKEOVER.md, Detection); one
/// datagram a ping, never repeated, so that each answer belongs to one ping.
struct PingDesk: Sendable {
    private struct Line: Sendable {
        var node: String
        var callID: String
        var tag: String
        var isOpen = false
    }

    private let identity: NodeIdentity
    /// How the master is reached: in Via and From. Answers come back to the socket they were asked from by `rport`.
    private let host: String
    private let port: UInt16?
    private var random: SeededRandom
    private var lines: [Line] = []
    private var sockets: [String: UInt32] = [:]

    init(identity: NodeIdentity, host: String, port: UInt16, seed: UInt64) {
        self.identity = identity
        self.host = host
        // A port that the kernel chooses is nobody's to call.
        self.port = port == 0 ? nil : port
        random = SeededRandom(seed: seed)
    }

    /// Sends one ping, and opens the node's socket before where there is none.
    mutating func send(_ order: PingOrder, into outbox: inout Outbox) {
        let socket = socket(of: order.node)
        if !lines[Int(socket)].isOpen {
            lines[Int(socket)].isOpen = true
            outbox.openSocket(socket, connectedTo: order.to)
        }
        outbox.send(bytes(of: order, line: lines[Int(socket)]), onSocket: socket)
    }

    private mutating func socket(of node: String) -> UInt32 {
        if let known = sockets[node] { return known }
        let socket = UInt32(lines.count)
        sockets[node] = socket
        lines.append(
            Line(node: node, callID: "ping-\(random.hex(24))@\(identity)", tag: "\(identity).\(random.hex(16))"))
        return socket
    }

    private mutating func bytes(of order: PingOrder, line: Line) -> [UInt8] {
        let target = URI(host: order.to.address.description, port: order.to.port)
        return MessageWriter.request(
            method: .options, uri: target,
            via: Via(
                transport: .udp, host: host, port: port, branch: Via.magicCookie + random.hex(20), rport: .requested),
            from: NameAddress(
                uri: URI(user: identity.name, host: host, port: port), parameters: [Parameter("tag", line.tag)]),
            to: NameAddress(uri: target), callID: line.callID, cseq: order.token & 0x7FFF_FFFF,
            headers: order.headers)
    }

    /// What an answer on a node's socket says; nil for anything that is no answer to a ping of this node.
    func pong(_ message: Message, onSocket socket: UInt32) -> MasterEvent? {
        guard lines.indices.contains(Int(socket)), let status = message.status, message.cseq.method == .options,
            message.callID == lines[Int(socket)].callID
        else { return nil }
        let node = lines[Int(socket)].node
        let notice = message.first(.tandemNode).flatMap { NodeNotice(headerValue: $0) }
        // Another node at this address is no life sign of the one that belongs there.
        if let notice, notice.node != node { return nil }
        return .pong(
            node: node, token: message.cseq.number, status: status, incarnation: notice?.incarnation,
            load: message.first(.tandemLoad).flatMap { NodeLoad(headerValue: $0) })
    }

    /// Only a refused port is testimony of the node's own host. Any other error may lie on the way or at this end: the
    /// ping stays unanswered, and the next one goes by a new socket.
    mutating func failed(_ socket: UInt32, error: Int32) -> MasterEvent? {
        guard lines.indices.contains(Int(socket)) else { return nil }
        if error == ECONNREFUSED { return .refused(node: lines[Int(socket)].node) }
        lines[Int(socket)].isOpen = false
        return nil
    }
}
