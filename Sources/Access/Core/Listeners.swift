import Primitives
import SIP

/// How this node writes itself into the messages that it forwards, and which of its listeners a message leaves by.
struct Listeners: Sendable {
    private struct Entry: Sendable {
        let listener: AccessSettings.Listener
        /// The Record-Route value without a token.
        let route: String
    }

    private let udp: [Entry]
    private let tcp: [Entry]

    init(_ settings: AccessSettings) {
        precondition(!settings.udp.isEmpty, "an access node has at least one UDP listener")
        udp = settings.udp.map { Entry(listener: $0, route: Self.route($0, .udp, token: nil)) }
        tcp = settings.tcp.map { Entry(listener: $0, route: Self.route($0, .tcp, token: nil)) }
    }

    private static func route(_ listener: AccessSettings.Listener, _ transport: Transport, token: String?) -> String {
        ProxyCore.recordRoute(
            .init(host: listener.host, port: listener.port), transport: transport, token: token
        ).description
    }

    /// Every name and address that requests may know this node by.
    var own: [ProxyCore.OwnAddress] {
        (udp + tcp).flatMap { entry in
            let listener = entry.listener
            let names = [listener.host, listener.local.address.description]
            return names.map { ProxyCore.OwnAddress(host: $0, port: listener.port) }
        }
    }

    /// The listener of a flow, in or out. A connection that leaves while no TCP is spoken is named by the UDP port.
    private func entry(of flow: Flow) -> Entry {
        let list = flow.transport == .udp || tcp.isEmpty ? udp : tcp
        let index = Int(flow.listener)
        return list[index < list.count ? index : 0]
    }

    func via(for flow: Flow, branch: String) -> Via {
        let listener = entry(of: flow).listener
        return Via(transport: flow.transport, host: listener.host, port: listener.port, branch: branch)
    }

    /// The Record-Route values for a request that came by one flow and leaves by another: one, or where transport or
    /// address family change two, the one nearest to the next hop first (RFC 5658 §4).
    /// - Parameter token: into the value on the caller's side.
    func recordRoutes(from inbound: Flow, to outbound: Flow, callerIsInbound: Bool, token: String?) -> [String] {
        let (inner, outer) = (entry(of: inbound), entry(of: outbound))
        let isOneSide = inbound.transport == outbound.transport && inner.listener == outer.listener
        guard let token else { return isOneSide ? [outer.route] : [outer.route, inner.route] }
        if callerIsInbound {
            let value = Self.route(inner.listener, inbound.transport, token: token)
            return isOneSide ? [value] : [outer.route, value]
        }
        let value = Self.route(outer.listener, outbound.transport, token: token)
        return isOneSide ? [value] : [value, inner.route]
    }

    var hasTCP: Bool { !tcp.isEmpty }

    /// The flow from here to an address, by the preferred listener where that speaks the address's family.
    /// Nil when no listener does.
    func flow(to remote: Endpoint, by transport: Transport, preferring listener: UInt16?) -> Flow? {
        let list: [Entry]
        switch transport {
        case .udp: list = udp
        case .tcp: list = tcp
        case .tls, .ws, .wss, .other: return nil
        }
        if let listener, Int(listener) < list.count,
            list[Int(listener)].listener.local.address.isV6 == remote.address.isV6
        {
            return Flow(transport: transport, remote: remote, listener: listener)
        }
        for index in list.indices where list[index].listener.local.address.isV6 == remote.address.isV6 {
            return Flow(transport: transport, remote: remote, listener: UInt16(index))
        }
        return nil
    }

    /// Which listener one of our Record-Route values named.
    func listener(named uri: URI, transport: Transport) -> UInt16? {
        let list = transport == .udp ? udp : tcp
        let port = uri.port ?? 5060
        return list.firstIndex { $0.listener.port == port && $0.listener.host == uri.host }.map { UInt16($0) }
    }
}
