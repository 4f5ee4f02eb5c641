import Primitives

extension Flow {
    /// Where the responses to a request go that came by this flow, by its topmost Via (RFC 3261 §18.2.2, RFC 3581 §4).
    ///
    /// Over a connection they go back by it. Over UDP they go to the address that the request came from, at the port
    /// it came from when the client asked for that by `rport`, else at the port of sent-by, 5060 by default.
    /// `maddr` is not followed: it would let a sender point our responses at a third party.
    public func responseFlow(for via: Via) -> Flow {
        responseFlow(rport: via.rport, port: via.port ?? 0)
    }

    /// - Parameter port: of sent-by; 0 for none.
    func responseFlow(rport: Via.ReturnPort, port: UInt16) -> Flow {
        guard transport == .udp, rport == .absent else { return self }
        var flow = self
        flow.remote.port = port == 0 ? 5060 : port
        return flow
    }
}
