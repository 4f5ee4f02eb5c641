import Primitives
import SIP
import Session

/// Why a checkpoint does not become a call again.
struct RebuildFailure: Error, Equatable, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}

/// A dialog out of its checkpoint. There header values stand as the wire wrote them, so the parser that reads the wire
/// reads them back: the checkpoint becomes the caller's last INVITE again.
struct RebuiltDialog {
    let dialog: Dialog
    /// As far as a response to it needs: Vias, Record-Routes, From, To with our tag, Call-ID, CSeq.
    let invite: Message
    let flow: Flow

    /// - Parameter contacts: this node's listeners; the first that reaches the caller's family of addresses is used.
    init(_ checkpoint: DialogCheckpoint, contacts: [CenterSettings.Contact]) throws(RebuildFailure) {
        invite = try Self.parse(checkpoint)
        flow = try Self.flow(checkpoint.flow, contacts)
        guard let target = invite.contacts.first?.uri else { throw RebuildFailure("the remote target is no URI") }
        dialog = Dialog(
            resuming: checkpoint.role == .server ? .uas : .uac,
            id: DialogID(
                callID: checkpoint.callID, localTag: checkpoint.localTag, remoteTag: checkpoint.remoteTag),
            local: invite.to, remote: invite.from, localCSeq: checkpoint.localCSeq,
            localInviteCSeq: checkpoint.localInviteCSeq, remoteCSeq: checkpoint.remoteCSeq, routeSet: invite.routes,
            remoteTarget: target, isSecure: checkpoint.secure)
    }

    private static func parse(_ checkpoint: DialogCheckpoint) throws(RebuildFailure) -> Message {
        let vias = checkpoint.invite.vias.isEmpty ? ["SIP/2.0/UDP 0.0.0.0"] : checkpoint.invite.vias
        var lines = ["INVITE sip:0.0.0.0 SIP/2.0"]
        lines += vias.map { "Via: \($0)" }
        lines += checkpoint.invite.recordRoutes.map { "Record-Route: \($0)" }
        lines += checkpoint.routeSet.map { "Route: \($0)" }
        lines += [
            "Max-Forwards: 70", "From: \(checkpoint.remoteURI)", "To: \(checkpoint.localURI)",
            "Call-ID: \(checkpoint.callID)", "CSeq: \(checkpoint.invite.cseq) INVITE",
            "Contact: <\(checkpoint.remoteTarget)>", "Content-Length: 0",
        ]
        guard !lines.contains(where: { $0.utf8.contains(13) || $0.utf8.contains(10) }) else {
            throw RebuildFailure("a value holds a line end")
        }
        let bytes = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
        do {
            return try MessageParser(arenaCapacity: 16 * 1024).parse(bytes, transport: .udp)
        } catch {
            throw RebuildFailure("the dialog cannot be read: \(error.problem)")
        }
    }

    /// `udp 192.0.2.1:5060`. The former owner's connections are gone with it.
    static func flow(_ text: String, _ contacts: [CenterSettings.Contact]) throws(RebuildFailure) -> Flow {
        let parts = text.split(separator: " ")
        guard parts.count == 2, let remote = Endpoint(String(parts[1])), let transport = Transport(flowName: parts[0])
        else { throw RebuildFailure("the flow cannot be read") }
        let listener = contacts.firstIndex { IPAddress($0.host)?.isV6 == remote.address.isV6 } ?? 0
        return Flow(transport: transport, remote: remote, listener: UInt16(clamping: listener))
    }

    /// What `flow` reads back.
    static func text(of flow: Flow) -> String { "\(flow.transport.flowName) \(flow.remote)" }
}

extension Transport {
    fileprivate init?(flowName: Substring) {
        switch flowName {
        case "udp": self = .udp
        case "tcp": self = .tcp
        case "tls": self = .tls
        case "ws": self = .ws
        case "wss": self = .wss
        default: return nil
        }
    }

    fileprivate var flowName: String {
        switch self {
        case .udp: "udp"
        case .tcp: "tcp"
        case .tls: "tls"
        case .ws: "ws"
        case .wss: "wss"
        case .other(let name): name.lowercased()
        }
    }
}
